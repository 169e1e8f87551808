package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Bucket keeps small and large values beside the journal of a site, for
// checkpoints. Every write carries the epoch of the worker that writes, and the
// engine refuses it in the same step when a newer worker has taken over. Its
// methods may be called from several goroutines; two writes of one key may not
// overlap.
type Bucket struct {
	j    *Journal
	site string

	mu    sync.Mutex
	fence uint64 // position of the fence that belongs to epoch
	epoch uint32
}

// Subjects of a bucket, below the site's prefix:
//
//	fence                the epoch of the newest worker
//	key.<key>            a value, or the list of its parts
//	part.<key>.<0|1>.<n> a part of a large value; the two generations take turns
const (
	fenceSubject = ".fence"
	keySubject   = ".key."
	partSubject  = ".part."
)

// chunk is the largest part of a value: below the payload limit of a NATS server
// with its default settings.
const chunk = 768 << 10

// Head of a stored value: format version, generation, number of parts (0: the
// value follows here), length, CRC-32C of the value.
const headSize = 1 + 1 + 4 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bucket returns the bucket of the site.
func (j *Journal) Bucket(ctx context.Context, site string) (*Bucket, error) {
	if _, err := j.partition(ctx, site); err != nil {
		return nil, err
	}
	return &Bucket{j: j, site: site}, nil
}

// fenceEpoch returns the epoch of the newest worker, 0 when there was none.
func (j *Journal) fenceEpoch(ctx context.Context, site string) (uint32, error) {
	epoch, _, err := j.readFence(ctx, site)
	return epoch, err
}

func (j *Journal) readFence(ctx context.Context, site string) (epoch uint32, seq uint64, err error) {
	p, err := j.partition(ctx, site)
	if err != nil {
		return 0, 0, err
	}
	msg, err := p.bucket.GetLastMsgForSubject(ctx, p.keys+fenceSubject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read fence of %s: %w", site, err)
	}
	n, err := strconv.ParseUint(string(msg.Data), 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("read fence of %s: %w", site, err)
	}
	return uint32(n), msg.Sequence, nil
}

// fence makes epoch the only one that may write to the site's bucket.
func (j *Journal) fence(ctx context.Context, site string, epoch uint32) error {
	p, err := j.partition(ctx, site)
	if err != nil {
		return err
	}
	have, seq, err := j.readFence(ctx, site)
	if err != nil {
		return err
	}
	if have == epoch {
		return nil
	}
	if have > epoch {
		return fmt.Errorf("take over %s with epoch %d, %d is there: %w", site, epoch, have, ErrFenced)
	}
	_, err = p.engine.js.Publish(ctx, p.keys+fenceSubject, strconv.AppendUint(nil, uint64(epoch), 10),
		jetstream.WithExpectLastSequencePerSubject(seq))
	if isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence) {
		return fmt.Errorf("take over %s with epoch %d: %w", site, epoch, ErrFenced)
	}
	if err != nil {
		return fmt.Errorf("write fence of %s: %w", site, err)
	}
	return nil
}

// fenceOf returns the position of the epoch's fence, or ErrFenced when a newer
// epoch has taken over.
func (b *Bucket) fenceOf(ctx context.Context, epoch uint32) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.epoch == epoch && b.fence != 0 {
		return b.fence, nil
	}
	have, seq, err := b.j.readFence(ctx, b.site)
	if err != nil {
		return 0, err
	}
	if have != epoch {
		return 0, fmt.Errorf("write checkpoint of %s with epoch %d, the newest is %d: %w", b.site, epoch, have, ErrFenced)
	}
	b.epoch, b.fence = epoch, seq
	return seq, nil
}

// put publishes one message of the bucket behind the fence.
func (b *Bucket) put(ctx context.Context, p *partition, fence uint64, subject string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, b.j.cfg.RequestTimeout)
	defer cancel()
	_, err := p.engine.js.PublishMsg(ctx, &nats.Msg{Subject: p.keys + subject, Data: data, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader:     {strconv.FormatUint(fence, 10)},
		jetstream.ExpectedLastSubjSeqSubjHeader: {p.keys + fenceSubject},
	}})
	if isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence) {
		return ErrFenced
	}
	return err
}

// Put stores a value of any size under the key. It is there as a whole, or not at
// all; a writer whose epoch is not the newest gets ErrFenced.
func (b *Bucket) Put(ctx context.Context, key string, value []byte, epoch uint32) error {
	p, fence, err := b.prepare(ctx, key, epoch)
	if err != nil {
		return err
	}
	head := make([]byte, headSize, headSize+min(len(value), chunk))
	head[0] = formatVersion
	binary.BigEndian.PutUint32(head[6:], uint32(len(value)))
	binary.BigEndian.PutUint32(head[10:], crc32.Checksum(value, castagnoli))
	before, err := b.head(ctx, p, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if len(value) <= chunk {
		head = append(head, value...)
	} else {
		generation := byte(0)
		if len(before) >= headSize {
			generation = before[1] ^ 1
		}
		head[1] = generation
		parts := 0
		for rest := value; len(rest) > 0; parts++ {
			n := min(len(rest), chunk)
			if err := b.put(ctx, p, fence, partName(key, generation, parts), rest[:n]); err != nil {
				return fmt.Errorf("write part %d of checkpoint %s: %w", parts, key, err)
			}
			rest = rest[n:]
		}
		binary.BigEndian.PutUint32(head[2:], uint32(parts))
	}
	if err := b.put(ctx, p, fence, keySubject+token(key), head); err != nil {
		return fmt.Errorf("write checkpoint %s: %w", key, err)
	}
	return b.dropParts(ctx, p, key, before)
}

func partName(key string, generation byte, n int) string {
	return partSubject + token(key) + "." + strconv.Itoa(int(generation)) + "." + strconv.Itoa(n)
}

// dropParts removes the parts of the value that was replaced. Only the fenced
// writer comes here, after its write succeeded.
func (b *Bucket) dropParts(ctx context.Context, p *partition, key string, before []byte) error {
	if len(before) < headSize || binary.BigEndian.Uint32(before[2:]) == 0 {
		return nil
	}
	subject := p.keys + partSubject + token(key) + "." + strconv.Itoa(int(before[1])) + ".*"
	if err := p.bucket.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
		return fmt.Errorf("remove the old parts of checkpoint %s: %w", key, err)
	}
	return nil
}

func (b *Bucket) prepare(ctx context.Context, key string, epoch uint32) (*partition, uint64, error) {
	if key == "" {
		return nil, 0, errors.New("checkpoint without a key")
	}
	p, err := b.j.partition(ctx, b.site)
	if err != nil {
		return nil, 0, err
	}
	fence, err := b.fenceOf(ctx, epoch)
	return p, fence, err
}

// head returns the stored message of a key.
func (b *Bucket) head(ctx context.Context, p *partition, key string) ([]byte, error) {
	msg, err := p.bucket.GetLastMsgForSubject(ctx, p.keys+keySubject+token(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && len(msg.Data) == 0 {
		return nil, fmt.Errorf("checkpoint %s of %s: %w", key, b.site, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s of %s: %w", key, b.site, err)
	}
	return msg.Data, nil
}

// Get returns the newest value of the key, or ErrNotFound. The caller owns it.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	p, err := b.j.partition(ctx, b.site)
	if err != nil {
		return nil, err
	}
	head, err := b.head(ctx, p, key)
	if err != nil {
		return nil, err
	}
	if len(head) < headSize || head[0] != formatVersion {
		return nil, fmt.Errorf("read checkpoint %s of %s: %w", key, b.site, ErrFormat)
	}
	generation, parts := head[1], int(binary.BigEndian.Uint32(head[2:]))
	size, sum := int(binary.BigEndian.Uint32(head[6:])), binary.BigEndian.Uint32(head[10:])
	value := head[headSize:]
	if parts > 0 {
		value = make([]byte, 0, size)
		for n := range parts {
			msg, err := p.bucket.GetLastMsgForSubject(ctx, p.keys+partName(key, generation, n))
			if err != nil {
				return nil, fmt.Errorf("read part %d of checkpoint %s of %s: %w", n, key, b.site, err)
			}
			value = append(value, msg.Data...)
		}
	}
	if len(value) != size || crc32.Checksum(value, castagnoli) != sum {
		return nil, fmt.Errorf("read checkpoint %s of %s: %w: its checksum is wrong", key, b.site, ErrFormat)
	}
	return value, nil
}

// Delete removes the key; a key that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string, epoch uint32) error {
	p, fence, err := b.prepare(ctx, key, epoch)
	if err != nil {
		return err
	}
	before, err := b.head(ctx, p, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// An empty message first: that write is fenced, the purge behind it is not.
	if err := b.put(ctx, p, fence, keySubject+token(key), nil); err != nil {
		return fmt.Errorf("delete checkpoint %s: %w", key, err)
	}
	if err := b.dropParts(ctx, p, key, before); err != nil {
		return err
	}
	if err := p.bucket.Purge(ctx, jetstream.WithPurgeSubject(p.keys+keySubject+token(key))); err != nil {
		return fmt.Errorf("delete checkpoint %s: %w", key, err)
	}
	return nil
}

// Keys lists the keys in their order.
func (b *Bucket) Keys(ctx context.Context) ([]string, error) {
	p, err := b.j.partition(ctx, b.site)
	if err != nil {
		return nil, err
	}
	prefix := p.keys + keySubject
	info, err := p.bucket.Info(ctx, jetstream.WithSubjectFilter(prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("list checkpoints of %s: %w", b.site, err)
	}
	var keys []string
	for subject := range info.State.Subjects {
		key, err := untoken(strings.TrimPrefix(subject, prefix))
		if err != nil {
			continue
		}
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys, nil
}
