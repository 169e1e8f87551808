package profile

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

var normaliserTable = map[string]func(string) string{
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"trim":  strings.TrimSpace,
	"mac":   normaliseMAC,
	"eui":   func(s string) string { return strings.ToLower(hexOnly(s)) },
	"base64_hex": func(s string) string {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return s
		}
		return hex.EncodeToString(b)
	},
}

func (r *reader) normalisers(names words) []func(string) string {
	var out []func(string) string
	for _, w := range names {
		f, ok := normaliserTable[w.Text]
		if !ok {
			r.oneOf(w.At, "normalisation", w.Text, "lower", "upper", "trim", "mac", "eui", "base64_hex")
			continue
		}
		out = append(out, f)
	}
	return out
}

func hexOnly(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			return c
		}
		return -1
	}, s)
}

// normaliseMAC writes twelve hexadecimal digits as aa:bb:cc:dd:ee:ff; anything
// else stays as it is.
func normaliseMAC(s string) string {
	h := strings.ToLower(hexOnly(s))
	if len(h) != 12 {
		return s
	}
	return h[0:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:10] + ":" + h[10:12]
}
