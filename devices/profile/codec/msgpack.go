package codec

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

var msgpackDecoders = sync.Pool{New: func() any { return msgpack.NewDecoder(nil) }}

// MsgPack decodes one MessagePack value. A timestamp (extension -1) becomes an
// RFC 3339 string in UTC; another extension {"type": n, "data": "hex"}.
func MsgPack(dst, src []byte) ([]byte, error) {
	d := msgpackDecoders.Get().(*msgpack.Decoder)
	defer msgpackDecoders.Put(d)
	in := bytes.NewReader(src)
	d.ResetReader(in)
	w := msgpackWalk{d: d, in: in, src: src}
	out := w.value(dst, 0)
	if w.err == nil && in.Len() > 0 {
		w.fail(w.pos(), "bytes after the value", nil)
	}
	if w.err != nil {
		return dst, w.err
	}
	return out, nil
}

type msgpackWalk struct {
	d   *msgpack.Decoder
	in  *bytes.Reader
	src []byte
	err error
}

func (w *msgpackWalk) pos() int { return len(w.src) - w.in.Len() }

func (w *msgpackWalk) fail(at int, reason string, err error) {
	if w.err == nil {
		w.err = wrapAt("msgpack", at, reason, err)
	}
}

func (w *msgpackWalk) value(dst []byte, depth int) []byte {
	if w.err != nil {
		return dst
	}
	at := w.pos()
	code, err := w.d.PeekCode()
	if err != nil {
		w.fail(at, "ends within a value", err)
		return dst
	}
	switch {
	case msgpcode.IsFixedArray(code) || code == msgpcode.Array16 || code == msgpcode.Array32:
		n, err := w.d.DecodeArrayLen()
		return w.array(dst, at, n, err, depth+1)
	case msgpcode.IsFixedMap(code) || code == msgpcode.Map16 || code == msgpcode.Map32:
		n, err := w.d.DecodeMapLen()
		return w.object(dst, at, n, err, depth+1)
	}
	dst, err = w.scalar(dst, code)
	if err != nil {
		w.fail(at, "damaged value", err)
	}
	return dst
}

func (w *msgpackWalk) enter(at, n int, err error, depth int) bool {
	switch {
	case err != nil:
		w.fail(at, "damaged length", err)
	case depth > MaxDepth:
		w.fail(at, "nested deeper than "+strconv.Itoa(MaxDepth), nil)
	case n > MaxElements:
		w.fail(at, "more than "+strconv.Itoa(MaxElements)+" elements", nil)
	}
	return w.err == nil
}

func (w *msgpackWalk) array(dst []byte, at, n int, err error, depth int) []byte {
	if !w.enter(at, n, err, depth) {
		return dst
	}
	dst = append(dst, '[')
	for k := 0; k < n && w.err == nil; k++ {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = w.value(dst, depth)
	}
	return append(dst, ']')
}

func (w *msgpackWalk) object(dst []byte, at, n int, err error, depth int) []byte {
	if !w.enter(at, n, err, depth) {
		return dst
	}
	dst = append(dst, '{')
	for k := 0; k < n && w.err == nil; k++ {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(w.key(dst), ':')
		dst = w.value(dst, depth)
	}
	return append(dst, '}')
}

func (w *msgpackWalk) key(dst []byte) []byte {
	at := w.pos()
	code, err := w.d.PeekCode()
	if err != nil {
		w.fail(at, "ends within a key", err)
		return dst
	}
	start := len(dst)
	if msgpcode.IsFixedArray(code) || msgpcode.IsFixedMap(code) || code >= msgpcode.Array16 && code <= msgpcode.Map32 {
		w.fail(at, "an array or map as key of a map", nil)
		return dst
	}
	dst, err = w.scalar(dst, code)
	switch {
	case err != nil:
		w.fail(at, "damaged key", err)
	case dst[start] == '{':
		w.fail(at, "an extension as key of a map", nil)
	case dst[start] != '"':
		text := string(dst[start:])
		dst = AppendString(dst[:start], text)
	}
	return dst
}

// announced is the length that a string, binary or extension at the start of b
// says it has. The library allocates it before it looks whether it is there.
func announced(b []byte) (n uint64) {
	head := 0
	switch b[0] {
	case msgpcode.Str8, msgpcode.Bin8, msgpcode.Ext8:
		head = 1
	case msgpcode.Str16, msgpcode.Bin16, msgpcode.Ext16:
		head = 2
	case msgpcode.Str32, msgpcode.Bin32, msgpcode.Ext32:
		head = 4
	}
	for _, c := range b[1:min(len(b), 1+head)] {
		n = n<<8 | uint64(c)
	}
	return n
}

func (w *msgpackWalk) scalar(dst []byte, code byte) ([]byte, error) {
	if n := announced(w.src[w.pos():]); n > uint64(w.in.Len()) {
		return dst, fmt.Errorf("%d bytes announced, %d left", n, w.in.Len()-1)
	}
	switch {
	case code == msgpcode.Nil:
		return append(dst, "null"...), w.d.DecodeNil()
	case code == msgpcode.True, code == msgpcode.False:
		b, err := w.d.DecodeBool()
		return AppendBool(dst, b), err
	case code == msgpcode.Float:
		f, err := w.d.DecodeFloat32()
		return AppendFloat32(dst, f), err
	case code == msgpcode.Double:
		f, err := w.d.DecodeFloat64()
		return AppendFloat(dst, f), err
	case code == msgpcode.Uint64:
		u, err := w.d.DecodeUint64()
		return strconv.AppendUint(dst, u, 10), err
	case msgpcode.IsFixedNum(code), code >= msgpcode.Uint8 && code <= msgpcode.Int64:
		i, err := w.d.DecodeInt64()
		return strconv.AppendInt(dst, i, 10), err
	case msgpcode.IsString(code):
		s, err := w.d.DecodeString()
		return AppendString(dst, s), err
	case msgpcode.IsBin(code):
		b, err := w.d.DecodeBytes()
		return AppendHex(dst, b), err
	case msgpcode.IsExt(code):
		return w.extension(dst)
	}
	return dst, fmt.Errorf("code 0x%02x is not in use", code)
}

func (w *msgpackWalk) extension(dst []byte) ([]byte, error) {
	id, n, err := w.d.DecodeExtHeader()
	if err != nil {
		return dst, err
	}
	if n < 0 || n > w.in.Len() {
		return dst, fmt.Errorf("extension of %d bytes, %d left", n, w.in.Len())
	}
	data := make([]byte, n)
	if err := w.d.ReadFull(data); err != nil {
		return dst, err
	}
	if t, ok := msgpackTime(data); ok && id == -1 {
		dst = append(dst, '"')
		dst = t.AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"'), nil
	}
	dst = append(dst, `{"type":`...)
	dst = strconv.AppendInt(dst, int64(id), 10)
	dst = append(dst, `,"data":`...)
	return append(AppendHex(dst, data), '}'), nil
}

// msgpackTime reads the three forms of the timestamp extension.
func msgpackTime(b []byte) (time.Time, bool) {
	var sec int64
	var nsec uint64
	be := func(b []byte) (v uint64) {
		for _, c := range b {
			v = v<<8 | uint64(c)
		}
		return v
	}
	switch len(b) {
	case 4:
		sec = int64(be(b))
	case 8:
		v := be(b)
		sec, nsec = int64(v&(1<<34-1)), v>>34
	case 12:
		sec, nsec = int64(be(b[4:])), be(b[:4])
	default:
		return time.Time{}, false
	}
	t := time.Unix(sec, int64(nsec)).UTC()
	if nsec > 999_999_999 || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}
