package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/store"
)

// A Receiver is a webhook that is in a bad way: of the requests that come it
// answers some with 500 or 429, and of some it does what is asked and then does
// not answer in time.
type Receiver struct {
	*httptest.Server
	mu     sync.Mutex
	random *rand.Rand
	faults int            // of a hundred requests
	asked  map[string]int // requests by key
	done   map[string]int // effects by key: one that is done again is not counted
	open   map[string]int // senders that have it in hand, by key
	twice  []string       // keys that two had in hand at once
	order  []string       // keys in the order in which they were done
	failed int
}

// NewReceiver starts a receiver with so many faults in a hundred requests.
func NewReceiver(t testing.TB, seed uint64, faults int) *Receiver {
	r := &Receiver{
		random: rand.New(rand.NewPCG(seed, 99)), faults: faults,
		asked: map[string]int{}, done: map[string]int{}, open: map[string]int{},
	}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP takes one effect.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	key := req.Header.Get("Idempotency-Key")
	if _, err := io.Copy(io.Discard, req.Body); err != nil { // or it would not be seen that the sender has gone
		return
	}
	r.mu.Lock()
	r.asked[key]++
	fault := -1
	if r.random.IntN(100) < r.faults {
		fault = r.random.IntN(3)
		r.failed++
	}
	if fault < 0 || fault == 2 {
		if r.done[key] == 0 {
			r.order = append(r.order, key)
		}
		r.done[key] = 1
	}
	r.mu.Unlock()
	switch fault {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 2: // done, and the answer does not come
		<-req.Context().Done()
	}
}

// ReceiverAt is a receiver in another process: effects can be sent to it.
func ReceiverAt(url string) *Receiver {
	r := &Receiver{Server: httptest.NewUnstartedServer(nil), open: map[string]int{}}
	r.URL = url
	return r
}

// patience is how long the sender of the tests waits for an answer.
const patience = 200 * time.Millisecond

// inHand notes who has an effect in hand until the function returned is called.
func (r *Receiver) inHand(key string) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key]++; r.open[key] > 1 {
		r.twice = append(r.twice, key)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.open[key]--
	}
}

// Send posts an effect to the receiver.
func (r *Receiver) Send(ctx context.Context, e *outbox.Effect) (outbox.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer r.inHand(e.Key)()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(string(e.Doc)))
	if err != nil {
		return outbox.Receipt{}, err
	}
	req.Header.Set("Idempotency-Key", e.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return outbox.Receipt{}, &outbox.Failure{Contacts: 1, Err: err}
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return outbox.Receipt{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return outbox.Receipt{}, &outbox.Failure{Contacts: 1, Err: errors.New(resp.Status)}
	}
	return outbox.Receipt{Channel: "webhook", Address: e.To, Ref: e.Key}, nil
}

// A hasty queue does not wait between attempts; how long to wait is decided in
// outbox.Judge, and shown there. Its leases are short, so that what a killed
// sender had in hand comes back while somebody looks.
type hasty struct{ *store.Store }

func (h hasty) TakeEffects(ctx context.Context, n int, urgent bool, now, _ time.Time) ([]outbox.Effect, error) {
	return h.Store.TakeEffects(ctx, n, urgent, now, now.Add(hastyLease))
}

// hastyLease is far longer than patience, so that two never have the same in hand
// on a machine with much to do.
const hastyLease = 3 * time.Second

func (h hasty) EffectFailed(ctx context.Context, e *outbox.Effect, v outbox.Verdict, reason string, now time.Time) error {
	v.Due, v.Unreached, v.Dead = now, false, false
	return h.Store.EffectFailed(ctx, e, v, reason, now)
}

// Outside is what happens outside while a store is at work: a desk that tells
// people, and deliverers that hand effects to a receiver.
type Outside struct {
	Receiver *Receiver
	store    *store.Store
	hush     func() // ends the desk
	stop     func() // ends all
}

// StartOutside lets people be told and effects be delivered by several
// deliverers at once, until Check.
func StartOutside(t testing.TB, s *store.Store, r *Receiver, desk *dispatch.Desk, deliverers int) *Outside {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range deliverers {
		d := &outbox.Deliverer{Queue: hasty{s}, Send: r.Send, Workers: 4, Urgent: 2, Log: slog.New(slog.DiscardHandler)}
		wg.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	began := time.Now()
	telling, hush := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() {
		for {
			// A second of the desk is an hour, so that silence and budgets come up.
			now := T0.Add(time.Hour + time.Since(began)*3600)
			if err := tellAll(telling, s, desk, now); err != nil && telling.Err() == nil {
				t.Errorf("tell: %v", err)
				return
			}
			select {
			case <-telling.Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	stop := sync.OnceFunc(func() { cancel(); hush(); told.Wait(); wg.Wait() })
	t.Cleanup(stop)
	return &Outside{r, s, func() { hush(); told.Wait() }, stop}
}

func tellAll(ctx context.Context, s *store.Store, desk *dispatch.Desk, now time.Time) error {
	if _, err := s.Dispatch(ctx, "demo", 1, now, desk, 100); err != nil {
		return err
	}
	_, err := s.Mail(ctx, now, desk, Words)
	return err
}

// Check waits until everything is delivered and then compares what the receiver
// has with what happened to the orders.
func (o *Outside) Check(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	o.hush() // or its clock, which runs fast, would always have something more to say
	deadline := time.Now().Add(time.Minute)
	for {
		next, err := o.store.NextEffect(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the outbox is not empty after a minute")
		}
		time.Sleep(20 * time.Millisecond)
	}
	o.stop()
	r := o.Receiver
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ord := range allOrders(t, o.store) {
		if key := fmt.Sprintf("cmms/%s/%d", ord.ID, ord.Version); r.done[key] != 1 {
			t.Errorf("the newest change of order %s did not arrive", ord.NumberText())
		}
	}
	known := 0
	f := outbox.Filter{Limit: 500}
	for {
		p, err := o.store.Effects(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Items {
			known++
			if e.State == outbox.Sent && (r.done[e.Key] != 1 || r.asked[e.Key] > e.Attempts) {
				t.Errorf("effect %s was taken %d times; the receiver was asked %d times and did it %d times", e.Key, e.Attempts, r.asked[e.Key], r.done[e.Key])
			}
			if e.State == outbox.Dead {
				t.Errorf("effect %s was given up: %s", e.Key, e.Error)
			}
		}
		if f.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	if len(r.twice) > 0 {
		t.Errorf("%d effects were in two hands at once, such as %s", len(r.twice), r.twice[0])
	}
	if r.faults > 0 && r.failed == 0 {
		t.Error("the receiver never failed")
	}
	turns := map[string]int64{}
	for _, key := range r.order {
		var version int64
		i := strings.LastIndexByte(key, '/')
		if n, err := fmt.Sscan(key[i+1:], &version); n != 1 || err != nil || !strings.HasPrefix(key, "cmms/") {
			continue // a message
		}
		if turns[key[:i]] > version {
			t.Errorf("%s arrived after version %d", key, turns[key[:i]])
		}
		turns[key[:i]] = version
	}
	t.Logf("%d effects, %d requests that failed", known, r.failed)
}
