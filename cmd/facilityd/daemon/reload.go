package daemon

import (
	"context"
	"fmt"
	"time"
)

// Reload reads site files, profiles, rules and the people file again. Everything is checked
// before anything is replaced: on an error the old configuration goes on, and
// the error is shown in the log, on the board and as a metric. Other settings
// take effect at the next start.
func (d *Daemon) Reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	err := d.reload(ctx)
	d.mu.Lock()
	d.lastReload, d.reloadAt = err, d.now()
	d.mu.Unlock()
	if err != nil {
		d.metrics.reloads.WithLabelValues("refused").Inc()
		d.metrics.reloadOK.Set(0)
		d.log.Error("reload refused; the configuration before goes on", "error", err)
		return err
	}
	d.metrics.reloads.WithLabelValues("taken").Inc()
	d.metrics.reloadOK.Set(1)
	return nil
}

func (d *Daemon) reload(ctx context.Context) error {
	settings := d.opts.Settings
	if d.opts.Read != nil {
		e, list := d.opts.Read()
		if err := list.Err(); err != nil {
			return err
		}
		settings = e
	}
	if d.opts.Content != nil {
		return nil
	}
	bundles, list := Check(&settings.Settings)
	if err := list.Err(); err != nil {
		return err
	}
	crew, list := OpenCrew(&settings.Settings, bundles, d.now())
	if err := list.Err(); err != nil {
		return err
	}
	for _, b := range bundles {
		if d.chains[b.Site.ID] == nil {
			return fmt.Errorf("site %s is new: start facilityd again to take it in", b.Site.ID)
		}
	}
	changed := 0
	for _, b := range bundles {
		w := d.writers[b.Site.ID]
		if d.configs.current(b.Site.ID).Hash == b.Hash {
			continue
		}
		if err := d.configs.adopt(ctx, b, w); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := w.Config(ctx, b.Hash)
		cancel()
		if err != nil {
			return fmt.Errorf("site %s: the new configuration cannot be journaled: %w", b.Site.ID, err)
		}
		d.configs.enforce(b)
		changed++
	}
	d.takeCrew(crew)
	d.log.Info("configuration reloaded", "sites_changed", changed)
	return d.inbound.refilter(d)
}
