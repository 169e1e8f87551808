package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/ticketing/board"
)

// listener serves board, API, health and metrics.
type listener struct {
	net.Listener
	server *http.Server
}

func (l *listener) open(d *Daemon, opened *closers) error {
	s := &d.opts.Settings
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s for board and API: %w; choose another address with --listen", s.Listen, err)
	}
	opened.add("listener", func() error {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	catalogue, err := messages.Load()
	if err != nil {
		return err
	}
	cfg := board.Config{
		Orders: d.orders, Outbox: d.orders, Live: d, Messages: catalogue, Templates: d.templates, Now: d.Now, Loopback: configs.Loopback(s.Listen),
		Policy: d.policy, Calendar: d.calendar, LocalPerson: d.opts.LocalPerson,
		Metrics: promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{}), Ready: d.notReady, OnCall: d.onCall,
		Estate: s.Clock.Factor, Logger: d.log.With("room", "board"), Version: d.opts.Version,
	}
	b, err := board.New(cfg)
	if err != nil {
		return err
	}
	l.Listener = ln
	l.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	l.server.RegisterOnShutdown(b.Stop)
	return nil
}

// serve answers until the context ends.
func (l *listener) serve(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- l.server.Serve(l.Listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve board and API: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.server.Shutdown(grace); err != nil {
		return l.server.Close()
	}
	return nil
}

func (l *listener) url() string { return "http://" + l.Addr().String() }
