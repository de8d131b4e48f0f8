package cx

import (
	"strconv"
	"time"
)

// Aggregate is how the values of a field are put together.
type Aggregate uint8

// The aggregates. The numbers are part of the format.
const (
	Count    Aggregate = 1 // how many events
	SumOf    Aggregate = 2 // exact total, per currency
	Min      Aggregate = 3
	Max      Aggregate = 4
	Avg      Aggregate = 5
	First    Aggregate = 6 // value of the earliest event
	Last     Aggregate = 7 // value of the latest event
	Distinct Aggregate = 8 // how many different values; exact to 256, then HyperLogLog
	TopN     Aggregate = 9 // most frequent values with their error
	RecentN  Aggregate = 10
	LastTime Aggregate = 11 // when the latest event happened
)

var aggregateNames = [...]string{"", "count", "sum", "min", "max", "avg", "first", "last", "distinct", "top", "recent", "last_time"}

// String names the aggregate as rules write it.
func (a Aggregate) String() string { return aggregateNames[a] }

// WindowKind is the shape of a window.
type WindowKind uint8

// The shapes. The numbers are part of the format.
const (
	AllTime         WindowKind = 1
	Session         WindowKind = 2 // the running session; empty once it has ended
	PreviousSession WindowKind = 3 // the session before the running one; the last one when none runs
	Sliding         WindowKind = 4 // the Length before log time, error at most Length/64
	CalendarDay     WindowKind = 5 // today in the workspace's zone
	CalendarWeek    WindowKind = 6 // this week, from Monday
	CalendarMonth   WindowKind = 7
)

// Window is a span of time that ends at log time. It is comparable.
type Window struct {
	Kind   WindowKind
	Length time.Duration // Sliding only: 1 minute to 3 years, whole seconds
}

// String writes the window as rules do: session, previous_session, 30m, 7d,
// day, week, month, all.
func (w Window) String() string {
	switch w.Kind {
	case AllTime:
		return "all"
	case Session:
		return "session"
	case PreviousSession:
		return "previous_session"
	case CalendarDay:
		return "day"
	case CalendarWeek:
		return "week"
	case CalendarMonth:
		return "month"
	case Sliding:
		for _, u := range [...]struct {
			d time.Duration
			s string
		}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
			if w.Length%u.d == 0 {
				return strconv.FormatInt(int64(w.Length/u.d), 10) + u.s
			}
		}
		return strconv.FormatInt(int64(w.Length/time.Second), 10) + "s"
	}
	return "?"
}

// ParseWindow reads what String writes; h, m and s may be mixed with any whole
// number, and d means 24 hours. ok is false for anything else, or for a sliding
// window shorter than a minute or longer than three years.
func ParseWindow(s string) (w Window, ok bool) {
	switch s {
	case "all":
		return Window{Kind: AllTime}, true
	case "session":
		return Window{Kind: Session}, true
	case "previous_session":
		return Window{Kind: PreviousSession}, true
	case "day":
		return Window{Kind: CalendarDay}, true
	case "week":
		return Window{Kind: CalendarWeek}, true
	case "month":
		return Window{Kind: CalendarMonth}, true
	}
	d, ok := ParseSpan(s)
	if !ok || d < time.Minute || d > 3*366*24*time.Hour {
		return Window{}, false
	}
	return Window{Kind: Sliding, Length: d}, true
}

// ParseSpan reads a whole number and a unit: 45s, 30m, 36h, 10d, 4w.
func ParseSpan(s string) (time.Duration, bool) {
	if len(s) < 2 {
		return 0, false
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || unit == 0 || n == 0 || time.Duration(n) > (1<<62)/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// StatisticSpec says which aggregate of which events over which window is
// wanted. It is comparable: two rules that want the same statistic share it.
type StatisticSpec struct {
	Aggregate Aggregate
	Event     EventName // "" means any event
	Field     string    // dotted path into the event's properties; "" for Count and LastTime
	Times     string    // a second path multiplied in, exactly; "" for none
	Currency  Currency  // SumOf, Min, Max and Avg of money: which currency; "" is the workspace's
	Window    Window
	N         int // TopN and RecentN: how many, 1 to 30
}

// String writes the spec the way a rule calls it.
func (s StatisticSpec) String() string {
	if s.Event == "" {
		return s.call("*")
	}
	return s.call(s.Event)
}

// Key names the spec in what is stored. It is String with "" for any event.
func (s StatisticSpec) Key() string { return s.call(s.Event) }

func (s StatisticSpec) call(event EventName) string {
	out := s.Aggregate.String() + "(" + strconv.Quote(string(event))
	if s.Field != "" {
		f := s.Field
		if s.Times != "" {
			f += " * " + s.Times
		}
		out += ", " + strconv.Quote(f)
	}
	if s.N > 0 {
		out += ", " + strconv.Itoa(s.N)
	}
	out += ", " + strconv.Quote(s.Window.String())
	if s.Currency != "" {
		out += ", " + strconv.Quote(string(s.Currency))
	}
	return out + ")"
}

// Statistics answers what a rule asks of a customer's statistics. slot is the
// number that the published definitions gave the spec.
type Statistics interface {
	// Value returns the statistic's value at the log time of the step: Missing
	// when nothing was folded into it and it has no natural zero, Unknown while
	// it is being back-filled.
	Value(slot int) Value
}
