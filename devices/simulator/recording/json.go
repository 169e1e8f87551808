package recording

import (
	"encoding/json"
	"strconv"
	"strings"
)

// appendKey writes ,"key": and leaves the first comma to be replaced.
func appendKey(b []byte, key string) []byte {
	return append(appendText(append(b, ','), key), ':')
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string cannot fail
	return append(b, quoted...)
}

// isNumber reports whether a text can stand in JSON as a number, as it is.
func isNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	digits := strings.TrimPrefix(s, "-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] != '.' && digits[1] != 'e' && digits[1] != 'E' {
		return false // JSON has no leading zeros
	}
	if strings.HasSuffix(digits, ".") || strings.Contains(digits, ".e") || strings.Contains(digits, ".E") || strings.ContainsAny(digits, "_xXpPiI") {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && digits != ""
}
