// Package detect finds in streams of readings what no threshold finds: values and times
// in, a verdict with a score and a reason out, in one pass, without look-ahead, in bounded
// memory, with one configuration for every kind of signal.
package detect
