//go:build amd64 || arm64

package rules

// fetchLines asks for so many cache lines, one at least, and does not wait for them.
// Go has no way to say this: a plain read keeps the processor waiting for the line.
//
//go:noescape
func fetchLines(at uintptr, lines int)
