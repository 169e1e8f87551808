package codec

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// Base64 decodes base64 in the standard or the URL alphabet, padded or not;
// white space is skipped. encoding/base64 would need to be told which of the
// four it is, and devices mix them.
func Base64(dst, src []byte) ([]byte, error) {
	out := dst
	var acc uint32
	var n int
	padded := false
	for i, c := range src {
		var v uint32
		switch {
		case c >= 'A' && c <= 'Z':
			v = uint32(c - 'A')
		case c >= 'a' && c <= 'z':
			v = uint32(c-'a') + 26
		case c >= '0' && c <= '9':
			v = uint32(c-'0') + 52
		case c == '+' || c == '-':
			v = 62
		case c == '/' || c == '_':
			v = 63
		case c == '=':
			padded = true
			continue
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
			continue
		default:
			return dst, errAt("base64", i, "%q is not a base64 digit", c)
		}
		if padded {
			return dst, errAt("base64", i, "digit after padding")
		}
		acc = acc<<6 | v
		if n++; n == 4 {
			out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
			acc, n = 0, 0
		}
	}
	switch n {
	case 1:
		return dst, errAt("base64", len(src), "ends within a byte")
	case 2:
		out = append(out, byte(acc>>4))
	case 3:
		out = append(out, byte(acc>>10), byte(acc>>2))
	}
	return out, nil
}

// Hex decodes hexadecimal digits; white space, colons, dashes and a leading 0x
// are skipped.
func Hex(dst, src []byte) ([]byte, error) {
	out := dst
	i := 0
	for i < len(src) && isSpace(src[i]) {
		i++
	}
	if i+1 < len(src) && src[i] == '0' && (src[i+1] == 'x' || src[i+1] == 'X') {
		i += 2
	}
	half, have := byte(0), false
	for ; i < len(src); i++ {
		c := src[i]
		v, ok := hexValue(c)
		if !ok {
			if isSpace(c) || c == ':' || c == '-' {
				continue
			}
			return dst, errAt("hex", i, "%q is not a hexadecimal digit", c)
		}
		if have {
			out = append(out, half<<4|v)
		}
		half, have = v, !have
	}
	if have {
		return dst, errAt("hex", len(src), "odd number of digits")
	}
	return out, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// Inflate configures gzip and zlib.
type Inflate struct {
	MaxBytes int `yaml:"max_bytes" json:"max_bytes,omitempty" jsonschema:"refuse a payload that unpacks to more bytes than this (default and most: 4194304)"`

	zlib bool
}

// Compile returns the decompressor.
func (c *Inflate) Compile() (Func, error) {
	limit := c.MaxBytes
	if limit <= 0 || limit > MaxOutput {
		limit = MaxOutput
	}
	if c.zlib {
		return func(dst, src []byte) ([]byte, error) { return Zlib(dst, src, limit) }, nil
	}
	return func(dst, src []byte) ([]byte, error) { return Gzip(dst, src, limit) }, nil
}

var gzipReaders, zlibReaders sync.Pool

// Gzip unpacks one or more gzip members; more than limit bytes is an error, so
// a bomb costs no more memory than limit.
func Gzip(dst, src []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(src)
	r, _ := gzipReaders.Get().(*gzip.Reader)
	var err error
	if r == nil {
		r, err = gzip.NewReader(in)
	} else {
		err = r.Reset(in)
	}
	if r != nil {
		defer gzipReaders.Put(r)
	}
	if err != nil {
		return dst, wrapAt("gzip", len(src)-in.Len(), "no gzip stream", err)
	}
	return inflate("gzip", dst, r, in, len(src), limit)
}

// Zlib unpacks a zlib stream; more than limit bytes is an error.
func Zlib(dst, src []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(src)
	r, _ := zlibReaders.Get().(io.ReadCloser)
	var err error
	if r == nil {
		r, err = zlib.NewReader(in)
	} else {
		err = r.(zlib.Resetter).Reset(in, nil)
	}
	if err != nil {
		return dst, wrapAt("zlib", len(src)-in.Len(), "no zlib stream", err)
	}
	defer zlibReaders.Put(r)
	return inflate("zlib", dst, r, in, len(src), limit)
}

func inflate(codec string, dst []byte, r io.Reader, in *bytes.Reader, size, limit int) ([]byte, error) {
	out := dst
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out)-len(dst) > limit {
			return dst, errAt(codec, size-in.Len(), "unpacks to more than %d bytes", limit)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return dst, wrapAt(codec, size-in.Len(), "damaged stream", err)
		}
	}
}
