package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/mqtt"
	"github.com/facilityd/facilityd/devices/mqtt/broker"
	"github.com/facilityd/facilityd/devices/profile"
)

// inbound is everything that brings messages: the embedded broker, when no other
// is named, and a connection per broker.
type inbound struct {
	embedded    *broker.Broker
	connections []connection
	metrics     *mqtt.Metrics
	publishers  map[string]chan profile.Action // by site
}

// connection is one broker connection and the site it feeds.
type connection struct {
	*mqtt.Connection
	site   string
	broker mqtt.Broker
	fixed  bool // profiles do not change what is subscribed
}

// open starts the embedded broker and prepares the connections.
func (in *inbound) open(d *Daemon, opened *closers) error {
	s := &d.opts.Settings
	in.metrics = mqtt.NewMetrics(d.registry)
	for i := range d.brokers {
		b := &d.brokers[i]
		at := brokerAt(b)
		if b.URL == "" {
			var err error
			in.embedded, err = broker.Start(broker.Config{
				Dir: filepath.Join(s.Data, "broker"), Listen: s.Embedded.Listen, Username: s.Embedded.User,
				Password: string(s.Embedded.Password), Log: d.log.With("room", "broker"),
			})
			if err != nil {
				return err
			}
			opened.add("embedded broker", func() error { in.embedded.Close(); return nil })
			at.URL, at.Username, at.Password = in.embedded.URL(), s.Embedded.User, string(s.Embedded.Password)
		}
		c, err := in.connect(d, b, at)
		if err != nil {
			return err
		}
		in.connections = append(in.connections, c)
	}
	return nil
}

func brokerAt(b *configs.Broker) mqtt.Broker {
	return mqtt.Broker{
		URL: b.URL, ClientID: b.ClientID, Username: b.User, Password: string(b.Password), PasswordFile: b.PasswordFile,
		CAFile: b.CA, CertFile: b.Cert, KeyFile: b.Key,
	}
}

// probeMessages is a little more than Mosquitto keeps by default.
const probeMessages = 1100

// ProbeBrokers connects to the brokers of the settings and warns where one would
// lose messages while facilityd is away.
func ProbeBrokers(ctx context.Context, s *configs.Settings, sites []string) diag.List {
	brokers, list := s.BrokersOf(sites)
	for i := range brokers {
		b := &brokers[i]
		if b.URL == "" {
			continue
		}
		kept, err := mqtt.KeepsQueued(ctx, brokerAt(b), probeMessages)
		switch {
		case err != nil:
			list.Add(diag.Diagnostic{Message: fmt.Sprintf("broker %s: %v", b.Name, err)})
		case kept < probeMessages:
			list.Add(diag.Diagnostic{
				Level:   diag.Warning,
				Message: fmt.Sprintf("broker %s keeps %d messages for a client that is away and drops the rest", b.Name, kept),
				Hint:    "in mosquitto.conf: max_queued_messages 0, persistence true, max_inflight_messages 1000",
			})
		}
	}
	return list
}

func (in *inbound) connect(d *Daemon, b *configs.Broker, at mqtt.Broker) (connection, error) {
	w := d.writers[b.Site]
	filters := b.Topics
	switch {
	case len(filters) > 0:
	case b.URL == "":
		// Everything on our own broker is for us, and it keeps a stream position
		// for each filter.
		filters = []string{"#"}
	default:
		filters = d.filters(b.Site)
	}
	c, err := mqtt.New(mqtt.Config{
		Name: b.Name, Broker: at, Filters: filters, QoS: 1,
		Open: func(committed func(int)) func(*devices.Message) bool {
			return w.Source(b.Name, committed).Offer
		},
		Link:  func(up bool, reason string) { w.Link(b.Name, up, reason) },
		Ready: w.Ready, MaxMessage: int(b.MaxMessage), KeepAlive: time.Duration(b.KeepAlive),
		Log: d.log.With("room", "mqtt"), Metrics: in.metrics,
	})
	if err != nil {
		return connection{}, fmt.Errorf("broker %s: %w", b.Name, err)
	}
	return connection{Connection: c, site: b.Site, broker: at, fixed: len(b.Topics) > 0 || b.URL == ""}, nil
}

// run receives on one connection. The configuration's version is the first
// thing in the journal, so that every message has one.
func (in *inbound) run(ctx context.Context, d *Daemon, c connection) {
	for {
		_, err := d.writers[c.site].Config(ctx, d.configs.current(c.site).Hash)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		d.log.Error("the journal cannot be written; nothing is received", "site", c.site, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
	c.Run(ctx)
}

// filters are what the profiles of a site need of a broker. A profile whose
// topics begin with a wildcard would read a whole shared broker, so its topics
// have to be named in the settings.
func (d *Daemon) filters(site string) []string {
	var out, wide []string
	for _, f := range d.configs.current(site).Profiles.Filters() {
		if strings.HasPrefix(f, "+") || strings.HasPrefix(f, "#") {
			wide = append(wide, f)
		} else {
			out = append(out, f)
		}
	}
	if len(wide) > 0 {
		d.log.Info("not subscribed, because they begin with a wildcard; name them in broker.topics where devices use them", "site", site, "filters", wide)
	}
	return mqtt.Disjoint(out)
}

// refilter subscribes to what the configuration in force needs.
func (in *inbound) refilter(d *Daemon) error {
	for _, c := range in.connections {
		if c.fixed {
			continue
		}
		if err := c.SetFilters(d.filters(c.site)); err != nil {
			return err
		}
	}
	return nil
}

// publisher returns where a site's profiles hand what they want published.
// A full queue drops: what is asked for is asked for again.
func (in *inbound) publisher(site string) func(profile.Action) {
	queue := make(chan profile.Action, 100)
	if in.publishers == nil {
		in.publishers = make(map[string]chan profile.Action)
	}
	in.publishers[site] = queue
	return func(a profile.Action) {
		select {
		case queue <- a:
		default:
		}
	}
}

// publish sends what profiles of a site ask for to the site's brokers.
func (in *inbound) publish(ctx context.Context, d *Daemon, c connection) error {
	queue := in.publishers[c.site]
	if queue == nil {
		return nil
	}
	var p *mqtt.Publisher
	send := func(a profile.Action) {
		if p == nil {
			at := c.broker
			at.ClientID += "-publisher"
			var err error
			if p, err = mqtt.NewPublisher(ctx, mqtt.PublisherConfig{Broker: at, Metrics: in.metrics}); err != nil {
				d.log.Warn("cannot publish for a profile", "profile", a.Profile, "topic", a.Topic, "error", err)
				return
			}
		}
		if err := p.Publish(ctx, a.Topic, a.Payload, false); err != nil {
			d.log.Warn("cannot publish for a profile", "profile", a.Profile, "topic", a.Topic, "error", err)
		}
	}
	repeated := make(map[string]repeat) // by topic: what keeps a device publishing
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if p != nil {
				return p.Close(context.WithoutCancel(ctx))
			}
			return nil
		case a := <-queue:
			send(a)
			if a.Every > 0 && len(repeated) < maxRepeated {
				repeated[a.Topic] = repeat{a, time.Now().Add(a.Every)}
			}
		case now := <-ticker.C:
			for topic, r := range repeated {
				if now.After(r.due) {
					send(r.action)
					repeated[topic] = repeat{r.action, now.Add(r.action.Every)}
				}
			}
		}
	}
}

// repeat is an action that is published again and again.
type repeat struct {
	action profile.Action
	due    time.Time
}

// maxRepeated bounds them: one per gateway, of which a broker has few.
const maxRepeated = 1000

// lines say how devices reach the broker and what is read.
func (in *inbound) lines() []string {
	var out []string
	if in.embedded != nil {
		out = append(out, "mqtt   "+in.embedded.URL()+"  (this daemon's own broker: let devices publish here)")
	}
	for _, c := range in.connections {
		if in.embedded == nil || c.broker.URL != in.embedded.URL() {
			out = append(out, "broker "+c.Status().URL)
		}
	}
	return out
}

// notConnected says which broker is not being read, and why.
func (in *inbound) notConnected() error {
	for _, c := range in.connections {
		if st := c.Status(); st.State != mqtt.Connected {
			return fmt.Errorf("broker %s at %s is %s: %s", st.Name, st.URL, st.State, st.Reason)
		}
	}
	return nil
}
