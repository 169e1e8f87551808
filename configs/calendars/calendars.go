// Package calendars holds the public holidays that ship with facilityd, one file
// per country and year. A site file takes one in by its name: use: [cn-2026].
package calendars

import "embed"

// FS has every shipped calendar at its root.
//
//go:embed *.yaml
var FS embed.FS
