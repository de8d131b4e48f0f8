package rule

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Scope is what a rule sees. One is reused for many evaluations; nothing in it
// may change during one.
type Scope struct {
	Event      *cx.Event      // nil when evaluated on a timer: event.* is then missing
	Fields     cx.Fields      // the event's properties, opened one level
	Customer   *cx.Customer   // nil: no traits, nobody known, no session, in no segment
	Statistics cx.Statistics  // nil: every statistic is missing
	Now        cx.Instant     // log time
	Zone       *time.Location // the workspace's, for time.*; nil is UTC
	Unsure     []uint64       // bit i: who is in the segment with slot i cannot be known yet
	Counted    Counted        // for Explain only

	turns map[*node]turning // what Wake knows of conditions on the clock
}

// Counted says since when statistics count that do not count everything, and the
// same of the segments that hang on them, by slot.
type Counted struct{ Statistics, Segments map[int]cx.Instant }

// unsure reports whether the memberships of the segment in slot cannot be known
// yet.
func (s *Scope) unsure(slot int) bool {
	return slot>>6 < len(s.Unsure) && s.Unsure[slot>>6]&(1<<(slot&63)) != 0
}

// Truth is what a condition came to. The zero Truth is False.
type Truth uint8

// The truths. An error, such as a field that the event does not have, makes a
// condition False: Explain tells why. Unknown means that the answer hangs on a
// statistic that is still being back-filled.
const (
	False Truth = iota
	True
	Unknown
)

var truthNames = [...]string{"false", "true", "unknown"}

// String names the truth.
func (t Truth) String() string { return truthNames[t] }

// Env is what rules are compiled against: the names that one published set of
// definitions knows. It is not changed by Compile.
type Env struct {
	// Slot gives the slot of a statistic, allocating one when it has none. It is
	// called once for each distinct statistic of a rule that has passed the type
	// check. nil refuses statistics.
	Slot func(cx.StatisticSpec) int
	// Segments maps the names that segment("…") may use to their slots.
	Segments map[string]int
	// Names maps the names of shared expressions to their sources. A name stands
	// for its expression anywhere in a rule, in parentheses so to speak.
	Names map[string]string
	// Schema is what events have looked like so far; nil means nothing is known
	// and nothing is checked against it.
	Schema Schema
	// Strict makes an error of what is a warning otherwise.
	Strict bool
}

// Schema tells, for each event seen so far, the dotted paths of its properties
// and the kinds of value seen there. An array is crossed without a step of its
// own: products.price.
type Schema map[cx.EventName]map[string]Kinds

// Kinds is a set of cx.ValueKind.
type Kinds uint16

// KindsOf returns the set of the kinds given.
func KindsOf(kinds ...cx.ValueKind) Kinds {
	var k Kinds
	for _, kind := range kinds {
		k |= 1 << kind
	}
	return k
}

// Has reports whether kind is in the set.
func (k Kinds) Has(kind cx.ValueKind) bool { return k&(1<<kind) != 0 }

// Type is what a rule yields.
type Type uint8

// The types. Anything is decided by the value at hand: a field of an event may
// hold text today and a number tomorrow.
const (
	Anything Type = iota
	Condition
	Number
	Text
	List
)

var typeNames = [...]string{"any value", "true or false", "a number", "text", "a list"}

// String names the type for people.
func (t Type) String() string { return typeNames[t] }

// Statistic is one statistic that a rule reads, and its slot.
type Statistic struct {
	Slot int
	Spec cx.StatisticSpec
}

// Threshold is a moment at which since(…) passes the constant it is compared
// with: After microseconds after the latest event of the LastTime statistic in
// Slot.
type Threshold struct {
	Slot  int
	After cx.Instant
}

// Deps is everything that a rule looks at. Lists are sorted and have no
// duplicates.
type Deps struct {
	Statistics []Statistic    // by slot; includes the LastTime ones behind since
	Thresholds []Threshold    // by slot, then time
	Traits     []string       // names of traits
	AnyTrait   bool           // looks at the traits as a whole
	Segments   []int          // slots of other segments
	Events     []cx.EventName // the rule can hold only on these events; nil: on any
	Event      bool           // looks at the event at hand
	Session    bool           // session.running, session.number
	Visit      bool           // session.events, session.duration: new with every event
	Links      bool           // customer.known, customer.claimed
	Clock      bool           // time.*
}
