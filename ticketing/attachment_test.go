package ticketing

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAttachmentIsRefusedForOneReasonAtATime(t *testing.T) {
	for _, x := range []struct {
		role, typ string
		content   []byte
		code      string // "" is taken
	}{
		{"", "image/jpeg", []byte("x"), ""},
		{"signature", "image/png", []byte("x"), ""},
		{"document", "application/pdf", []byte("x"), ""},
		{"photo", "image/webp", bytes.Repeat([]byte{1}, MaxFile), ""},
		{"photo", "image/webp", bytes.Repeat([]byte{1}, MaxFile+1), "too_large"},
		{"photo", "image/jpeg", nil, "empty"},
		{"selfie", "image/jpeg", []byte("x"), "one_of"},
		{"document", "text/html; charset=utf-8", []byte("<script>"), "type"},
		{"document", "image/svg+xml", []byte("<svg/>"), "type"},
		{"photo", "application/octet-stream", []byte("MZ"), "type"},
		{"signature", "application/pdf", []byte("%PDF"), "type"},
	} {
		a, err := NewAttachment("x", x.role, x.typ, x.content)
		var invalid *InvalidError
		if errors.As(err, &invalid) != (x.code != "") || invalid != nil && invalid.Code != x.code {
			t.Errorf("%s %s of %d bytes: %v, want %q", x.role, x.typ, len(x.content), err, x.code)
		}
		if err == nil && (len(a.Hash) != 64 || a.Size != int64(len(x.content)) || x.role == "" && a.Role != "photo") {
			t.Errorf("%+v", a)
		}
	}
}

func TestAttachmentIsNamedByItsContentAndKeepsNoPath(t *testing.T) {
	for given, want := range map[string]string{
		`C:\Users\li\door.jpg`: "door.jpg", "../../etc/passwd": "passwd", "": "photo", "/": "photo", "a\x00b\n.png": "a_b_.png",
		strings.Repeat("门", 60): strings.Repeat("门", 40),
	} {
		a, err := NewAttachment(given, "photo", "image/png", []byte("x"))
		if err != nil || a.Name != want {
			t.Errorf("%q is called %q, %v", given, a.Name, err)
		}
	}
	one, _ := NewAttachment("a", "photo", "image/png", []byte("x"))
	other, _ := NewAttachment("b", "signature", "image/png", []byte("x"))
	if one.Hash != other.Hash {
		t.Error("the same content has two hashes")
	}
}
