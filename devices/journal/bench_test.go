package journal

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// BenchmarkGroupCommit measures messages through Offer, group commit and the
// flush to the disk, until they are committed.
func BenchmarkGroupCommit(b *testing.B) {
	for _, sync := range []Sync{SyncAlways, SyncEvery} {
		b.Run(string(sync), func(b *testing.B) {
			cfg := quiet(b, b.TempDir())
			cfg.Sync = sync
			j := open(b, cfg)
			w, stop := running(b, j, "bench")
			var safe atomic.Int64
			src := w.Source("main", func(n int) { safe.Add(int64(n)) })
			topics := make([]string, 1000)
			for i := range topics {
				topics[i] = fmt.Sprintf("site/pump-%d/telemetry", i)
			}
			offered := 0
			b.ReportAllocs()
			for b.Loop() {
				m := devices.Message{Topic: topics[offered%1000], Payload: benchPayload, QoS: 1, PacketID: uint16(offered)}
				for !src.Offer(&m) {
					time.Sleep(time.Millisecond)
				}
				offered++
			}
			eventually(b, "committed", func() bool { return safe.Load() == int64(offered) })
			b.ReportMetric(float64(offered)/b.Elapsed().Seconds(), "msg/s")
			stop()
		})
	}
}

// BenchmarkRecords measures flushed records of 16 KB, one after the other, and
// reading them again.
func BenchmarkRecords(b *testing.B) {
	j := open(b, quiet(b, b.TempDir()))
	w, stop := running(b, j, "bench")
	payload := make([]byte, 16<<10)
	committed := make(chan int, 1)
	src := w.Source("main", func(n int) { committed <- n })
	w.j.cfg.FlushMessages = 1
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			src.Offer(&devices.Message{Topic: "a", Payload: payload, QoS: 1})
			<-committed
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	stop()
	b.Run("read", func(b *testing.B) {
		_, last, _, err := j.Bounds(b.Context(), "bench")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			r, err := j.Read(b.Context(), "bench", 1)
			if err != nil {
				b.Fatal(err)
			}
			for r.Position() <= last {
				rec, err := r.Next(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				r.Reuse(rec)
				n++
			}
			r.Close()
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	})
}
