package daemon

import (
	"context"
	"fmt"
	"sync"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices/journal"
)

// A catalogue knows the configurations of every site: the one in force, and by
// hash every one that a journal record may name.
type catalogue struct {
	journal *journal.Journal

	mu    sync.Mutex
	now   map[string]*configs.Bundle
	known map[string]*configs.Bundle // by site and hash; a handful per process
}

func newCatalogue(j *journal.Journal) *catalogue {
	return &catalogue{journal: j, now: make(map[string]*configs.Bundle), known: make(map[string]*configs.Bundle)}
}

// current is the configuration that was checked last and is now in force.
func (c *catalogue) current(site string) *configs.Bundle {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now[site]
}

// adopt keeps a configuration under its hash, so that records may name it.
func (c *catalogue) adopt(ctx context.Context, b *configs.Bundle, epoch uint32) error {
	bucket, err := c.journal.Bucket(ctx, b.Site.ID)
	if err != nil {
		return err
	}
	data, err := b.Content.Marshal()
	if err != nil {
		return fmt.Errorf("keep configuration %.12s: %w", b.Hash, err)
	}
	if _, err := bucket.Get(ctx, configKey(b.Hash)); err != nil {
		if err := bucket.Put(ctx, configKey(b.Hash), data, epoch); err != nil {
			return fmt.Errorf("keep configuration %.12s: %w", b.Hash, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[b.Site.ID+"/"+b.Hash] = b
	return nil
}

// enforce makes an adopted configuration the current one.
func (c *catalogue) enforce(b *configs.Bundle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[b.Site.ID] = b
}

// byHash returns a configuration that a record or a checkpoint names.
func (c *catalogue) byHash(ctx context.Context, site, hash string) (*configs.Bundle, error) {
	c.mu.Lock()
	b := c.known[site+"/"+hash]
	c.mu.Unlock()
	if b != nil {
		return b, nil
	}
	bucket, err := c.journal.Bucket(ctx, site)
	if err != nil {
		return nil, err
	}
	data, err := bucket.Get(ctx, configKey(hash))
	if err != nil {
		return nil, fmt.Errorf("read configuration %.12s that the journal names: %w", hash, err)
	}
	content, err := configs.UnmarshalContent(data)
	if err != nil {
		return nil, err
	}
	b, list := configs.Compile(content)
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("configuration %.12s of an earlier version does not load in this one: %w", hash, err)
	}
	c.mu.Lock()
	c.known[site+"/"+hash] = b
	c.mu.Unlock()
	return b, nil
}

func configKey(hash string) string { return "config." + hash }
