// Package csvscan runs the detectors over a table of readings: comma- or semicolon-separated
// text in, one finding per row out, in one pass, so that it reads a pipe as well as a file and
// says about a row what it would have said live. One point is watched by a signal detector,
// several together by a joint one; steps are told as well.
//
// What a person has already labelled is not evidence: columns with names such as label,
// anomaly or changepoint are never parsed.
package csvscan
