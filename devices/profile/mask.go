package profile

import (
	"hash/fnv"
	"regexp"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// maskKeys are names of fields that hold secrets or say something about a
// person.
var maskKeys = regexp.MustCompile(`(?i)(passw|secret|token|api_?key|credential|user_?name|^user$|first_?name|last_?name|full_?name|person|^owner|tenant_?name|^phone|mobile|e_?mail|(^|street|home|postal)_?address$|ssid|psk|^latitude$|^longitude$|^lat$|^lon$|^lng$|^location$|^coords$|licen[cs]e|plate_?(no|number)?$|^card|^uid$|badge|pin_?code|^pin$|mpan|iban)`)

// Mask replaces values of a JSON payload that look like a secret or like
// personal data: texts by a word that is the same for the same text, numbers by
// 0. A payload that is no JSON comes back as it is.
func Mask(payload []byte) []byte {
	if codec.CheckJSON(payload) != nil {
		return payload
	}
	return appendMasked(make([]byte, 0, len(payload)), gjson.ParseBytes(payload), false)
}

func appendMasked(dst []byte, v gjson.Result, secret bool) []byte {
	switch {
	case v.IsObject():
		dst = append(dst, '{')
		first := true
		v.ForEach(func(k, v gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = codec.AppendKey(dst, k.Str)
			dst = appendMasked(dst, v, secret || maskKeys.MatchString(k.Str))
			return true
		})
		return append(dst, '}')
	case v.IsArray():
		dst = append(dst, '[')
		first := true
		v.ForEach(func(_, v gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendMasked(dst, v, secret)
			return true
		})
		return append(dst, ']')
	case secret && v.Type == gjson.String:
		h := fnv.New32a()
		h.Write([]byte(v.Str))
		return codec.AppendString(dst, "masked-"+strconv.FormatUint(uint64(h.Sum32()), 16))
	case secret && v.Type == gjson.Number:
		return append(dst, '0')
	}
	return append(dst, v.Raw...)
}
