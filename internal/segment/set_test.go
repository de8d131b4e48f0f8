package segment

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// compile makes segments of "name: rule" lines; the n-th has slot n.
func compile(tb testing.TB, lines ...string) []Segment {
	tb.Helper()
	slots := map[cx.StatisticSpec]int{}
	env := &rule.Env{Segments: map[string]int{"elsewhere": 99}, Slot: func(s cx.StatisticSpec) int {
		if _, ok := slots[s]; !ok {
			slots[s] = len(slots)
		}
		return slots[s]
	}}
	for i, line := range lines {
		name, _, _ := strings.Cut(line, ": ")
		env.Segments[name] = i
	}
	var out []Segment
	for i, line := range lines {
		name, source, _ := strings.Cut(line, ": ")
		p, err := rule.Compile(source, env)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, Segment{Slot: i, Name: name, When: p})
	}
	return out
}

func TestNewSetRefuses(t *testing.T) {
	shared := compile(t, "a: true", "b: true")
	shared[1].Slot = 0
	noSlot := compile(t, "a: true")
	noSlot[0].Slot = -1
	for want, segments := range map[string][]Segment{
		"circle: a -> c -> b -> a": compile(t, `a: segment("c")`, `b: !segment("a")`, `c: segment("b") || true`),
		"circle: a -> a":           compile(t, `a: !segment("a")`),
		"event":                    compile(t, `a: event.name == "A"`),
		"not in the set":           compile(t, `a: segment("elsewhere")`),
		"two segments called a":    compile(t, "a: true", "a: false"),
		"share slot 0":             shared,
		"has no slot":              noSlot,
	} {
		if _, err := NewSet(segments); err == nil || cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestAllForgetsStrangers checks that bits of slots that the set does not have
// go away silently.
func TestAllForgetsStrangers(t *testing.T) {
	set, err := NewSet(compile(t, "a: false", "b: true"))
	if err != nil {
		t.Fatal(err)
	}
	c := cx.Customer{Segments: []uint64{1 | 1<<40, 1 << 3}}
	var e Evaluator
	entered, left := e.Evaluate(set, &c, &rule.Scope{Customer: &c}, &cx.Change{All: true})
	if !slices.Equal(entered, []int{1}) || !slices.Equal(left, []int{0}) || !slices.Equal(c.Segments, []uint64{2}) {
		t.Errorf("entered %v, left %v, is in %b", entered, left, c.Segments)
	}
	if names := set.Names(&c); !slices.Equal(names, []string{"b"}) {
		t.Errorf("names %v", names)
	}
}

func TestEmptySet(t *testing.T) {
	set, err := NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := cx.Customer{Segments: []uint64{5}}
	sc := rule.Scope{Customer: &c}
	var e Evaluator
	entered, left := e.Evaluate(set, &c, &sc, &cx.Change{All: true, Traits: []string{"x"}})
	if len(entered)+len(left)+len(c.Segments) != 0 || e.Wake(set, &sc, nil) != 0 {
		t.Errorf("entered %v, left %v, is in %v", entered, left, c.Segments)
	}
}

// constant answers every statistic with its slot.
type constant struct{}

func (constant) Value(slot int) cx.Value { return cx.NumberValue(float64(slot)) }

// shop is 100 segments over 20 statistics.
func shop(tb testing.TB) *Set {
	tb.Helper()
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`s%d: count("E%d", "session") >= %d && count("E%d", "30d") < %d && traits.plan == "gold"`, i, i%10, i%10, i%10, i%7+5))
	}
	set, err := NewSet(compile(tb, lines...))
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func shopScope() (*cx.Customer, *rule.Scope) {
	now := 1_795_000_000 * cx.Second
	c := &cx.Customer{Traits: []cx.Trait{{Name: "plan", Raw: []byte(`"gold"`)}}, Session: cx.Visit{Start: now - cx.Minute, End: now, Number: 1, Events: 3}}
	return c, &rule.Scope{Customer: c, Statistics: constant{}, Event: &cx.Event{}, Now: now}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	set := shop(t)
	c, sc := shopScope()
	var e Evaluator
	e.Evaluate(set, c, sc, &cx.Change{All: true})
	ch := &cx.Change{Traits: []string{"plan"}, Session: true}
	for slot := range 20 {
		ch.Touch(slot)
	}
	next := func(int) (cx.Instant, bool) { return sc.Now + 1, true }
	if n := testing.AllocsPerRun(100, func() { e.Evaluate(set, c, sc, ch); e.Wake(set, sc, next) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	set := shop(b)
	c, sc := shopScope()
	for _, touched := range []int{0, 1, 10} {
		var e Evaluator
		e.Evaluate(set, c, sc, &cx.Change{All: true})
		ch := &cx.Change{}
		for slot := range touched {
			ch.Touch(slot)
		}
		b.Run(fmt.Sprintf("touched=%d", touched), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Evaluate(set, c, sc, ch)
			}
		})
	}
	b.Run("wake", func(b *testing.B) {
		var e Evaluator
		next := func(int) (cx.Instant, bool) { return sc.Now + 1, true }
		b.ReportAllocs()
		for b.Loop() {
			e.Wake(set, sc, next)
		}
	})
}
