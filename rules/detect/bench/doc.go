// Package bench measures the detectors of rules/detect on labelled telemetry of others.
//
// It holds scorers that follow the published protocols to the letter (Numenta Anomaly
// Benchmark 1.1, threshold sweep over all files and three profiles; Skoltech pump bench:
// outliers pooled over all runs, change points with 60 s windows, versions of every run with
// its first rows dropped, so that a detector that looks at the clock fails), the published
// results to compare with, an estimate of what happens on files that nobody tuned on, and a
// seeded suite of faults and harmless events that the benchmarks lack.
//
// The labelled data are not part of this repository. [Shared] says where they are looked for.
package bench
