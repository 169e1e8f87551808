package codec

import (
	"github.com/tidwall/gjson"
)

// CheckJSON proves that src is one JSON value nested no deeper than MaxDepth.
// gjson does not check, so every tree goes through here once.
func CheckJSON(src []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(src); i++ {
		c := src[i]
		if inString {
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
		case '{', '[':
			if depth++; depth > MaxDepth {
				return errAt("json", i, "nested deeper than %d", MaxDepth)
			}
		case '}', ']':
			depth--
		}
	}
	if !gjson.ValidBytes(src) {
		return errAt("json", -1, "not valid JSON: %q", clip(src))
	}
	return nil
}

// JSON passes valid JSON on.
func JSON(dst, src []byte) ([]byte, error) {
	if err := CheckJSON(src); err != nil {
		return dst, err
	}
	return append(dst, src...), nil
}

// JSONOrText passes valid JSON on and takes anything else as one text: for
// topics where a maker changed from a bare word to a document.
func JSONOrText(dst, src []byte) ([]byte, error) {
	if CheckJSON(src) == nil {
		return append(dst, src...), nil
	}
	return Text(dst, src)
}
