package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
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

// adopt keeps a configuration under its hash, so that records may name it, and
// notes since when it is in force.
func (c *catalogue) adopt(ctx context.Context, b *configs.Bundle, w *journal.Writer) error {
	epoch := w.Epoch()
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
	if err := noteVersion(ctx, bucket, b.Hash, w); err != nil {
		return fmt.Errorf("note configuration %.12s: %w", b.Hash, err)
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

// A version says from when on a configuration was in force. The records say it
// too, but the one that is wanted may be older than what the journal keeps.
type version struct {
	Hash  string    `json:"hash"`
	Since time.Time `json:"since"` // journal time
}

const (
	versionsKey = "config-versions"
	// maxVersions bounds them: ten reloads a day for a hundred days.
	maxVersions = 1000
)

func versions(ctx context.Context, bucket *journal.Bucket) (list []version, err error) {
	data, err := bucket.Get(ctx, versionsKey)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	return list, err
}

func noteVersion(ctx context.Context, bucket *journal.Bucket, hash string, w *journal.Writer) error {
	list, err := versions(ctx, bucket)
	if err != nil {
		return err
	}
	if n := len(list); n > 0 && list[n-1].Hash == hash {
		return nil
	}
	list = append(list, version{hash, w.Now().UTC()})
	data, err := json.Marshal(list[max(0, len(list)-maxVersions):])
	if err != nil {
		return err
	}
	return bucket.Put(ctx, versionsKey, data, w.Epoch())
}

// inForce is the configuration that was in force when the oldest record that the
// journal keeps was written.
func (c *catalogue) inForce(ctx context.Context, site string, e Extent) (string, error) {
	bucket, err := c.journal.Bucket(ctx, site)
	if err != nil {
		return "", err
	}
	list, err := versions(ctx, bucket)
	if err != nil {
		return "", fmt.Errorf("read which configurations were in force: %w", err)
	}
	if len(list) == 0 {
		return c.firstNamed(ctx, site, e)
	}
	hash := list[0].Hash // the first start wrote its record before its configuration was noted
	for _, v := range list {
		if !v.Since.After(e.From) {
			hash = v.Hash
		}
	}
	return hash, nil
}

// firstNamed is the configuration that the records name first, for a journal that
// was begun before versions were noted.
func (c *catalogue) firstNamed(ctx context.Context, site string, e Extent) (string, error) {
	reader, err := c.journal.Read(ctx, site, e.First)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	for {
		rec, err := reader.Next(ctx)
		if err != nil {
			return "", err
		}
		if rec.Kind == devices.ConfigVersion {
			return rec.Config, nil
		}
		if rec.Seq >= e.Last {
			return "", fmt.Errorf("no record of %s names a configuration", site)
		}
		reader.Reuse(rec)
	}
}

func configKey(hash string) string { return "config." + hash }
