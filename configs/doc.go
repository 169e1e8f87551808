// Package configs is everything a user edits, and its loading: the daemon's
// settings, site files, device profiles, rules, message texts. Shipped ones are
// embedded as defaults. A configuration is read and checked as a whole before
// any of it is used; findings are diagnostics with file, line and column.
package configs
