package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// State says how a connection is.
type State string

// The states of a connection.
const (
	Idle       State = "idle"       // Run has not begun, or has ended
	Connecting State = "connecting" // trying
	Connected  State = "connected"  // up and subscribed
	Waiting    State = "waiting"    // between two attempts, or not Ready
)

// Status is what the board and the health check show of a connection.
type Status struct {
	Name   string
	URL    string // without password
	State  State
	Since  time.Time
	Reason string // why it is not connected
}

// A Connection keeps one persistent session with one broker.
type Connection struct {
	cfg Config

	mu      sync.Mutex
	status  Status
	filters []string
	session *session // the one that is up

	oversize oversizeLog
}

// New checks the settings and returns a connection that does nothing until Run.
func New(cfg Config) (*Connection, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	u, _ := cfg.Broker.endpoint()
	return &Connection{
		cfg: cfg, filters: Disjoint(cfg.Filters),
		status: Status{Name: cfg.Name, URL: u.Redacted(), State: Idle, Since: time.Now()},
	}, nil
}

// Status returns how the connection is.
func (c *Connection) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *Connection) setStatus(s State, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.State != s {
		c.status.Since = time.Now()
	}
	c.status.State, c.status.Reason = s, reason
	up := 0.0
	if s == Connected {
		up = 1
	}
	c.cfg.Metrics.Up.WithLabelValues(c.cfg.Name).Set(up)
}

// longLived is how long a connection must have lasted for the next failure to
// count as a new one.
const longLived = 10 * time.Second

// Run connects, receives, and connects again after a pause that grows, until the
// context ends. What waits for its acknowledgement then gets a second to get it.
func (c *Connection) Run(ctx context.Context) {
	defer c.setStatus(Idle, "")
	failures, kicked, told := 0, 0, ""
	for ctx.Err() == nil {
		lasted, err := c.connectOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if lasted >= longLived {
			failures, told = 0, ""
		}
		failures++
		if lasted > 0 && lasted < longLived && closedByBroker(err) {
			kicked++
		} else {
			kicked = 0
		}
		if kicked >= 3 {
			err = fmt.Errorf("%w; it did so %d times right after it had accepted it: is another client using the client id %q?",
				err, kicked, c.cfg.Broker.ClientID)
		}
		pause := backoff(failures, c.cfg.MinBackoff, c.cfg.MaxBackoff)
		if reason := err.Error(); reason != told {
			told = reason
			c.cfg.Log.Warn("broker connection", "connection", c.cfg.Name, "error", err, "next_attempt_in", pause.Round(time.Millisecond))
		}
		c.setStatus(Waiting, err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// backoff returns the pause after the n-th failure in a row: it doubles, and
// its second half is random, so that many daemons do not come back at once.
func backoff(n int, least, most time.Duration) time.Duration {
	d := min(least<<min(n-1, 20), most)
	return d/2 + rand.N(d/2+1)
}

// connectOnce opens one network connection and returns when it is lost: how
// long it lasted (0 when it never was up) and why it ended.
func (c *Connection) connectOnce(ctx context.Context) (lasted time.Duration, err error) {
	if err := c.cfg.Ready(); err != nil {
		return 0, fmt.Errorf("not connecting: %w", err)
	}
	c.setStatus(Connecting, "")
	s := newSession(c)
	client, err := s.connect(ctx)
	if err != nil {
		c.cfg.Metrics.Connects.WithLabelValues(c.cfg.Name, "failed").Inc()
		return 0, err
	}
	begin := time.Now()
	defer func() { lasted = max(time.Since(begin), 1) }()
	done := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { s.acks.run(done, s.wire.Load().Write) })
	beside.Go(func() { s.watch(done) })
	defer beside.Wait()
	defer close(done)

	s.up()
	c.mu.Lock()
	filters := slices.Clone(c.filters)
	c.session = s
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.session = nil
		c.mu.Unlock()
	}()
	if err := subscribe(client, filters, c.cfg.QoS, c.cfg.ConnectTimeout); err != nil {
		s.wire.Load().closeBecause(err.Error())
		err = errors.New(*s.wire.Load().reason.Load()) // ours, unless there was one before
		client.Disconnect(0)
		<-s.ended(client)
		s.down(err.Error())
		c.cfg.Metrics.Connects.WithLabelValues(c.cfg.Name, "failed").Inc()
		return 0, err
	}
	c.cfg.Metrics.Connects.WithLabelValues(c.cfg.Name, "ok").Inc()
	c.setStatus(Connected, "")
	c.cfg.Log.Info("connected to broker", "connection", c.cfg.Name, "url", c.status.URL, "filters", len(filters))

	select {
	case err := <-s.lost:
		if reason := s.wire.Load().reason.Load(); reason != nil {
			err = errors.New(*reason)
		} else {
			err = explainLoss(err)
		}
		s.down(err.Error())
		c.cfg.Metrics.Lost.WithLabelValues(c.cfg.Name).Inc()
		return 0, err
	case <-ctx.Done():
		s.drain(client)
		s.down("facilityd stops")
		return 0, ctx.Err()
	}
}

// SetFilters changes what is subscribed, at once when the connection is up. Only
// the difference is sent to the broker. Filters that overlap are replaced by one
// that covers them: see Disjoint.
func (c *Connection) SetFilters(filters []string) error {
	for _, f := range filters {
		if err := checkFilter(f); err != nil {
			return err
		}
	}
	filters = Disjoint(filters)
	c.mu.Lock()
	old, s := c.filters, c.session
	c.filters = filters
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	var added, removed []string
	for _, f := range filters {
		if !slices.Contains(old, f) {
			added = append(added, f)
		}
	}
	for _, f := range old {
		if !slices.Contains(filters, f) {
			removed = append(removed, f)
		}
	}
	if len(added) > 0 {
		if err := subscribe(s.client, added, c.cfg.QoS, c.cfg.ConnectTimeout); err != nil {
			return err
		}
	}
	if len(removed) > 0 {
		if t := s.client.Unsubscribe(removed...); t.WaitTimeout(c.cfg.ConnectTimeout) && t.Error() != nil {
			return fmt.Errorf("unsubscribe: %w", t.Error())
		}
	}
	return nil
}

// filtersPerPacket bounds a SUBSCRIBE packet: brokers limit its size.
const filtersPerPacket = 100

func subscribe(client paho.Client, filters []string, qos byte, timeout time.Duration) error {
	for part := range slices.Chunk(filters, filtersPerPacket) {
		want := make(map[string]byte, len(part))
		for _, f := range part {
			want[f] = qos
		}
		t := client.SubscribeMultiple(want, nil)
		if !t.WaitTimeout(timeout) {
			return fmt.Errorf("subscribe: the broker did not answer within %s", timeout)
		}
		if err := t.Error(); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		for f, granted := range t.(*paho.SubscribeToken).Result() {
			if granted > 2 {
				return fmt.Errorf("broker refused the subscription to %q: check its access list", f)
			}
		}
	}
	return nil
}
