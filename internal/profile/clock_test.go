package profile

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestTimeOfAnEvent is about clocks: what the client says, when we received it,
// and log time, which never goes back.
func TestTimeOfAnEvent(t *testing.T) {
	const now = 1_800_000_000 * cx.Second
	for _, c := range []struct {
		what           string
		time, received cx.Instant
		flags          cx.EventFlags
		want           cx.Instant
	}{
		{"no time", 0, now, 0, now},
		{"just now", now - cx.Second, now, 0, now - cx.Second},
		{"appended late", now - 6*cx.Second, now - 5*cx.Second, 0, now - 6*cx.Second},
		{"an hour old", now - cx.Hour, now, 0, now - cx.Hour},
		{"older than a week", now - 8*cx.Day, now, 0, now - 7*cx.Day},
		{"ahead of log time", now + cx.Hour, now, 0, now},
		{"the clock has gone back an hour", now - cx.Hour, now - cx.Hour, 0, now},
		{"and the event is a minute old", now - cx.Hour - cx.Minute, now - cx.Hour, 0, now - cx.Minute},
		{"the clock has gone back a year", now - 365*cx.Day - cx.Second, now - 365*cx.Day, 0, now - cx.Second},
		{"history", now - 365*cx.Day, now - cx.Hour, cx.Historical, now - 365*cx.Day},
		{"received by nobody", now - cx.Hour, 0, 0, now - cx.Hour},
	} {
		if got := timeOf(&cx.Event{Time: c.time, ReceivedAt: c.received, Flags: c.flags}, now); got != c.want {
			t.Errorf("%s: it happened %v before log time, want %v", c.what, now.Sub(got), now.Sub(c.want))
		}
	}
}
