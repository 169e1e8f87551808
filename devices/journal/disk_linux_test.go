package journal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/facilityd/facilityd/devices"
)

// inNamespace is set in the environment of the test's second process.
const inNamespace = "FACILITYD_TEST_IN_NAMESPACE"

// mayMount reports whether this process may mount file systems. When it may not,
// the test is run again in a user namespace where it may, and its outcome is
// this one's.
func mayMount(t *testing.T) bool {
	t.Helper()
	probe := t.TempDir()
	err := unix.Mount("tmpfs", probe, "tmpfs", 0, "size=1m")
	if err == nil {
		unix.Unmount(probe, unix.MNT_DETACH)
		return true
	}
	if os.Getenv(inNamespace) != "" {
		t.Fatalf("mount a small file system, even in a namespace: %v: run this test as root", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("in a namespace: %v\n%s", err, out)
	}
	return false
}

// smallDisk mounts a file system of a few megabytes.
func smallDisk(t *testing.T, size string) (dir string, fill, clear func()) {
	t.Helper()
	dir = t.TempDir()
	ballast := filepath.Join(dir, "ballast")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	fill = func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, n := range []int{1 << 20, 64 << 10, 4 << 10} {
			for err == nil {
				_, err = f.Write(make([]byte, n))
			}
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			err = nil
		}
	}
	clear = func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	return dir, fill, clear
}

// TestFullDisk fills a real, small disk under the running journal: nothing is
// committed while a write fails, the engine is replaced in the process, and when
// there is room everything is written once, readers and consumers included.
func TestFullDisk(t *testing.T) {
	if !mayMount(t) {
		return // it ran in a namespace
	}
	dir, fillDisk, clearDisk := smallDisk(t, "64m")
	cfg := quiet(t, filepath.Join(dir, "journal"))
	cfg.QueueBytes = 4 << 20
	cfg.RequestTimeout = time.Second
	j := open(t, cfg)
	w, stop := running(t, j, "demo")
	var safe atomic.Int64
	src := w.Source("main", func(n int) { safe.Add(int64(n)) })
	reader, err := j.Read(t.Context(), "demo", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ids := make(chan uint16, 100_000)
	go func() { // follows while the engine is replaced under it
		defer close(ids)
		for {
			r, err := reader.Next(t.Context())
			if err != nil {
				return
			}
			for _, m := range r.Messages {
				ids <- m.PacketID
			}
			if r.Kind == devices.ConfigVersion {
				return
			}
		}
	}()
	payload := bytes.Repeat([]byte("x"), 4000)
	offered := 0
	offer := func() bool {
		m := devices.Message{Topic: "a", Payload: payload, QoS: 1, PacketID: uint16(offered)}
		if !src.Offer(&m) {
			return false
		}
		offered++
		return true
	}
	for range 100 {
		offer()
	}
	eventually(t, "first messages committed", func() bool { return safe.Load() == 100 })
	fillDisk()
	for offer() {
	}
	eventually(t, "a write failed and the engine was replaced", func() bool {
		return value(t, j.metrics.EngineRestarts) > 0
	})
	if n := safe.Load(); n >= int64(offered) {
		t.Errorf("%d of %d messages committed on a full disk", n, offered)
	}
	clearDisk()
	eventually(t, "everything committed", func() bool { return safe.Load() == int64(offered) })
	if _, err := w.Config(context.Background(), "end"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for id := range ids {
		if id != uint16(n) {
			t.Fatalf("message %d has the id %d: lost or doubled", n, id)
		}
		n++
	}
	if n != offered {
		t.Errorf("%d messages read of %d", n, offered)
	}
	stop()
}
