package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/rules"
)

// A manifest names the parts of one checkpoint. It is written last, so that a
// checkpoint is either whole or not there; parts that did not change since an
// earlier one are named again, not written again.
type manifest struct {
	Seq     uint64         `json:"seq"`    // of the last record that is in it
	Config  string         `json:"config"` // hash of the configuration in force
	Decoder string         `json:"decoder"`
	Chunks  map[int]string `json:"chunks"` // keys of the engine's chunks
}

const manifestKey = "checkpoint"

// checkpoint is what the judge stage hands over to be written: the dirty chunks
// of the engine and the decoder's state, both after record Seq.
type checkpoint struct {
	seq     uint64
	config  string
	decoder []byte
	chunks  map[int][]byte
}

// A keeper reads and writes the checkpoints of one site.
type keeper struct {
	bucket *journal.Bucket
	epoch  uint32
	last   manifest
	stale  []string // parts that the next checkpoint replaces, whatever is in it
}

// forget makes the next checkpoint a whole one: of the last nothing can be used.
func (k *keeper) forget() {
	k.stale = slices.Sorted(maps.Values(k.last.Chunks))
	k.last.Chunks = nil
}

// load reads the newest checkpoint; ok is false when there is none.
func (k *keeper) load(ctx context.Context) (decoder []byte, chunks [][]byte, ok bool, err error) {
	data, err := k.bucket.Get(ctx, manifestKey)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("read checkpoint: %w", err)
	}
	if err := json.Unmarshal(data, &k.last); err != nil {
		return nil, nil, false, fmt.Errorf("read checkpoint: %w", err)
	}
	if decoder, err = k.bucket.Get(ctx, k.last.Decoder); err != nil {
		return nil, nil, false, fmt.Errorf("read checkpoint of decoder: %w", err)
	}
	chunks = make([][]byte, rules.Chunks)
	for n, key := range k.last.Chunks {
		if n < 0 || n >= len(chunks) {
			return nil, nil, false, fmt.Errorf("read checkpoint: there is no chunk %d", n)
		}
		if chunks[n], err = k.bucket.Get(ctx, key); err != nil {
			return nil, nil, false, fmt.Errorf("read checkpoint chunk %d: %w", n, err)
		}
	}
	return decoder, chunks, true, nil
}

// save writes a checkpoint whose SQL is committed, then drops what it replaced.
func (k *keeper) save(ctx context.Context, c *checkpoint) error {
	next := manifest{Seq: c.seq, Config: c.config, Decoder: fmt.Sprintf("decoder.%d", c.seq), Chunks: maps.Clone(k.last.Chunks)}
	if next.Chunks == nil {
		next.Chunks = make(map[int]string)
	}
	if err := k.bucket.Put(ctx, next.Decoder, c.decoder, k.epoch); err != nil {
		return fmt.Errorf("write checkpoint of decoder: %w", err)
	}
	replaced := slices.Clone(k.stale)
	for _, n := range slices.Sorted(maps.Keys(c.chunks)) {
		if old := next.Chunks[n]; old != "" {
			replaced = append(replaced, old)
		}
		next.Chunks[n] = fmt.Sprintf("chunk.%d.%d", n, c.seq)
		if err := k.bucket.Put(ctx, next.Chunks[n], c.chunks[n], k.epoch); err != nil {
			return fmt.Errorf("write checkpoint chunk %d: %w", n, err)
		}
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := k.bucket.Put(ctx, manifestKey, data, k.epoch); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if k.last.Decoder != "" && k.last.Decoder != next.Decoder {
		replaced = append(replaced, k.last.Decoder)
	}
	k.last, k.stale = next, nil
	for _, key := range replaced {
		if err := k.bucket.Delete(ctx, key, k.epoch); err != nil && !errors.Is(err, journal.ErrNotFound) {
			return fmt.Errorf("drop old checkpoint part: %w", err)
		}
	}
	return nil
}
