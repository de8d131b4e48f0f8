package profile

import (
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

// A customer is flooding from the event that makes a tenth second in a row of
// log time hot, that is, gives it more than 50 events; and no longer from the
// first event after 60 seconds in a row that were not hot. Duplicates do not
// count.
const (
	hotCount     = 50
	floodSeconds = 10
	quietSeconds = 60
)

// countRate counts one event in second now and sets or clears Flooding.
func countRate(c *cx.Customer, now uint32) {
	r := &c.Rate
	if now > r.Second {
		closeSecond(r, now)
	}
	if r.Count < math.MaxUint16 {
		r.Count++
	}
	switch {
	case r.Count > hotCount && r.Hot+1 >= floodSeconds:
		c.Flags |= cx.Flooding
	case r.Quiet >= quietSeconds:
		c.Flags &^= cx.Flooding
	}
}

// closeSecond ends the second that was counted and those without events up to
// now.
func closeSecond(r *cx.Rate, now uint32) {
	if r.Count > hotCount {
		r.Hot, r.Quiet = min(r.Hot+1, floodSeconds), 0
	} else {
		r.Hot, r.Quiet = 0, min(r.Quiet+1, quietSeconds)
	}
	if empty := now - r.Second - 1; empty > 0 {
		r.Hot, r.Quiet = 0, uint8(min(uint32(r.Quiet)+empty, quietSeconds))
	}
	r.Second, r.Count = now, 0
}

// mergeRate keeps the later second; of the same one, the higher counts.
func mergeRate(a, b cx.Rate) cx.Rate {
	if a.Second < b.Second {
		a, b = b, a
	}
	if a.Second == b.Second {
		a.Count, a.Hot, a.Quiet = max(a.Count, b.Count), max(a.Hot, b.Hot), min(a.Quiet, b.Quiet)
	}
	return a
}
