package profile

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// span is a stretch of time within one civil day of a zone, in which the zone's
// offset from UTC does not change either.
type span struct {
	zone       *time.Location
	start, end cx.Instant // half open
	day        int64      // civil days since 1970-01-01
	week       int64      // day number of its Monday
	month      int64      // months since January of year 0

	ends [3]cx.Instant // of the day, the week and the month; 0 until asked for
}

const (
	earliest = cx.Instant(-1 << 62)
	latest   = cx.Instant(1 << 62)
)

// spanAt returns the span of zone that holds t.
func spanAt(zone *time.Location, t cx.Instant) span {
	local := time.UnixMicro(int64(t)).In(zone)
	_, offset := local.Zone()
	shift := cx.Instant(offset) * cx.Second
	day := floorDiv(t+shift, cx.Day)
	s := span{zone: zone, start: cx.Instant(day)*cx.Day - shift, day: day}
	s.end = s.start + cx.Day
	since, until := local.ZoneBounds()
	if !since.IsZero() {
		s.start = max(s.start, cx.Instant(since.UnixMicro()))
	}
	if !until.IsZero() {
		s.end = min(s.end, cx.Instant(until.UnixMicro()))
	}
	year, month, _ := local.Date()
	s.week = day - int64(local.Weekday()+6)%7
	s.month = int64(year)*12 + int64(month) - 1
	return s
}

// key returns the number of the calendar period of kind that the span is in.
func (s *span) key(kind cx.WindowKind) int64 {
	switch kind {
	case cx.CalendarWeek:
		return s.week
	case cx.CalendarMonth:
		return s.month
	default:
		return s.day
	}
}

// move makes s the span of zone that holds t; it costs little when it is that
// already.
func (s *span) move(zone *time.Location, t cx.Instant) {
	if s.zone != zone || t < s.start || t >= s.end {
		*s = spanAt(zone, t)
	}
}

// periodEnd returns the first instant after the span that is in another calendar
// period of kind. Days may be 23 or 25 hours long, or begin at one o'clock.
func (s *span) periodEnd(kind cx.WindowKind) cx.Instant {
	end := &s.ends[kind-cx.CalendarDay]
	if *end != 0 {
		return *end
	}
	next := *s
	for next.key(kind) == s.key(kind) {
		next = spanAt(s.zone, next.end)
	}
	*end = next.start
	return *end
}
