// Package shipped holds the rules that ship with facilityd, one file per kind of
// equipment. They are the defaults: a directory of an installation adds to them.
package shipped

import "embed"

// FS has every shipped rule file at its root, and beside it what was approved of
// what its rules do (facilityd rules test --approve configs/rules).
//
//go:embed *.yaml *.approved
var FS embed.FS
