package bench

import (
	"fmt"
	"io"
	"time"
)

// printer writes tables and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

const ours = "facilityd (this build)"

func (p *printer) nab(files []*NABFile, scores [][]float64, best, shipped map[string]NABScore) {
	rows := 0
	for _, f := range files {
		rows += len(f.Values)
	}
	p.f("Numenta Anomaly Benchmark: %d files, %d rows, %d windows; one threshold for all, as published\n", len(files), rows, best[Standard.Name].Windows)
	p.f("%-26s %9s %9s %9s\n", "", "standard", "low FP", "low FN")
	table := func(label string, r map[string]NABScore) {
		p.f("%-26s %9.2f %9.2f %9.2f\n", label, r[Standard.Name].Normalised, r[LowFP.Name].Normalised, r[LowFN.Name].Normalised)
	}
	table(ours, best)
	table("  threshold as shipped", shipped)
	for _, r := range nabPublic {
		p.f("%-26s %9.1f %9.1f %9.1f\n", r.name, r.v[0], r.v[1], r.v[2])
	}
	p.f("published, all 58 files:\n")
	for _, r := range nabAll {
		p.f("  %-24s %9.1f %9.1f %9.1f\n", r.name, r.v[0], r.v[1], r.v[2])
	}
	p.f("\nby category (windows hit, rows falsely detected at the common threshold)\n%-26s %9s %9s %9s %9s %9s\n", "", "standard", "low FP", "low FN", "hit", "false")
	cats := map[string]map[string]NABScore{}
	for _, profile := range NABProfiles() {
		cats[profile.Name] = ByCategory(files, scores, profile, best[profile.Name].Threshold)
	}
	for _, c := range Categories(files) {
		s := cats[Standard.Name][c]
		p.f("%-26s %9.1f %9.1f %9.1f %6d/%-2d %9d\n", c, s.Normalised, cats[LowFP.Name][c].Normalised, cats[LowFN.Name][c].Normalised, s.Hit, s.Windows, s.FalseRows)
	}
	s := best[Standard.Name]
	p.f("threshold %.4f, windows hit %d of %d, false rows %d, first detection at %.0f %% of the window on average\n\n", s.Threshold, s.Hit, s.Windows, s.FalseRows, 100*s.Lead)
}

func (p *printer) halves(h Spread) {
	p.f("Chosen on one random half of the files among %d tunings, tested on the other, eight times (standard):\n", h.Candidates)
	p.f("mean %.1f, range %.1f to %.1f:", h.Mean, h.Low, h.High)
	for _, x := range h.Each {
		p.f(" %.1f", x)
	}
	p.f("\n\n")
}

func (p *printer) skab(files []*SKABFile, verdicts [][]bool, rep *Report) {
	p.f("Skoltech pump bench, outliers: %d runs, first %d rows of each are training\n%-26s %7s %7s %7s\n", len(files), SKABTrain, "", "F1", "FAR %", "MAR %")
	row := func(label string, o Outliers) { p.f("%-26s %7.3f %7.2f %7.2f\n", label, o.F1(), o.FAR(), o.MAR()) }
	row(ours, rep.Outliers)
	for _, group := range []string{"valve1", "valve2", "other"} {
		var fs []*SKABFile
		var vs [][]bool
		for i, f := range files {
			if f.Group == group {
				fs, vs = append(fs, f), append(vs, verdicts[i])
			}
		}
		if len(fs) > 0 {
			row("  "+group, ScoreOutliers(fs, vs))
		}
	}
	for _, d := range Dropped {
		row(fmt.Sprintf("  first %d rows dropped", d), rep.Shifted[d])
	}
	p.f("published, all 34 runs:\n")
	for _, r := range skabOutliers {
		p.f("  %-24s %7.2f %7.2f %7.2f\n", r.name, r.v[0], r.v[1], r.v[2])
	}
	c := rep.Changes
	p.f("\nSkoltech pump bench, change points (low FP counts, with at most 80 false)\n%-26s %9s %9s %9s %9s %6s %8s\n", "", "standard", "low FP", "low FN", "missed", "false", "delay s")
	p.f("%-26s %9.2f %9.2f %9.2f %6d/%-2d %6d %8.1f\n", ours, c.Standard, c.LowFP, c.LowFN, c.Missed, c.Points, c.False, c.Delay)
	p.f("published, all 34 runs:\n")
	for _, r := range skabChanges {
		p.f("  %-24s %9.2f %9.2f %9.2f %5.0f/125 %6.0f\n", r.name, r.v[0], r.v[1], r.v[2], r.v[3], r.v[4])
	}
	p.f("\n")
}

func (p *printer) quiet(q Quiet) {
	p.f("Skoltech pump bench, run without a fault: %d rows in %.1f hours, %d of them (%.1f %%) anomalous in %d episodes\n\n",
		q.Rows, q.Hours, q.Anomalous, 100*float64(q.Anomalous)/float64(max(q.Rows, 1)), q.Episodes)
}

func (p *printer) cost(c Cost) {
	p.f("Cost on this machine (%d rows; times are the first quartile of the files)\n%-26s %12s %12s %12s\n", c.RowsMeasured, "", "µs per row", "bytes", "state bytes")
	p.f("%-26s %12.2f %12d %12d\n", "signal", c.SignalMicros, c.SignalBytes, c.SignalState)
	p.f("%-26s %12.2f %12d %12d\n", fmt.Sprintf("joint of %d, per channel", c.JointChannels), c.JointMicros/float64(c.JointChannels), c.JointBytes, c.JointState)
	p.f("%-26s %12.2f %12d\n", fmt.Sprintf("change of %d, per channel", c.JointChannels), c.ChangeMicros/float64(c.JointChannels), c.ChangeBytes)
	p.f("allocations per row %.3f\n\n", c.AllocsPerRow)
}

func (p *printer) synthetic(seed uint64, cases []Case) {
	p.f("Synthetic suite, seed %d: %d signals each; orders at a budget of %g false ones a month\n", seed, synthSignals, synthBudget)
	p.f("%-40s %8s %10s %12s %9s %12s\n", "", "found", "delay", "false alarms", "ordered", "false orders")
	for _, c := range cases {
		found, delay, ordered := "", "", ""
		if !c.Harmless {
			found, ordered = fmt.Sprintf("%.0f %%", 100*c.Found), fmt.Sprintf("%.0f %%", 100*c.Ordered)
			delay = c.Delay.Round(time.Second).String()
		}
		if c.Named > 0 {
			ordered = fmt.Sprintf("named %.0f %%", 100*c.Named)
		}
		p.f("%-40s %8s %10s %12.2f %9s %12.2f\n", c.Name, found, delay, c.FalseRow, ordered, c.FalseOrd)
	}
	p.f("(false alarms and orders per signal-month)\n")
}
