package journal

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sort"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A backup is a sequence of frames: kind(1) length(uvarint) body. Records and
// bucket are written out and not the engine's files: the copy is the same for the
// embedded engine and a cluster, can be restored by a later version of either,
// and is checked record by record while it is made.
const (
	backupMagic   = "facilityd journal backup 1\n"
	frameSite     = 'S' // JSON siteFrame: what follows is of this site
	frameKey      = 'K' // subject(string) and bytes of a message of the bucket
	frameRecord   = 'R' // position(8) subject(string) and bytes of a record
	frameEnd      = 'E' // JSON endFrame, then the CRC-32C(4) of everything before it
	maxFrame      = 64 << 20
	bucketRetries = 100
)

type siteFrame struct {
	Site      string            `json:"site"`
	First     uint64            `json:"first"`
	Last      uint64            `json:"last"`
	Positions map[string]uint64 `json:"positions"` // of consumers: newest acknowledged
}

type endFrame struct {
	Last map[string]uint64 `json:"last"` // position of the newest record, by site
}

// Backup writes one consistent copy of all sites while they are written, and
// returns the position of the newest record of each site in it.
//
// The order makes it consistent: first the buckets, each as it was at one
// moment, then between (for what lies in other stores and is ahead of the
// checkpoints; may be nil), then the records. So the records reach at least as
// far as any checkpoint and any store that came before.
func (j *Journal) Backup(ctx context.Context, w io.Writer, between func(context.Context) error) (map[string]uint64, error) {
	sites, err := j.Sites(ctx)
	if err != nil {
		return nil, err
	}
	out := newFrameWriter(w)
	buckets := make(map[string][]jetstream.Msg)
	for _, site := range sites {
		if buckets[site], err = j.copyBucket(ctx, site); err != nil {
			return nil, fmt.Errorf("back up %s: %w", site, err)
		}
	}
	if between != nil {
		if err := between(ctx); err != nil {
			return nil, err
		}
	}
	end := endFrame{Last: make(map[string]uint64)}
	for _, site := range sites {
		if end.Last[site], err = j.backupSite(ctx, out, site, buckets[site]); err != nil {
			return nil, fmt.Errorf("back up %s: %w", site, err)
		}
	}
	return end.Last, out.end(end)
}

// copyBucket reads the bucket as it was at one moment: when something was
// written meanwhile it reads again.
func (j *Journal) copyBucket(ctx context.Context, site string) ([]jetstream.Msg, error) {
	p, err := j.partition(ctx, site)
	if err != nil {
		return nil, err
	}
	for range bucketRetries {
		before, err := p.bucket.Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask for the bucket's size: %w", err)
		}
		var out []jetstream.Msg
		err = each(ctx, p.bucket, p.keys+".>", 1, before.State.LastSeq, func(_ uint64, msg jetstream.Msg) error {
			out = append(out, msg)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read bucket: %w", err)
		}
		after, err := p.bucket.Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask for the bucket's size: %w", err)
		}
		if before.State.LastSeq == after.State.LastSeq && before.State.Msgs == after.State.Msgs {
			return out, nil
		}
	}
	return nil, errors.New("its checkpoints change faster than they can be read")
}

func (j *Journal) backupSite(ctx context.Context, out *frameWriter, site string, bucket []jetstream.Msg) (last uint64, err error) {
	p, err := j.partition(ctx, site)
	if err != nil {
		return 0, err
	}
	positions, err := p.positions(ctx)
	if err != nil {
		return 0, err
	}
	first, last, _, err := j.Bounds(ctx, site)
	if err != nil {
		return 0, err
	}
	out.json(frameSite, siteFrame{Site: site, First: first, Last: last, Positions: positions})
	for _, msg := range bucket {
		out.frame(frameKey, appendString(nil, strings.TrimPrefix(msg.Subject(), p.keys)), msg.Data())
	}
	next := first
	err = each(ctx, p.stream, p.subject+".>", first, last, func(seq uint64, msg jetstream.Msg) error {
		if seq != next {
			return fmt.Errorf("record %d follows %d: retention ran ahead; start the backup again", seq, next-1)
		}
		next++
		head := appendString(binary.BigEndian.AppendUint64(nil, seq), strings.TrimPrefix(msg.Subject(), p.subject))
		out.frame(frameRecord, head, msg.Data())
		return out.err
	})
	if err == nil && next != last+1 {
		err = fmt.Errorf("records end at %d, not at %d", next-1, last)
	}
	return last, errors.Join(err, out.err)
}

// Restore fills a new journal from a backup and returns the position of the
// newest record of each site. The configuration must name an empty directory, or
// a cluster that has none of the sites. A copy that is damaged or cut short is
// refused; what was restored until then has to be removed by hand.
func Restore(ctx context.Context, cfg Config, r io.Reader) (map[string]uint64, error) {
	cfg.Sync, cfg.SyncInterval = SyncEvery, 0 // one flush at the end, not one per record
	j, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	if sites, err := j.Sites(ctx); err != nil || len(sites) > 0 {
		return nil, errors.Join(err, fmt.Errorf("restore journal: there is one already (sites %s): restore into an empty directory", strings.Join(sites, ", ")))
	}
	in, err := newFrameReader(r)
	if err != nil {
		return nil, err
	}
	var site *restoring
	done := make(map[string]uint64)
	for {
		kind, body, err := in.next()
		if err != nil {
			return nil, fmt.Errorf("restore journal: %w", err)
		}
		switch kind {
		case frameSite:
			if err := site.finish(ctx, done); err != nil {
				return nil, err
			}
			if site, err = j.restoreSite(ctx, body); err != nil {
				return nil, err
			}
		case frameKey, frameRecord:
			if site == nil {
				return nil, errors.New("restore journal: the copy is damaged: a record before its site")
			}
			if err := site.message(kind, body); err != nil {
				return nil, fmt.Errorf("restore %s: %w", site.Site, err)
			}
		case frameEnd:
			if err := site.finish(ctx, done); err != nil {
				return nil, err
			}
			var end endFrame
			if err := in.check(body, &end); err != nil {
				return nil, fmt.Errorf("restore journal: %w", err)
			}
			for name, last := range end.Last {
				if done[name] != last {
					return nil, fmt.Errorf("restore %s: ends at record %d, the copy at %d", name, done[name], last)
				}
			}
			return done, nil
		default:
			return nil, fmt.Errorf("restore journal: the copy is damaged: frame %q", kind)
		}
	}
}

// restoring is one site on its way back.
type restoring struct {
	siteFrame
	j       *Journal
	p       *partition
	next    uint64
	pending []jetstream.PubAckFuture
}

func (j *Journal) restoreSite(ctx context.Context, body []byte) (*restoring, error) {
	r := &restoring{j: j}
	if err := json.Unmarshal(body, &r.siteFrame); err != nil {
		return nil, fmt.Errorf("restore journal: site: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	r.p, err = j.openPartition(ctx, r.Site, r.First)
	r.next = r.First
	return r, err
}

// restoreWindow is how many messages are on their way at once.
const restoreWindow = 64

func (r *restoring) message(kind byte, body []byte) error {
	c := cursor{b: body}
	msg := &nats.Msg{Header: nats.Header{}}
	if kind == frameRecord {
		seq := uint64(c.i64())
		if seq != r.next {
			return fmt.Errorf("the copy is damaged: record %d follows %d", seq, r.next-1)
		}
		r.next++
		msg.Subject = r.p.subject + string(c.bytes())
		msg.Header.Set(jetstream.ExpectedLastSeqHeader, fmt.Sprint(seq-1))
	} else {
		msg.Subject = r.p.keys + string(c.bytes())
	}
	if c.bad {
		return errors.New("the copy is damaged: a frame is cut short")
	}
	msg.Data = c.b
	ack, err := r.p.engine.js.PublishMsgAsync(msg)
	if err != nil {
		return err
	}
	if r.pending = append(r.pending, ack); len(r.pending) >= restoreWindow {
		return r.settle()
	}
	return nil
}

func (r *restoring) settle() error {
	for _, ack := range r.pending {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return fmt.Errorf("write record: %w", err)
		}
	}
	r.pending = r.pending[:0]
	return nil
}

func (r *restoring) finish(ctx context.Context, done map[string]uint64) error {
	if r == nil {
		return nil
	}
	if err := r.settle(); err != nil {
		return fmt.Errorf("restore %s: %w", r.Site, err)
	}
	names := make([]string, 0, len(r.Positions))
	for name := range r.Positions {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := r.j.Hold(ctx, r.Site, name, r.Positions[name]+1); err != nil {
			return err
		}
	}
	done[r.Site] = r.next - 1
	return nil
}

// A frameWriter keeps its first error.
type frameWriter struct {
	w   *bufio.Writer
	sum hash.Hash32
	err error
}

func newFrameWriter(w io.Writer) *frameWriter {
	f := &frameWriter{w: bufio.NewWriterSize(w, 1<<20), sum: crc32.New(castagnoli)}
	f.write([]byte(backupMagic))
	return f
}

func (f *frameWriter) write(b []byte) {
	if f.err == nil {
		f.sum.Write(b)
		_, f.err = f.w.Write(b)
	}
}

func (f *frameWriter) frame(kind byte, parts ...[]byte) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	f.write(binary.AppendUvarint([]byte{kind}, uint64(size)))
	for _, p := range parts {
		f.write(p)
	}
}

func (f *frameWriter) json(kind byte, v any) {
	body, err := json.Marshal(v)
	if err != nil && f.err == nil {
		f.err = err
	}
	f.frame(kind, body)
}

func (f *frameWriter) end(v endFrame) error {
	sum := f.sum.Sum32()
	body, err := json.Marshal(v)
	f.frame(frameEnd, body, binary.BigEndian.AppendUint32(nil, sum))
	err = errors.Join(err, f.err)
	if err == nil {
		err = f.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

type frameReader struct {
	r   *bufio.Reader
	sum hash.Hash32
}

func newFrameReader(r io.Reader) (*frameReader, error) {
	f := &frameReader{r: bufio.NewReaderSize(r, 1<<20), sum: crc32.New(castagnoli)}
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(f.r, magic); err != nil || string(magic) != backupMagic {
		return nil, errors.New("restore journal: this is no backup of a journal, or of a version that this program does not know")
	}
	f.sum.Write(magic)
	return f, nil
}

// next returns a frame; its body belongs to the caller.
func (f *frameReader) next() (kind byte, body []byte, err error) {
	if kind, err = f.r.ReadByte(); err != nil {
		return 0, nil, fmt.Errorf("the copy is cut short: %w", err)
	}
	size, err := binary.ReadUvarint(f.r)
	if err != nil || size > maxFrame {
		return 0, nil, errors.Join(errors.New("the copy is damaged: a frame's length"), err)
	}
	body = make([]byte, size)
	if _, err := io.ReadFull(f.r, body); err != nil {
		return 0, nil, fmt.Errorf("the copy is cut short: %w", err)
	}
	if kind != frameEnd {
		f.sum.Write(binary.AppendUvarint([]byte{kind}, size))
		f.sum.Write(body)
	}
	return kind, body, nil
}

// check compares the checksum behind the last frame.
func (f *frameReader) check(body []byte, end *endFrame) error {
	if len(body) < 4 {
		return errors.New("the copy is damaged: its end")
	}
	text, sum := body[:len(body)-4], binary.BigEndian.Uint32(body[len(body)-4:])
	if sum != f.sum.Sum32() {
		return errors.New("the copy is damaged: its checksum is wrong")
	}
	return json.Unmarshal(text, end)
}
