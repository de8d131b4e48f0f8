//go:build chaos

package fault

import (
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// wrong is by how many nanoseconds the clock is wrong.
var wrong atomic.Int64

func init() {
	if file := os.Getenv(ClockVariable); file != "" {
		readClock(file)
		go func() {
			for range time.Tick(5 * time.Millisecond) {
				readClock(file)
			}
		}()
	}
}

// readClock takes up what the file says; one that is missing or is being
// written changes nothing.
func readClock(file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if d, err := time.ParseDuration(strings.TrimSpace(string(b))); err == nil {
		wrong.Store(int64(d))
	}
}

// Now is the wall clock. Like a real one that jumps, and unlike the monotonic
// one, it may go back.
func Now() time.Time {
	d := time.Duration(wrong.Load())
	if d == 0 {
		return time.Now()
	}
	return time.Now().Round(0).Add(d)
}
