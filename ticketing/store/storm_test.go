package store_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

var (
	seeds  = flag.Int("seeds", 3, "storms on each database")
	events = flag.Int("events", 200, "steps of episodes in each storm")
	child  = flag.String("child", "", "database that a child process of the kill test writes to")
	from   = flag.Int("from", 0, "where the child process goes on")
)

// The sizes of the issue, 10,000 events over 50 seeds, are
// go test -run Pain05 -seeds 50 -events 200; 10,000 in each storm -events 10000.

// PAINS 5: two alarms or tickets for one fault, made by concurrency, by a second
// worker, or by telling the same thing twice.
func TestPain05OneOrderPerFaultUnderConcurrentAndRepeatedSteps(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		storms(t, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "orders.db") })
	})
	t.Run("postgresql", func(t *testing.T) {
		server := storetest.StartPostgres(t)
		storms(t, func(t *testing.T) string { return server.URL(t) })
	})
}

func storms(t *testing.T, url func(t *testing.T) string) {
	base := rand.Uint64()
	for i := range *seeds {
		seed := base + uint64(i)
		t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
			s := open(t, store.Config{URL: url(t), Warranty: 1000 * time.Hour, Effects: storetest.TellEverybody()})
			defer s.Close()
			// What follows outside is told to a webhook that answers 500, 429 or, after
			// it did what was asked, nothing in time.
			outside := storetest.StartOutside(t, s, storetest.NewReceiver(t, seed, 20), storetest.Desk(), 2)
			storetest.Storm(t, s, seed, *events)
			outside.Check(t)
		})
	}
}

// What was said to be done is there after a kill at any moment, whole, and doing
// it again changes nothing.
func TestKilledAtRandomMoments(t *testing.T) {
	run := func(t *testing.T, url string) {
		if s := open(t, store.Config{URL: url}); s != nil { // the schema is not what is killed here
			s.Close()
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		said := 0
		for range 8 {
			said = killed(t, url, said, time.Duration(20+random.IntN(180))*time.Millisecond)
			s := open(t, store.Config{URL: url})
			storetest.CheckWhole(t, s)
			stats, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			orders := 0
			for _, st := range stats {
				orders += int(st.Count)
			}
			if orders < said || orders > said+childBatch {
				t.Errorf("the process had said %d orders, there are %d", said, orders)
			}
			p, err := s.Position(t.Context(), "demo")
			if err != nil || int(p.Seq) != orders {
				t.Errorf("the position is %d after %d orders, %v", p.Seq, orders, err)
			}
			if o, err := s.Order(t.Context(), fmt.Sprintf("demo-%d", max(1, said))); said > 0 && (err != nil || o.State != ticketing.Accepted) {
				t.Errorf("the newest accepted order is %+v, %v", o, err)
			}
			s.Close()
		}
		if said == 0 {
			t.Error("the process was killed before it did anything")
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "orders.db")) })
	t.Run("postgresql", func(t *testing.T) { run(t, storetest.StartPostgres(t).URL(t)) })
}

const childBatch = 5

// killed runs a child that opens orders and accepts them from number said+1 on,
// kills it after a while of work, and returns up to which number it said that
// all was done.
func killed(t *testing.T, url string, said int, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-child="+url, fmt.Sprintf("-from=%d", said))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil { // it is at work now
			kill = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "done %d", &n); err == nil {
			said = n
		} else if !strings.HasPrefix(lines.Text(), "begin") {
			t.Errorf("the child says %q", lines.Text())
			cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	return said
}

// TestChild is the process that is killed; by itself it has nothing to do.
func TestChild(t *testing.T) {
	if *child == "" {
		return
	}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URL: *child})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Begin(ctx, "demo", 1)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("begin", p.Seq)
	for n := *from; ; n += childBatch {
		var steps []rules.Transition
		for seq := uint64(n + 1); seq <= uint64(n+childBatch); seq++ {
			steps = append(steps, storetest.Step(fmt.Sprintf("pump-%d", seq), "motor.overload", seq, seq, rules.Active, rules.Medium))
		}
		if err := s.ApplyTransitions(ctx, "demo", 1, uint64(n+childBatch), storetest.T0, steps); err != nil {
			t.Fatal(err)
		}
		for i := range steps {
			c := ticketing.Command{Verb: ticketing.DoAccept, Order: ticketing.OrderID(steps[i].Episode), By: "li.na", Via: "api", Key: fmt.Sprint(steps[i].Seq), Version: 1, Arrived: storetest.T0.Add(time.Hour)}
			if _, _, err := s.Command(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println("done", n+childBatch)
	}
}
