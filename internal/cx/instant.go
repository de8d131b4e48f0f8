package cx

import (
	"strconv"
	"time"
)

// Instant is a point in time in microseconds since 1970-01-01T00:00:00Z, UTC.
// The zero Instant means "not known". Calendars never live in an Instant:
// functions that need days or weeks take a *time.Location and say so.
type Instant int64

// Second, Minute, Hour and Day are spans in microseconds, for arithmetic on
// Instants. A Day is 24 hours; calendar days need a zone.
const (
	Millisecond Instant = 1_000
	Second      Instant = 1_000 * Millisecond
	Minute      Instant = 60 * Second
	Hour        Instant = 60 * Minute
	Day         Instant = 24 * Hour
)

// InstantOf converts t, dropping everything below a microsecond. The zero
// time.Time becomes the zero Instant.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMicro())
}

// Time returns i as a time.Time in UTC; the zero Instant gives the zero Time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// Add returns i moved by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d/time.Microsecond) }

// Sub returns the span from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Microsecond }

// String formats i as RFC 3339 with microseconds, UTC; "" for the zero Instant.
func (i Instant) String() string {
	if i == 0 {
		return ""
	}
	return i.Time().Format("2006-01-02T15:04:05.000000Z")
}

// MarshalJSON writes the same text as String, or null.
func (i Instant) MarshalJSON() ([]byte, error) {
	if i == 0 {
		return []byte("null"), nil
	}
	return []byte(strconv.Quote(i.String())), nil
}

// UnmarshalJSON reads what MarshalJSON wrote, and any RFC 3339 time.
func (i *Instant) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*i = 0
		return nil
	}
	var t time.Time
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	*i = InstantOf(t)
	return nil
}
