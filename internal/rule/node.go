package rule

import (
	"regexp"

	"cel.dev/cel-go/cel"

	"github.com/kikubari/kikubari/internal/cx"
)

// op is what a node does.
type op uint8

const (
	opConst op = iota
	opNamed    // args[0]: a named expression; text is its name
	opAnd
	opOr
	opNot
	opIf // args: condition, then, else
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opIn    // args: element, list
	opAmong // args: element, then the candidates of a list literal
	opHas   // args[0]: the object; path: what must be there
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opNeg
	opSize
	opContains
	opStartsWith
	opEndsWith
	opMatches
	opPath // args[0]: the object; path: the steps into it
	opCel  // args: the inputs of program

	opStatistic // slot
	opSince     // slot
	opSegment   // slot
	opEventName
	opEventType
	opEventLocale
	opProperties
	opContext
	opTraits
	opKnown
	opClaimed
	opRunning
	opSessionNumber
	opSessionEvents
	opSessionDuration
	opHour
	opMinute
	opWeekday
	opDay
	opMonth
)

// node is one sub-expression of a checked rule.
type node struct {
	op   op
	typ  Type
	args []*node

	konst   cx.Value             // opConst
	slot    int                  // opStatistic, opSince, opSegment
	spec    cx.StatisticSpec     // opStatistic, opSince
	path    []step               // opPath, opHas
	pattern *regexp.Regexp       // opMatches
	program cel.Program          // opCel
	inputs  map[string]valueFunc // opCel: the rule's statistics and segments by variable
	name    string               // opNamed, opSegment

	from *source // where the sub-expression was written
	id   int64   // its id there

	value valueFunc // what n comes to; nil for the open maps
	judge condFunc  // what n comes to as a condition; nil when it is none
	timed bool      // time alone can change n
	clock bool      // n depends on nothing but the clock

	after cx.Instant // opLt to opGe: see Threshold.After; 0 when since is not compared
}

// step is one step into a JSON value: a member by name, or an element by index.
type step struct {
	name  string
	index int
	array bool // index counts, not name
}

// walk calls visit for n and everything under it, parents first, for as long as
// visit returns true.
func (n *node) walk(visit func(*node) bool) {
	if !visit(n) {
		return
	}
	for _, a := range n.args {
		a.walk(visit)
	}
}

// readsEvent reports whether n or anything under it looks at the event at hand.
func (n *node) readsEvent() bool {
	reads := false
	n.walk(func(n *node) bool {
		reads = reads || n.op >= opEventName && n.op <= opContext
		return !reads
	})
	return reads
}

// definition returns the node behind any names.
func (n *node) definition() *node {
	for n.op == opNamed {
		n = n.args[0]
	}
	return n
}

// constant returns the value of n when it is a literal.
func (n *node) constant() (cx.Value, bool) {
	d := n.definition()
	return d.konst, d.op == opConst
}

// prepare makes the closures that explaining and waking need, so that a program
// is never written to again, and notes what time does to n.
func (n *node) prepare() {
	n.clock = n.op >= opHour && n.op <= opMonth || len(n.args) > 0
	for _, a := range n.args {
		a.prepare()
		n.timed = n.timed || a.timed
		n.clock = n.clock && (a.clock || a.op == opConst)
	}
	switch n.op {
	case opStatistic:
		n.timed = n.spec.Window.Kind != cx.AllTime
	case opSince, opRunning, opSessionEvents, opSessionDuration, opHour, opMinute, opWeekday, opDay, opMonth:
		n.timed = true
	default:
	}
	if n.op < opProperties || n.op > opTraits {
		n.value = n.val()
	}
	if n.typ == Condition {
		n.judge = n.cond()
	}
}
