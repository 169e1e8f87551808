// Package sites holds the site files that are shipped.
package sites

import _ "embed"

// Demo is Harbour Court, the estate of facilityd demo.
//
//go:embed demo.yaml
var Demo []byte

// DemoPeople are those who are told in the demo.
//
//go:embed demo-people.yaml
var DemoPeople []byte
