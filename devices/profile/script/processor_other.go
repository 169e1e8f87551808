//go:build !unix

package script

import (
	"runtime/metrics"
	"time"
)

// processorTime is how long the process has used processors, as of the last
// garbage collection.
func processorTime() time.Duration {
	sample := []metrics.Sample{{Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(sample)
	return time.Duration(sample[0].Value.Float64() * float64(time.Second))
}
