package rule

import (
	"math"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// examine finds out what the rule looks at, and refuses what cannot be kept up
// to date or does not fit the events seen so far.
func (c *compiler) examine(p *Program) error {
	if t := p.Type(); t == Condition || t == Anything {
		if err := c.thresholds(p.root, &p.deps); err != nil {
			return err
		}
	}
	p.root.walk(func(n *node) bool {
		p.deps.add(n)
		return true
	})
	p.deps.sort()
	if events := p.root.events(); events.only {
		p.deps.Events = append([]cx.EventName{}, events.names...)
	}
	return c.observe(p)
}

// add notes what one node looks at.
func (d *Deps) add(n *node) {
	switch n.op {
	case opStatistic, opSince:
		d.Statistics = append(d.Statistics, Statistic{n.slot, n.spec})
	case opSegment:
		d.Segments = append(d.Segments, n.slot)
	case opEventName, opEventType, opEventLocale, opProperties, opContext:
		d.Event = true
	case opKnown, opClaimed:
		d.Links = true
	case opRunning, opSessionNumber:
		d.Session = true
	case opSessionEvents, opSessionDuration:
		d.Visit = true
	case opHour, opMinute, opWeekday, opDay, opMonth:
		d.Clock = true
	case opPath, opHas:
		if n.args[0].op == opTraits {
			d.Traits = append(d.Traits, n.path[0].name)
		}
	case opCel:
		for _, a := range n.args {
			d.AnyTrait = d.AnyTrait || a.op == opTraits
		}
	default:
	}
}

func (d *Deps) sort() {
	slices.SortFunc(d.Statistics, func(a, b Statistic) int { return a.Slot - b.Slot })
	d.Statistics = slices.Compact(d.Statistics)
	slices.SortFunc(d.Thresholds, func(a, b Threshold) int {
		if a.Slot != b.Slot {
			return a.Slot - b.Slot
		}
		return int(min(max(a.After-b.After, -1), 1))
	})
	d.Thresholds = slices.Compact(d.Thresholds)
	slices.Sort(d.Traits)
	d.Traits = slices.Compact(d.Traits)
	slices.Sort(d.Segments)
	d.Segments = slices.Compact(d.Segments)
}

// never is the Threshold.After and the wake of what time alone does not change.
const never = cx.Instant(math.MaxInt64)

// thresholds finds each since and the constant it is compared with. Anything
// else about since would have to be looked at all the time, so it is refused.
func (c *compiler) thresholds(n *node, d *Deps) error {
	if n.op >= opLt && n.op <= opGe {
		o, left, right := n.op, n.args[0], n.args[1]
		if right.definition().op == opSince {
			o, left, right = mirrored(o), right, left
		}
		if k, ok := right.constant(); ok && left.definition().op == opSince {
			if n.after = crossing(o, k.Float()); n.after != never {
				d.Thresholds = append(d.Thresholds, Threshold{left.definition().slot, n.after})
			}
			return nil
		}
	}
	if n.op == opSince {
		return n.from.at(n.id, n.from.show(n.id)+" changes all the time, so it must be compared with a fixed span",
			"write "+n.from.show(n.id)+" >= minutes(30), with <, <=, > or >=")
	}
	for _, a := range n.args {
		if err := c.thresholds(a, d); err != nil {
			return err
		}
	}
	return nil
}

// crossing returns the least number of microseconds after which "since o k" is
// no longer what it is at 0; never when that does not happen.
func crossing(o op, k float64) cx.Instant {
	if !(k >= 0) || k > 9e9 || o == opLt && k == 0 || o == opGe && k == 0 {
		return never
	}
	at := max(cx.Instant(math.Floor(k*float64(cx.Second)))-3, 0)
	start := test(o, 0, k)
	for test(o, secondsOf(at), k) == start {
		at++
	}
	return at
}

// eventSet is the set of event names on which a condition can hold: all of them
// unless only is set.
type eventSet struct {
	only  bool
	names []cx.EventName // sorted
}

// events returns on which events the condition n can hold.
func (n *node) events() eventSet {
	switch n.op {
	case opNamed:
		return n.args[0].events()
	case opConst:
		return eventSet{only: n.konst.Kind == cx.Bool && !n.konst.IsTrue()}
	case opEq:
		for i := range n.args {
			if k, ok := n.args[1-i].constant(); ok && n.args[i].definition().op == opEventName {
				return eventSet{true, []cx.EventName{cx.EventName(k.Str())}}
			}
		}
	case opAmong:
		if texts, ok := constantTexts(n.args[1:]); ok && n.args[0].definition().op == opEventName {
			set := eventSet{only: true}
			for _, t := range texts {
				set = set.or(eventSet{true, []cx.EventName{cx.EventName(t)}})
			}
			return set
		}
	case opAnd:
		var set eventSet
		for _, a := range n.args {
			set = set.and(a.events())
		}
		return set
	case opOr:
		set := eventSet{only: true}
		for _, a := range n.args {
			set = set.or(a.events())
		}
		return set
	case opIf:
		return n.args[0].events().and(n.args[1].events()).or(n.args[2].events())
	default:
	}
	return eventSet{}
}

func (s eventSet) and(o eventSet) eventSet {
	if !s.only {
		return o
	}
	if !o.only {
		return s
	}
	out := eventSet{only: true}
	for _, name := range s.names {
		if slices.Contains(o.names, name) {
			out.names = append(out.names, name)
		}
	}
	return out
}

func (s eventSet) or(o eventSet) eventSet {
	if !s.only || !o.only {
		return eventSet{}
	}
	names := slices.Concat(s.names, o.names)
	slices.SortFunc(names, func(a, b cx.EventName) int { return strings.Compare(string(a), string(b)) })
	return eventSet{true, slices.Compact(names)}
}
