package sparkplug

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// stateVersion is the first byte of a saved state.
const stateVersion = 2

// AppendState appends the sessions of all nodes, in the order of their names,
// so that equal hosts give equal bytes.
func (h *Host) AppendState(dst []byte) []byte {
	keys := slices.SortedFunc(maps.Keys(h.nodes), func(a, b nodeKey) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.node, b.node))
	})
	dst = append(dst, stateVersion)
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		n := h.nodes[k]
		dst = appendText(dst, n.group)
		dst = appendText(dst, n.node)
		dst = append(dst, flags(n.alive, n.hasBdSeq), n.seq)
		dst = binary.AppendUvarint(dst, n.bdSeq)
		dst = binary.AppendVarint(dst, n.lost)
		dst = binary.AppendVarint(dst, n.asked)
		dst = n.own.append(dst)
		dst = binary.AppendUvarint(dst, uint64(len(n.devices)))
		for _, name := range slices.Sorted(maps.Keys(n.devices)) {
			d := n.devices[name]
			dst = appendText(dst, name)
			dst = append(dst, flags(d.born))
			dst = d.table.append(dst)
		}
	}
	return dst
}

func flags(bits ...bool) (b byte) {
	for i, set := range bits {
		if set {
			b |= 1 << i
		}
	}
	return b
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func (t *table) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.byName)))
	for _, name := range slices.Sorted(maps.Keys(t.byName)) {
		d := t.byName[name]
		dst = appendText(dst, d.name)
		dst = append(dst, byte(d.typ), flags(d.hasAlias))
		dst = binary.AppendUvarint(dst, d.alias)
		dst = appendText(dst, d.unit)
	}
	return dst
}

// Restore replaces all sessions by a saved state. On error nothing changes.
func (h *Host) Restore(state []byte) error {
	r := stateReader{b: state}
	if v := r.octet(); v != stateVersion {
		return errors.New("sparkplug state has another version")
	}
	nodes := map[nodeKey]*node{}
	for range r.count() {
		k := nodeKey{r.text(), r.text()}
		n := &node{nodeKey: k, devices: map[string]*device{}}
		f := r.octet()
		n.alive, n.hasBdSeq = f&1 != 0, f&2 != 0
		n.seq, n.bdSeq, n.lost, n.asked = r.octet(), r.uvarint(), r.varint(), r.varint()
		n.own = r.table()
		for range r.count() {
			d := &device{name: r.text()}
			d.born = r.octet() != 0
			d.table = r.table()
			n.devices[d.name] = d
		}
		nodes[k] = n
	}
	if r.bad || len(r.b) > 0 {
		return errors.New("sparkplug state is damaged")
	}
	h.nodes = nodes
	return nil
}

type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) octet() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *stateReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *stateReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things that take a byte each at least.
func (r *stateReader) count() int {
	v := r.uvarint()
	if v > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(v)
}

func (r *stateReader) text() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *stateReader) table() table {
	b := birth{}
	for range r.count() {
		d := &definition{name: r.text(), typ: DataType(r.octet())}
		d.hasAlias = r.octet() != 0
		d.alias, d.unit = r.uvarint(), r.text()
		b.defs = append(b.defs, d)
	}
	if len(b.defs) == 0 {
		return table{}
	}
	return b.table()
}
