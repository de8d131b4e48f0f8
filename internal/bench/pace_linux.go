package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// precise makes the kernel wake this thread when it asked to be woken, and not
// up to 50 µs later.
func precise() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it the pace is only a little coarser
}

// sleepUntil waits for t on this thread. The runtime's own timers round up to a
// millisecond when the process is idle.
func sleepUntil(t time.Time) {
	for {
		d := time.Until(t)
		if d <= 0 {
			return
		}
		ts := unix.NsecToTimespec(int64(d))
		if err := unix.Nanosleep(&ts, nil); err == nil {
			return
		}
	}
}
