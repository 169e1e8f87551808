package recording

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/facilityd/facilityd/devices/simulator"
)

// Clock is how Play waits: Now and a Sleep that ends early with the context's
// error.
type Clock struct {
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Play publishes a recording at its pace, counted from the first message. A
// publisher that is slower than the recording delays it; nothing is left out.
func Play(ctx context.Context, r *Reader, clock Clock, publish func(context.Context, simulator.Message) error) error {
	start := clock.Now()
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if wait := m.Due - clock.Now().Sub(start); wait > 0 {
			if err := clock.Sleep(ctx, wait); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := publish(ctx, m.Message); err != nil {
			return err
		}
	}
}
