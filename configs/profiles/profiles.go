// Package profiles holds the device profiles that ship with facilityd. They are
// the defaults: a directory of an installation adds to them.
package profiles

import "embed"

// FS has every shipped profile at its root.
//
//go:embed *.yaml
var FS embed.FS
