// Package scenario runs the tests that rules carry. A rule's author writes what
// an asset says and how the rule stands at given times; from that the package
// makes the further courses that a rule has to stand: gaps, duplicates, messages
// out of order, irregular sampling, equipment that is off, a start-up, a role
// that is missing, a value exactly at a limit. It is the live engine that runs.
package scenario
