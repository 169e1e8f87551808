package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing/store"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

var (
	walkSteps = flag.Int("walk", 60, "commands of each user in a walk")
	walker    = flag.String("walker", "", "database that a child process of the walk writes to")
	walkSeed  = flag.Uint64("walk-seed", 0, "seed of the child process")
	walked    = flag.String("walked", "", "file with what was told before the child process")
)

// Many users do at once whatever comes to mind; every answer and every log is what
// a small model of the life of an order says.
func TestManyUsersWalkAtRandomAsTheModelSays(t *testing.T) {
	run := func(t *testing.T, url string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		s := open(t, storetest.WalkConfig(url))
		defer s.Close()
		var told []storetest.Told
		w := storetest.Walk{Seed: seed, Users: 5, Steps: *walkSteps, Tell: func(x storetest.Told) { told = append(told, x) }}
		if err := w.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		storetest.Judge(t, s, told)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "orders.db")) })
	t.Run("postgresql", func(t *testing.T) { run(t, storetest.StartPostgres(t).URL(t)) })
}

// The same, with the process killed in the middle, again and again: what was
// answered is in the log, what was asked and not answered is there whole or not at
// all, and asking it again does it once.
func TestWalkKilledAtRandomPointsIsWhole(t *testing.T) {
	run := func(t *testing.T, url string) {
		open(t, storetest.WalkConfig(url)).Close() // the schema is not what is killed here
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		var told []storetest.Told
		for range 4 {
			before := len(told)
			told = append(told, walkAndKill(t, url, seed, told, time.Duration(30+random.IntN(250))*time.Millisecond)...)
			s := open(t, storetest.WalkConfig(url))
			storetest.Judge(t, s, told)
			s.Close()
			if len(told) == before {
				t.Error("the walk was killed before it began")
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "orders.db")) })
	t.Run("postgresql", func(t *testing.T) { run(t, storetest.StartPostgres(t).URL(t)) })
}

// walkAndKill lets a child go on with a walk, kills it after a while of work, and
// returns what it told.
func walkAndKill(t *testing.T, url string, seed uint64, told []storetest.Told, after time.Duration) (more []storetest.Told) {
	t.Helper()
	data, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "told.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWalker$", "-walker="+url, fmt.Sprintf("-walk-seed=%d", seed), "-walked="+file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil { // it is at work now
			kill = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		var x storetest.Told
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			continue // the line that the kill cut off; anything else was not told
		}
		more = append(more, x)
	}
	_ = cmd.Wait() // it was killed
	return more
}

// TestWalker is the process that is killed; by itself it has nothing to do.
func TestWalker(t *testing.T) {
	if *walker == "" {
		return
	}
	data, err := os.ReadFile(*walked)
	if err != nil {
		t.Fatal(err)
	}
	w := storetest.Walk{Seed: *walkSeed, Users: 5}
	if err := json.Unmarshal(data, &w.Done); err != nil {
		t.Fatal(err)
	}
	out := json.NewEncoder(os.Stdout)
	w.Tell = func(x storetest.Told) {
		if err := out.Encode(x); err != nil {
			t.Error(err)
		}
	}
	s, err := store.Open(context.Background(), storetest.WalkConfig(*walker))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}
