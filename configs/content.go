package configs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
)

// A File is one text that belongs to a configuration. Name is what diagnostics
// say; shipped files are named shipped/….
type File struct {
	Name string
	Data []byte
}

// Content is everything that can change what the engine does on one site, as it
// was written: its site file with the files that it uses, profiles and rules. The journal names it by Hash
// and keeps it, so that a record is always read with the configuration of its
// own time.
type Content struct {
	Site     File
	Used     []File // calendars and deadlines that the site file shares with others
	Profiles []File
	Rules    []File
}

// Hash returns the SHA-256 over names and data, in hex.
func (c *Content) Hash() string {
	h := sha256.New()
	groups := [][]File{{c.Site}, c.Profiles, c.Rules}
	if len(c.Used) > 0 { // a site that uses none keeps the hash that it had
		groups = append(groups, c.Used)
	}
	for _, group := range groups {
		fmt.Fprintf(h, "%d\n", len(group))
		for _, f := range group {
			fmt.Fprintf(h, "%s %d\n", f.Name, len(f.Data))
			h.Write(f.Data)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Marshal packs the content for keeping.
func (c *Content) Marshal() ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := gob.NewEncoder(z).Encode(c); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnmarshalContent is the inverse of Marshal.
func UnmarshalContent(data []byte) (*Content, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read configuration content: %w", err)
	}
	c := new(Content)
	if err := gob.NewDecoder(z).Decode(c); err != nil {
		return nil, fmt.Errorf("read configuration content: %w", err)
	}
	return c, nil
}

// readFolder lists the YAML files of one kind: the shipped ones, unless they
// are switched off, and the user's own. A file of the user's with the name of a
// shipped one takes its place.
func readFolder(shipped fs.FS, f Folder) ([]File, diag.List) {
	files := map[string]File{}
	var list diag.List
	if f.Shipped {
		names, _ := fs.Glob(shipped, "*.yaml")
		for _, name := range names {
			data, err := fs.ReadFile(shipped, name)
			if err != nil {
				list.Add(diag.Diagnostic{File: "shipped/" + name, Message: err.Error()})
				continue
			}
			files[name] = File{"shipped/" + name, data}
		}
	}
	if f.Dir != "" {
		entries, err := os.ReadDir(f.Dir)
		if err != nil {
			list.Add(diag.Diagnostic{File: f.Dir, Message: err.Error(), Hint: "give an existing directory, or leave dir out"})
		}
		for _, e := range entries {
			if ext := path.Ext(e.Name()); e.IsDir() || ext != ".yaml" && ext != ".yml" {
				continue
			}
			name := filepath.Join(f.Dir, e.Name())
			data, err := os.ReadFile(name)
			if err != nil {
				list.Add(diag.Diagnostic{File: name, Message: err.Error()})
				continue
			}
			files[e.Name()] = File{name, data}
		}
	}
	out := make([]File, 0, len(files))
	for _, file := range files {
		out = append(out, file)
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, list
}
