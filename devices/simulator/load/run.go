package load

import (
	"context"
	"time"
)

// Pace says how fast a load is published.
type Pace struct {
	Rate     float64 // messages per second of all devices together; 0 is as fast as possible
	Messages int     // of all devices together; 0 is without end
	Now      func() time.Time
	Sleep    func(ctx context.Context, d time.Duration) error
}

// Run publishes a load and returns how many messages the publisher took. The
// payload belongs to the publisher. A publisher that is slower than the rate slows
// the load down; it catches up for at most a second, so that a stalled broker is
// not flooded when it is back.
func (g *Generator) Run(ctx context.Context, p Pace, publish func(ctx context.Context, device int, topic string, payload []byte) error) (int, error) {
	start := p.Now()
	const slice = 5 * time.Millisecond // how finely the rate is kept
	for k := 0; p.Messages == 0 || k < p.Messages; k++ {
		if p.Rate > 0 {
			due := time.Duration(float64(k) / p.Rate * float64(time.Second))
			late := p.Now().Sub(start) - due
			if late > time.Second {
				start = start.Add(late - time.Second)
			}
			if late < -slice {
				if err := p.Sleep(ctx, -late); err != nil {
					return k, err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return k, err
		}
		device, seq := g.Message(k)
		payload := g.Append(make([]byte, 0, 224), device, seq)
		if err := publish(ctx, device, g.topics[device], payload); err != nil {
			return k, err
		}
	}
	return p.Messages, nil
}
