package load

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Report says what became of a load.
type Report struct {
	Sent, Received   int // messages; received counts every copy
	Lost, Duplicated int // numbers that never came; copies beyond the first
	Reordered        int // first copies that came after a higher number
	Unknown          int // of no device of this load, or of a number never sent
	Devices          []DeviceReport
}

// DeviceReport names a device that lost or repeated something.
type DeviceReport struct {
	Device           string
	Sent             int
	Lost, Duplicated []int // sequence numbers, ascending; a copy each
}

// Verify compares what was received, in the order of arrival, with the first n
// messages of the load. Only devices with something to tell are listed.
func (g *Generator) Verify(n int, received iter.Seq2[string, int]) Report {
	r := Report{Sent: n}
	copies := make([][]uint8, g.cfg.Devices)
	highest := make([]int, g.cfg.Devices)
	for i := range copies {
		copies[i] = make([]uint8, g.Sent(i, n))
	}
	for device, seq := range received {
		i, ok := g.index(device)
		if !ok || seq < 1 || seq > len(copies[i]) {
			r.Unknown++
			continue
		}
		r.Received++
		c := &copies[i][seq-1]
		if *c == 0 && seq < highest[i] {
			r.Reordered++
		}
		highest[i] = max(highest[i], seq)
		if *c < 255 {
			*c++
		}
	}
	for i, seen := range copies {
		d := DeviceReport{Device: g.Device(i), Sent: len(seen)}
		for s, c := range seen {
			if c == 0 {
				d.Lost = append(d.Lost, s+1)
			}
			for range int(c) - 1 {
				d.Duplicated = append(d.Duplicated, s+1)
			}
		}
		r.Lost += len(d.Lost)
		r.Duplicated += len(d.Duplicated)
		if len(d.Lost)+len(d.Duplicated) > 0 {
			r.Devices = append(r.Devices, d)
		}
	}
	return r
}

func (g *Generator) index(device string) (int, bool) {
	number, ok := strings.CutPrefix(device, g.cfg.Name+"-")
	i, err := strconv.Atoi(number)
	return i, ok && err == nil && i >= 0 && i < g.cfg.Devices && len(number) >= 6
}

// Print writes the report for people: the sums, and the worst ten devices.
func (r Report) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "sent %d, received %d, lost %d, duplicated %d, out of order %d, unknown %d\n",
		r.Sent, r.Received, r.Lost, r.Duplicated, r.Reordered, r.Unknown)
	worst := slices.SortedStableFunc(slices.Values(r.Devices), func(a, b DeviceReport) int {
		return cmp.Compare(len(b.Lost)+len(b.Duplicated), len(a.Lost)+len(a.Duplicated))
	})
	for _, d := range worst[:min(10, len(worst))] {
		if err == nil {
			_, err = fmt.Fprintf(w, "%s: %d of %d lost%s, %d duplicated%s\n", d.Device,
				len(d.Lost), d.Sent, spans(d.Lost), len(d.Duplicated), spans(d.Duplicated))
		}
	}
	return err
}

// spans writes numbers as ranges, at most four of them.
func spans(numbers []int) string {
	var out []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] <= numbers[j]+1 {
			j++
		}
		if len(out) == 4 {
			out = append(out, "…")
			break
		}
		if numbers[i] == numbers[j] {
			out = append(out, strconv.Itoa(numbers[i]))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}
