// Package mosquittotest starts a real Mosquitto for tests, on loopback and a free
// port, and ends it by its process id. A test that needs it fails when it is not
// installed; it is never skipped.
package mosquittotest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ForLoad are the settings of a broker behind which nothing is lost while
// facilityd is away, and that hands out a backlog fast: persistence, no limit of
// the queue, many messages in flight. The defaults of Mosquitto keep 1,000
// messages per client and lose them on a restart.
const ForLoad = `persistence true
max_queued_messages 0
max_inflight_messages 1000
autosave_interval 1800
`

// A Broker is a Mosquitto that belongs to one test.
type Broker struct {
	Addr string // host:port
	Dir  string // its persistence and its other files

	t      testing.TB
	config string
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	output bytes.Buffer
}

// Options of Start.
type Options struct {
	// Config is added to the configuration file behind the listener: settings of
	// the listener (TLS files) first, then general ones. {{dir}} stands for Dir.
	Config string
	// Closed demands a user: Config names a password_file. Otherwise anybody may
	// connect.
	Closed bool
	// Files are written into Dir before the broker starts.
	Files map[string]string
}

// Start starts a broker and returns when it answers. It ends with the test.
func Start(t testing.TB, o Options) *Broker {
	t.Helper()
	dir, err := os.MkdirTemp("", "mosquitto-*")
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{t: t, Dir: dir}
	t.Cleanup(func() {
		b.Kill()
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("mosquitto said:\n%s", b.Log())
		}
	})
	for name, text := range o.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.Addr = freeAddr(t)
	_, port, _ := net.SplitHostPort(b.Addr)
	anonymous := "true"
	if o.Closed {
		anonymous = "false"
	}
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous %s\n%s\npersistence_location %s/\nlog_dest stderr\n", port, anonymous,
		bytes.ReplaceAll([]byte(o.Config), []byte("{{dir}}"), []byte(dir)), dir)
	b.config = filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(b.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	own(t, dir)
	b.Start()
	return b
}

// own gives the directory to the user that Mosquitto becomes when root starts it.
func own(t testing.TB, dir string) {
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup("mosquitto")
	if err != nil {
		return // it stays root then
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	err = filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddr returns a loopback address that was free a moment ago.
func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func find() (string, error) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("mosquitto is not installed: run `make tools`, or apt-get install mosquitto (Debian), brew install mosquitto (macOS)")
}

// URL returns the broker's address as a client takes it.
func (b *Broker) URL() string { return "mqtt://" + b.Addr }

// Start starts the broker again on the same port and with the same directory,
// after Stop or Kill.
func (b *Broker) Start() {
	b.t.Helper()
	path, err := find()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", b.config)
	cmd.Stderr = (*lockedBuffer)(b)
	cmd.Stdout = (*lockedBuffer)(b)
	if err := cmd.Start(); err != nil {
		b.t.Fatalf("start mosquitto: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	b.mu.Lock()
	b.cmd, b.exited = cmd, exited
	b.mu.Unlock()
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", b.Addr, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-exited:
			b.t.Fatalf("mosquitto ended at once:\n%s", b.Log())
		default:
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("mosquitto does not answer on %s: %v\n%s", b.Addr, err, b.Log())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends the broker by SIGTERM, so that it saves its sessions and queues.
func (b *Broker) Stop() { b.end(syscall.SIGTERM) }

// Kill ends the broker by SIGKILL: what it had not saved is lost.
func (b *Broker) Kill() { b.end(syscall.SIGKILL) }

func (b *Broker) end(sig syscall.Signal) {
	b.mu.Lock()
	cmd, exited := b.cmd, b.exited
	b.cmd = nil
	b.mu.Unlock()
	if cmd == nil {
		return
	}
	cmd.Process.Signal(sig)
	select {
	case <-exited:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		<-exited
	}
}

// PID returns the broker's process id, 0 when it does not run.
func (b *Broker) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return 0
	}
	return b.cmd.Process.Pid
}

// Log returns what the broker has written.
func (b *Broker) Log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.String()
}

type lockedBuffer Broker

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.output.Write(p)
}
