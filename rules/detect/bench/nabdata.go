package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// NABFile is one labelled series of the Numenta Anomaly Benchmark.
type NABFile struct {
	Name     string // "realTweets/Twitter_volume_IBM.csv"
	Category string // first part of Name
	Times    []int64
	Values   []float64
	Windows  [][2]int // inclusive row ranges that hold an anomaly, ascending

	weight []float64 // unweighted sigmoid value of a detection at each row
	window []int     // index into Windows, or outside or probation
}

// Rows that lie in no window.
const (
	outside   = -1
	probation = -2
)

const nabStamp = "2006-01-02 15:04:05"

// LoadNAB reads every labelled series below dir (data/…, labels/combined_windows.json), by name.
func LoadNAB(dir string) ([]*NABFile, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "labels", "combined_windows.json"))
	if err != nil {
		return nil, fmt.Errorf("read NAB labels: %w", err)
	}
	var windows map[string][][2]string
	if err := json.Unmarshal(raw, &windows); err != nil {
		return nil, fmt.Errorf("decode NAB labels: %w", err)
	}
	names := make([]string, 0, len(windows))
	for name := range windows {
		names = append(names, name)
	}
	sort.Strings(names)
	files := make([]*NABFile, 0, len(names))
	for _, name := range names {
		f, err := loadNABFile(dir, name, windows[name])
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func loadNABFile(dir, name string, windows [][2]string) (*NABFile, error) {
	fh, err := os.Open(filepath.Join(dir, "data", filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("open NAB series: %w", err)
	}
	defer fh.Close()
	rows, err := csv.NewReader(fh).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read NAB series %s: %w", name, err)
	}
	f := &NABFile{Name: name, Category: strings.SplitN(name, "/", 2)[0]}
	first := make(map[int64]int, len(rows))
	for i, row := range rows[1:] {
		t, err := time.Parse(nabStamp, row[0])
		if err != nil {
			return nil, fmt.Errorf("%s row %d: %w", name, i+2, err)
		}
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return nil, fmt.Errorf("%s row %d: %w", name, i+2, err)
		}
		ns := t.UnixNano()
		if _, seen := first[ns]; !seen {
			first[ns] = i
		}
		f.Times = append(f.Times, ns)
		f.Values = append(f.Values, v)
	}
	for _, w := range windows {
		var at [2]int
		for k, stamp := range w {
			t, err := time.Parse(nabStamp, strings.SplitN(stamp, ".", 2)[0])
			if err != nil {
				return nil, fmt.Errorf("label of %s: %w", name, err)
			}
			i, ok := first[t.UnixNano()]
			if !ok {
				return nil, fmt.Errorf("label of %s: no row at %s", name, stamp)
			}
			at[k] = i
		}
		f.Windows = append(f.Windows, at)
	}
	f.weigh()
	return f, nil
}

// Probation is the number of first rows of a series of n rows that are not scored.
func Probation(n int) int {
	return min(int(math.Floor(0.15*float64(n))), 750)
}

// sigmoid is the benchmark's value of a detection at relative position y of a window:
// 0.987 at its left edge (y = -1), 0 at its right edge, towards -1 beyond.
func sigmoid(y float64) float64 {
	if y > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*y)) - 1
}

// weigh fills the value of a detection at each row; only preceding windows soften a false one.
func (f *NABFile) weigh() {
	n := len(f.Values)
	f.weight = make([]float64, n)
	f.window = make([]int, n)
	next, in := 0, outside
	prevRight, prevWidth := -1, 0
	for i := range n {
		f.weight[i], f.window[i] = -1, outside
		if in == outside && next < len(f.Windows) && i == f.Windows[next][0] {
			in, next = next, next+1
		}
		if in != outside {
			a, b := f.Windows[in][0], f.Windows[in][1]
			f.weight[i] = sigmoid(-float64(b-i+1) / float64(b-a+1))
			f.window[i] = in
			if i == b {
				prevRight, prevWidth, in = i, b-a+1, outside
			}
		} else if prevRight >= 0 {
			f.weight[i] = sigmoid(float64(i-prevRight) / float64(prevWidth-1))
		}
	}
	for i := range Probation(n) {
		f.window[i] = probation
	}
}
