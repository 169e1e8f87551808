package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/facilityd/facilityd/configs"
)

func TestRepeatingFaultsAreSaidOnceWithTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := NewLogger(&out, configs.Log{Format: "text", Level: "info"})
		a, b := log.With("broker", "a"), log.With("broker", "b")
		for range 100 {
			a.Warn("connection lost")
		}
		b.Warn("connection lost")
		log.Info("said every time")
		log.Info("said every time")
		time.Sleep(repeatEvery)
		a.Warn("connection lost", slog.String("reason", "timeout"))
		if n := strings.Count(out.String(), "connection lost"); n != 3 {
			t.Errorf("said %d times: %s", n, &out)
		}
		if !strings.Contains(out.String(), "left_out=99") || strings.Count(out.String(), "said every time") != 2 {
			t.Error(out.String())
		}
	})
}
