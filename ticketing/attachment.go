package ticketing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
)

// MaxFile is how large one attachment may be in bytes: a photo of a phone.
const MaxFile = 12 << 20

// AttachmentRoles are what an attachment is for.
var AttachmentRoles = []string{"photo", "signature", "document"}

// fileTypes are the media types that are taken. All are shown by browsers
// without running anything that is inside.
var fileTypes = []string{"image/jpeg", "image/png", "image/webp", "application/pdf"}

// NewAttachment describes a file. typ is the media type found from its content:
// the sender's word for it does not count.
func NewAttachment(name, role, typ string, content []byte) (*Attachment, error) {
	if role == "" {
		role = "photo"
	}
	if err := oneOf("role", role, AttachmentRoles); err != nil {
		return nil, err
	}
	switch {
	case len(content) == 0:
		return nil, &InvalidError{"file", "empty", "the file is empty"}
	case len(content) > MaxFile:
		return nil, &InvalidError{"file", "too_large", fmt.Sprintf("a file may have at most %d MB", MaxFile>>20)}
	case !slices.Contains(fileTypes, typ):
		return nil, &InvalidError{"file", "type", "send a JPEG, PNG, WebP or PDF file"}
	case role != "document" && typ == "application/pdf":
		return nil, &InvalidError{"file", "type", "a " + role + " is a picture"}
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`"\/<>`, r) {
			return '_'
		}
		return r
	}, path.Base(strings.ReplaceAll(name, `\`, "/")))
	if len(name) > 120 {
		name = strings.ToValidUTF8(name[:120], "")
	}
	if name == "." || name == "" || name == "_" {
		name = role
	}
	sum := sha256.Sum256(content)
	return &Attachment{Hash: hex.EncodeToString(sum[:]), Name: name, Type: typ, Size: int64(len(content)), Role: role}, nil
}

// Lacks says what a job still needs before it may be reported done: what the
// template asks for and the current visit does not have, a picture of each item
// that the job is not finished without.
func (o *Order) Lacks(t *Template) (lacks []string) {
	if t == nil {
		return nil
	}
	if t.Signature && !o.Signed {
		lacks = append(lacks, "signature")
	}
	photos := 0
	for _, c := range t.Checklist {
		if c.Key && c.Photo {
			photos++
		}
	}
	for range photos - o.Photos {
		lacks = append(lacks, "photo")
	}
	return lacks
}
