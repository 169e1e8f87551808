package history

import (
	"fmt"
	"os"
	"testing"

	"github.com/facilityd/facilityd/devices/history/influxtest"
)

// influx is the server that the tests share, each with a bucket of its own.
var influx *influxtest.Server

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "influx")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if influx, err = influxtest.Launch(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer influx.Stop()
	return m.Run()
}
