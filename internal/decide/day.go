package decide

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// day remembers the calendar day it was last asked about. What it answers does
// not depend on what it was asked before.
type day struct {
	zone       *time.Location
	start, end cx.Instant // half open; all within one calendar day of zone
}

// startOf returns what startOfDay does.
func (d *day) startOf(t cx.Instant, zone *time.Location) cx.Instant {
	if zone == nil {
		zone = time.UTC
	}
	if zone == d.zone && t >= d.start && t < d.end {
		return d.start
	}
	start := startOfDay(t, zone)
	end := startOfDay(start+36*cx.Hour, zone)
	if !sameDay(start, t, zone) || !sameDay(end-1, t, zone) {
		return start // the clocks are put forward or back at midnight
	}
	*d = day{zone, start, end}
	return start
}

func sameDay(a, b cx.Instant, zone *time.Location) bool {
	y, m, d := a.Time().In(zone).Date()
	y2, m2, d2 := b.Time().In(zone).Date()
	return y == y2 && m == m2 && d == d2
}

// startOfDay returns the start of t's calendar day in zone, UTC when it is nil.
func startOfDay(t cx.Instant, zone *time.Location) cx.Instant {
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := t.Time().In(zone).Date()
	return cx.InstantOf(time.Date(y, m, d, 0, 0, 0, 0, zone))
}
