package segment

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// world is a customer whose statistics change by events and by time. Slots 0 to
// 2 hold numbers with a schedule of later values, slot 3 an instant.
type world struct {
	*rapid.T
	set       *Set
	evaluator Evaluator
	customer  cx.Customer
	scope     rule.Scope
	number    [3]float64
	later     [3][]change
	last      cx.Instant
}

// change is a value that a statistic takes by time alone.
type change struct {
	at    cx.Instant
	value float64
}

var worldStatistics = map[string]int{
	`count("A", "session")`: 0, `count("A", "7d")`: 1, `count("A", "all")`: 2, `last_time("A", "all")`: 3,
}

func (w *world) Value(slot int) cx.Value {
	if slot == 3 {
		return cx.TimeValue(w.last)
	}
	v := w.number[slot]
	for _, c := range w.later[slot] {
		if c.at <= w.scope.Now {
			v = c.value
		}
	}
	return cx.NumberValue(v)
}

func (w *world) next(slot int) (cx.Instant, bool) {
	for _, c := range w.later[slot] {
		if c.at > w.scope.Now {
			return c.at, true
		}
	}
	return 0, false
}

func (w *world) pick(of ...string) string { return rapid.SampledFrom(of).Draw(w.T, "pick") }
func (w *world) upto(n int) int           { return rapid.IntRange(0, n).Draw(w.T, "n") }

// rule draws a rule that may refer to the segments before i.
func (w *world) rule(i, depth int) string {
	if depth == 0 || w.upto(2) == 0 {
		leaves := []string{
			`count("A", "session") >= 2`, `count("A", "7d") > 1`, `count("A", "all") < 3`, `since("A") >= minutes(20)`, `since("A") < minutes(90)`,
			`traits.a == 1`, `has(traits.b)`, `"a" in traits`, "customer.known", "session.running", "session.number >= 2", "session.events > 2",
			"session.duration >= 600", "time.hour < 12", "time.minute < 30", "time.weekday == 1",
		}
		if i > 0 {
			leaves = append(leaves, fmt.Sprintf(`segment("s%d")`, w.upto(i-1)), fmt.Sprintf(`!segment("s%d")`, w.upto(i-1)))
		}
		return w.pick(leaves...)
	}
	a, b := w.rule(i, depth-1), w.rule(i, depth-1)
	return w.pick("("+a+" && "+b+")", "("+a+" || "+b+")", "!("+a+")", "("+a+" ? "+b+" : !("+b+"))")
}

// build draws up to 70 segments in slots that have nothing to do with their
// order of dependence.
func (w *world) build() {
	count := 1 + w.upto(69)
	slots := rapid.Permutation(numbers(count+20)).Draw(w.T, "slots")
	env := &rule.Env{Slot: func(s cx.StatisticSpec) int { return worldStatistics[s.String()] }, Segments: map[string]int{}}
	var segments []Segment
	for i := range count {
		name := fmt.Sprintf("s%d", i)
		p, err := rule.CompileState(w.rule(i, 2), env)
		if err != nil {
			w.Fatal(err)
		}
		env.Segments[name] = slots[i]
		segments = append(segments, Segment{Slot: slots[i], Name: name, When: p})
	}
	set, err := NewSet(segments)
	if err != nil {
		w.Fatal(err)
	}
	w.set = set
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// happen changes some inputs and says which, as the profile does.
func (w *world) happen() (ch cx.Change) {
	now := w.scope.Now
	if !w.customer.InSession(now) && w.upto(1) == 0 {
		w.customer.Session = cx.Visit{Start: now, End: now, Number: w.customer.Session.Number + 1}
		w.number[0], w.later[0] = 0, nil // what counts in the session starts anew, without being touched
		ch.Session = true
	}
	if w.customer.InSession(now) {
		w.customer.Session.End = now
		w.customer.Session.Events++
	}
	for range w.upto(3) {
		switch slot := w.upto(5); slot {
		case 0, 1, 2:
			w.number[slot], w.later[slot] = float64(w.upto(4)), nil
			for i := range w.upto(2) {
				if slot < 2 {
					w.later[slot] = append(w.later[slot], change{now + cx.Instant(i*60+1+w.upto(50))*cx.Minute, float64(w.upto(4))})
				}
			}
			ch.Touch(slot)
		case 3:
			w.last = now - cx.Instant(w.upto(100))*cx.Minute
			ch.Touch(slot)
		case 4:
			name := w.pick("a", "b")
			w.customer.Traits = []cx.Trait{{Name: name, Raw: []byte(w.pick("1", "2"))}}
			ch.Traits = append(ch.Traits, "a", "b")
		case 5:
			w.customer.Identities = []cx.Identity{{Namespace: cx.UserID, Value: "u"}}
			ch.Links = true
		}
	}
	return ch
}

// evaluate brings memberships up to date and checks the answer against looking
// at every segment afresh.
func (w *world) evaluate(ch *cx.Change) {
	before := slices.Clone(w.customer.Segments)
	entered, left := w.evaluator.Evaluate(w.set, &w.customer, &w.scope, ch)
	after := slices.Clone(w.customer.Segments)

	fresh := w.customer
	fresh.Segments = nil
	scope := w.scope
	scope.Customer = &fresh
	var all Evaluator
	all.Evaluate(w.set, &fresh, &scope, &cx.Change{All: true})
	if !slices.Equal(after, fresh.Segments) {
		w.Fatalf("at %v: %b after a change of %+v, %b afresh", w.scope.Now, after, *ch, fresh.Segments)
	}
	was, is := cx.Customer{Segments: before}, cx.Customer{Segments: after}
	for _, seg := range w.set.All() {
		moved := was.InSegment(seg.Slot) != is.InSegment(seg.Slot)
		if moved && is.InSegment(seg.Slot) != slices.Contains(entered, seg.Slot) || slices.Contains(left, seg.Slot) != (moved && !is.InSegment(seg.Slot)) {
			w.Fatalf("%s: before %b, after %b, entered %v, left %v", seg.Name, before, after, entered, left)
		}
	}
}

// wake returns when a membership may next change, and checks that this is what
// asking every rule comes to: timers are part of the state.
func (w *world) wake() cx.Instant {
	var want cx.Instant
	for _, seg := range w.set.All() {
		if at := seg.When.Wake(&w.scope, w.next); at != 0 && (want == 0 || at < want) {
			want = at
		}
	}
	got := w.evaluator.Wake(w.set, &w.scope, w.next)
	if got != want {
		w.Fatalf("at %v: wakes at %v, the earliest rule at %v", w.scope.Now, got, want)
	}
	return got
}

// TestIncrementalIsFull plays random events, with the timers that Wake asks for
// between them, and checks after every step that looking only at what changed
// comes to the same as looking at everything.
func TestIncrementalIsFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{T: t}
		w.scope = rule.Scope{Customer: &w.customer, Statistics: w, Now: 1_795_000_000 * cx.Second, Zone: time.FixedZone("JST", 9*3600)}
		w.build()
		w.scope.Event = &cx.Event{}
		w.evaluate(&cx.Change{All: true})
		for range 12 {
			until := w.scope.Now + cx.Instant(w.upto(120))*cx.Minute
			for at := w.wake(); at != 0 && at <= until; at = w.wake() {
				w.scope.Now, w.scope.Event = at, nil
				w.evaluate(&cx.Change{})
			}
			w.scope.Now, w.scope.Event = until, &cx.Event{}
			ch := w.happen()
			w.evaluate(&ch)
		}
	})
}
