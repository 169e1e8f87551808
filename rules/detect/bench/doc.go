// Package bench scores the detectors against labelled telemetry.
package bench
