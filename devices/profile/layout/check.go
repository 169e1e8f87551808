package layout

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
)

// Sums are the names of check sums that a layout may ask for. The CRC-16 are
// named and parametrised as in the catalogue of parametrised CRC algorithms:
// crc16-modbus (0x8005 reflected, start FFFF), crc16-arc (start 0), crc16-ccitt
// (0x1021, start FFFF; CCITT-FALSE), crc16-xmodem (start 0), crc16-kermit
// (reflected, start 0), crc16-x25 (reflected, start and final FFFF).
var Sums = []string{
	"sum8", "sum16", "xor8", "crc8", "crc8-maxim", "crc16-modbus", "crc16-arc",
	"crc16-ccitt", "crc16-xmodem", "crc16-kermit", "crc16-x25", "crc32",
}

func sumOf(name string, b []byte) (sum uint32, width int) {
	switch name {
	case "sum8", "sum16":
		for _, c := range b {
			sum += uint32(c)
		}
		if name == "sum8" {
			return sum & 0xff, 1
		}
		return sum & 0xffff, 2
	case "xor8":
		for _, c := range b {
			sum ^= uint32(c)
		}
		return sum, 1
	case "crc8":
		return crc(b, 8, 0x07, 0, false), 1
	case "crc8-maxim":
		return crc(b, 8, 0x31, 0, true), 1
	case "crc16-modbus":
		return crc(b, 16, 0x8005, 0xffff, true), 2
	case "crc16-arc":
		return crc(b, 16, 0x8005, 0, true), 2
	case "crc16-ccitt":
		return crc(b, 16, 0x1021, 0xffff, false), 2
	case "crc16-xmodem":
		return crc(b, 16, 0x1021, 0, false), 2
	case "crc16-kermit":
		return crc(b, 16, 0x1021, 0, true), 2
	case "crc16-x25":
		return crc(b, 16, 0x1021, 0xffff, true) ^ 0xffff, 2
	default:
		return crc32.ChecksumIEEE(b), 4
	}
}

// crc is the bitwise algorithm; frames are short.
func crc(b []byte, width uint, poly, crc uint32, reflected bool) uint32 {
	if reflected {
		var r uint32
		for i := range width {
			r |= poly >> i & 1 << (width - 1 - i)
		}
		for _, c := range b {
			crc ^= uint32(c)
			for range 8 {
				if crc&1 != 0 {
					crc = crc>>1 ^ r
				} else {
					crc >>= 1
				}
			}
		}
		return crc
	}
	top := uint32(1) << (width - 1)
	for _, c := range b {
		crc ^= uint32(c) << (width - 8)
		for range 8 {
			if crc&top != 0 {
				crc = crc<<1 ^ poly
			} else {
				crc <<= 1
			}
		}
	}
	return crc & (top<<1 - 1)
}

// check compares a sum over a part of the frame with bytes of the frame or
// with a constant. Offsets below zero count from the end.
type check struct {
	sum      string
	from, to int // to 0: up to the stored sum, or the end
	at       int // of the stored sum; 0: the last bytes
	equals   int64
	constant bool
	little   bool
}

// parse reads the short form: "crc16-modbus" or "sum8 == 0".
func (c *check) parse(text string) error {
	name, value, constant := strings.Cut(text, "==")
	c.sum = strings.TrimSpace(name)
	if err := c.known(); err != nil || !constant {
		return err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 0, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", strings.TrimSpace(value))
	}
	c.equals, c.constant = n, true
	return nil
}

func (c *check) known() error {
	for _, s := range Sums {
		if s == c.sum {
			return nil
		}
	}
	return fmt.Errorf("check sum %q is not known: %s", c.sum, diag.DidYouMean(c.sum, Sums))
}

// verify returns what is wrong, or "".
func (c *check) verify(frame []byte) (at int, reason string) {
	_, width := sumOf(c.sum, nil)
	at = c.at
	if at <= 0 {
		at = len(frame) + c.at
		if c.at == 0 {
			at = len(frame) - width
		}
	}
	from, to := c.from, c.to
	if from < 0 {
		from += len(frame)
	}
	switch {
	case to < 0:
		to += len(frame)
	case to == 0 && (c.constant || at < from):
		to = len(frame)
	case to == 0:
		to = at
	}
	if from < 0 || to > len(frame) || from > to || !c.constant && (at < 0 || at+width > len(frame)) {
		return len(frame), "frame is too short for its check " + c.sum
	}
	have, _ := sumOf(c.sum, frame[from:to])
	want := uint32(c.equals)
	if !c.constant {
		want = uint32(number(frame[at:at+width], c.little, false))
	}
	if have != want {
		return at, fmt.Sprintf("check %s gives 0x%x, frame says 0x%x", c.sum, have, want)
	}
	return 0, ""
}
