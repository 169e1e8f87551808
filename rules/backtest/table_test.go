package backtest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices"
)

// yard is a site of a few devices.
func yard() *devices.Site {
	return &devices.Site{
		ID: "yard", Location: time.FixedZone("CST", 8*3600),
		Assets: []devices.Asset{{ID: "lift-1", Class: "elevator"}},
		Devices: []devices.DeviceSpec{
			{ID: "pump-1", Class: "pump", Interval: time.Minute}, {ID: "pump-2", Class: "pump", Interval: time.Minute},
			{ID: "cabin-1", Asset: "lift-1"},
		},
	}
}

func readTable(t *testing.T, text string, o TableOptions) (Read, []string) {
	t.Helper()
	inv := NewInventory(yard(), nil)
	o.File, o.Location = "march.csv", yard().Location
	var got []string
	read, err := ReadTable(strings.NewReader(text), inv, o, func(r devices.Reading) {
		v := fmt.Sprint(r.Value)
		if r.Text != "" {
			v += " " + r.Text
		}
		got = append(got, fmt.Sprintf("%s %s/%s %s %s", time.Unix(0, r.Time).UTC().Format("01-02 15:04:05.999"), r.Point.Device.ID, r.Point.Name, v, r.Quality))
	})
	if err != nil {
		t.Fatal(err)
	}
	return read, got
}

func TestATableIsReadInTheOrderOfTime(t *testing.T) {
	read, _ := readTable(t, "\ufefftime,device,point,value,quality,note\n"+
		"2026-03-01T08:00:02+08:00,pump-1,bearing_temp,61.5,,a\n"+
		"2026-03-01 08:00:01,pump-2,running,true,good,\n"+
		"1772323200,cabin-1,fault_code,door_open_blocked,good,\n"+
		"1772323200500,cabin-1,fault_code,2,uncertain,\n"+
		"2026-03-01T00:00:03Z,pump-1,bearing_temp,,,\n"+
		"2026-03-01T00:00:04Z,pump-1,bearing_temp,7e1,bad,\n"+
		"2026-03-01T00:00:05Z,pump-1,availability,offline,,\n", TableOptions{})
	words := devices.RoleByName("fault_code").Words
	word := ""
	for _, w := range words {
		if w.Code == 2 {
			word = w.Name
		}
	}
	if len(read.Findings) != 1 || !strings.Contains(read.Findings[0].Message, `value of cabin-1 fault_code is "door_open_blocked"`) {
		t.Fatalf("findings: %v", read.Findings)
	}
	read, got := readTable(t, "time,device,point,value,quality\n"+
		"2026-03-01T08:00:02+08:00,pump-1,bearing_temp,61.5,\n"+
		"2026-03-01 08:00:01,pump-2,running,true,good\n"+
		"1772323200,cabin-1,fault_code,"+word+",good\n"+
		"1772323200500,cabin-1,fault_code,2,uncertain\n"+
		"2026-03-01T00:00:03Z,pump-1,bearing_temp,,\n"+
		"2026-03-01T00:00:04Z,pump-1,bearing_temp,7e1,bad\n"+
		"2026-03-01T00:00:05Z,pump-1,availability,offline,\n", TableOptions{})
	want := []string{
		"03-01 00:00:00 cabin-1/fault_code 2 " + word + " good",
		"03-01 00:00:00.5 cabin-1/fault_code 2 " + word + " uncertain",
		"03-01 00:00:01 pump-2/running 1 good",
		"03-01 00:00:02 pump-1/bearing_temp 61.5 good",
		"03-01 00:00:03 pump-1/bearing_temp NaN bad",
		"03-01 00:00:04 pump-1/bearing_temp NaN bad",
		"03-01 00:00:05 pump-1/availability 0 offline good",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(read.Findings) > 0 || read.Rows != 7 {
		t.Errorf("%+v", read)
	}
}

func TestASemicolonTableMayHaveDecimalCommas(t *testing.T) {
	_, got := readTable(t, "Time;Device;Point;Value\r\n2026/3/1 8:00;pump-1;bearing_temp;61,5\r\n", TableOptions{})
	if diff := cmp.Diff([]string{"03-01 00:00:00 pump-1/bearing_temp 61.5 good"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestATableSaysWhatIsWrongWhere: file, line, column, what was found, and what
// would be right.
func TestATableSaysWhatIsWrongWhere(t *testing.T) {
	head := "time,device,point,value\n"
	for _, c := range []struct{ text, want string }{
		{"", "march.csv:1:1: error: the table is empty (its first line is time,device,point,value)"},
		{"time,device,points,value\n", `march.csv:1:1: error: there is no column "point" (is it "points"? the first line is time,device,point,value)`},
		{head + "yesterday,pump-1,bearing_temp,1\n", `march.csv:2:1: error: time is "yesterday" (2026-03-01T08:00:00+08:00, 2026-03-01 08:00:00 or Unix seconds)`},
		{head + "1772323200,pump1,bearing_temp,1\n", `march.csv:2:12: error: nothing says what device "pump1" is (did you mean "pump-1"? in the site file: devices: [{id: pump1, class: pump}])`},
		{head + "1772323200,pump-1,bearing_temp,hot\n", `march.csv:2:32: error: value of pump-1 bearing_temp is "hot" (a number in °C)`},
		{head + "1772323200,pump-1,running,maybe\n", `march.csv:2:27: error: value of pump-1 running is "maybe" (true or false)`},
		{head + "1772323200,pump-1,bearing_temp\n", "march.csv:2:1: error: wrong number of fields (a row has as many values as the first line has names)"},
		{"time,device,point,value,quality\n1772323200,pump-1,bearing_temp,1,fine\n", `march.csv:2:34: error: quality is "fine" (one of: good, uncertain, bad)`},
		{head + "1772323200,pump-1,bearing_tmp,1\n", `march.csv: warning: point "bearing_tmp" of 1 devices means nothing to rules and is not used (did you mean "bearing_temp"?)`},
	} {
		read, _ := readTable(t, c.text, TableOptions{})
		if len(read.Findings) == 0 || read.Findings[0].String() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, read.Findings, c.want)
		}
	}
	many := head + strings.Repeat("1772323200,pump-1,bearing_temp,hot\n", 1000)
	if read, _ := readTable(t, many, TableOptions{}); len(read.Findings) != maxFindings {
		t.Errorf("%d findings of a thousand", len(read.Findings))
	}
}

// TestALongTableMustBeInOrder: what is longer than there is room for cannot be
// sorted, and is not silently judged in the wrong order.
func TestALongTableMustBeInOrder(t *testing.T) {
	rows := "time,device,point,value\n"
	for k := range 100 {
		rows += fmt.Sprintf("%d,pump-1,bearing_temp,%d\n", 1772323200+k, k)
	}
	if read, got := readTable(t, rows, TableOptions{Room: 10}); len(read.Findings) > 0 || len(got) != 100 {
		t.Errorf("in order: %d readings, %v", len(got), read.Findings)
	}
	for _, late := range []int{5, 50} {
		lines := strings.SplitAfter(rows, "\n")
		lines[late], lines[late+1] = lines[late+1], lines[late]
		read, _ := readTable(t, strings.Join(lines, ""), TableOptions{Room: 10})
		want := fmt.Sprintf("march.csv:%d:1: error: this row is older than the one before (a table of more than 10 rows must be in the order of time; sort it first)", late+2)
		if len(read.Findings) != 1 || read.Findings[0].String() != want {
			t.Errorf("line %d: %v", late, read.Findings)
		}
	}
}

func TestOnlyTheTimeThatIsAskedForIsRead(t *testing.T) {
	rows := "time,device,point,value\n1772323200,pump-1,bearing_temp,1\n1772323260,pump-1,bearing_temp,2\n1772323320,pump-1,bearing_temp,3\n"
	o := TableOptions{From: time.Unix(1772323260, 0), To: time.Unix(1772323320, 0)}
	if read, got := readTable(t, rows, o); len(got) != 1 || read.Rows != 3 || !read.First.Equal(o.From) {
		t.Errorf("%v %+v", got, read)
	}
	o.From, o.To = time.Unix(1772333260, 0), time.Time{}
	if read, _ := readTable(t, rows, o); len(read.Findings) != 1 || !strings.Contains(read.Findings[0].Message, "no row that rules look at") {
		t.Errorf("%v", read.Findings)
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add("time,device,point,value,quality\n2026-03-01T00:00:00Z,pump-1,bearing_temp,61.5,good\n")
	f.Add("time;device;point;value\n1772323200;pump-1;running;on\n1772323100;cabin-1;fault_code;2\n")
	f.Add("\ufeffquality\tvalue\tpoint\tdevice\ttime\nbad\t\"a\nb\"\tseq\tpump-2\t1772323200500\n")
	f.Fuzz(func(t *testing.T, text string) {
		last := int64(math.MinInt64)
		read, err := ReadTable(strings.NewReader(text), NewInventory(yard(), nil), TableOptions{File: "f", Room: 4}, func(r devices.Reading) {
			if r.Time < last || r.Point == nil || r.Quality == devices.Bad != (r.Value != r.Value) && r.Point.Kind == devices.Gauge {
				t.Errorf("%+v after %d", r, last)
			}
			last = r.Time
		})
		if err != nil {
			t.Error(err)
		}
		if len(read.Findings) == 0 && read.First.After(read.Last) {
			t.Errorf("%+v", read)
		}
	})
}
