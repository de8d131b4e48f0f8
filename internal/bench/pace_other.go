//go:build !linux

package bench

import "time"

func precise() {}

// sleepUntil waits for t.
func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
