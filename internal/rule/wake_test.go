package rule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

func instant(tb testing.TB, text string) cx.Instant {
	tb.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		tb.Fatal(err)
	}
	return cx.InstantOf(at)
}

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// TestWake tells, for a customer who last bought on the 20th at noon UTC and
// whose session is ten minutes old on the 22nd, when each rule is looked at
// again.
func TestWake(t *testing.T) {
	tokyo := zone(t, "Asia/Tokyo")
	for text, want := range map[string]string{
		`since("Order Completed") >= days(10)`:                                 "2026-11-30T12:00:00Z",
		`since("Order Completed") > days(10)`:                                  "2026-11-30T12:00:00.000001Z",
		`since("Order Completed") < days(10)`:                                  "2026-11-30T12:00:00Z",
		`!(days(10) >= since("Order Completed"))`:                              "2026-11-30T12:00:00.000001Z",
		`since("Order Completed") >= days(1)`:                                  "", // past: never again
		`since("Never") >= days(1)`:                                            "",
		`since("Order Completed") >= days(10) && since("Never") >= 1`:          "2026-11-30T12:00:00Z",
		`since("Order Completed") >= days(10) && customer.known`:               "", // not known: time does not matter
		`since("Order Completed") >= days(10) || !customer.known`:              "",
		`since("Order Completed") >= days(10) || since("Order Completed") < 1`: "2026-11-30T12:00:00Z",
		// Both parts are false now; the later of them keeps the whole false.
		`since("Order Completed") >= days(10) && since("Order Completed") >= days(20)`: "2026-12-10T12:00:00Z",
		`session.running`: "2026-11-22T12:30:00Z",
		`session.running && since("Order Completed") >= days(10)`: "2026-11-30T12:00:00Z",
		`session.events > 3`:     "2026-11-22T12:30:00Z",
		`session.number > 1`:     "",
		`time.hour >= 9`:         "2026-11-22T15:00:00Z", // midnight in Tokyo
		`time.hour >= 22`:        "2026-11-22T13:00:00Z",
		`time.minute == 30`:      "2026-11-22T12:30:00Z",
		`time.weekday in [6, 7]`: "2026-11-22T15:00:00Z", // Sunday ends
		`time.month == 12`:       "2026-11-30T15:00:00Z",
		`time.day == 1`:          "2026-11-30T15:00:00Z",
		`count("A", "7d") > 0`:   "2026-11-25T00:00:00Z", // as next says
		`count("A", "all") > 0`:  "",
		`customer.known ? time.hour > 22 : since("Order Completed") > days(10)`: "2026-11-30T12:00:00.000001Z",
		`traits.l.exists(x, since("Order Completed") > 864000)`:                 "2026-11-30T12:00:00.000001Z",
	} {
		bought := instant(t, "2026-11-20T12:00:00Z")
		now := instant(t, "2026-11-22T12:05:00Z")
		env := counting()
		var specs []cx.StatisticSpec
		env.Slot = func(s cx.StatisticSpec) int { specs = append(specs, s); return len(specs) - 1 }
		p := mustCompile(t, text, env)
		values := make(slots, len(specs))
		for i, spec := range specs {
			switch {
			case spec.Aggregate != cx.LastTime:
				values[i] = cx.NumberValue(2)
			case spec.Event == cx.OrderCompleted:
				values[i] = cx.TimeValue(bought)
			}
		}
		s := &Scope{Now: now, Zone: tokyo, Statistics: values, Customer: &cx.Customer{
			Session: cx.Visit{Start: now - 10*cx.Minute, End: now - 5*cx.Minute, Number: 2, Events: 5},
		}}
		got := p.Wake(s, func(slot int) (cx.Instant, bool) {
			return instant(t, "2026-11-25T00:00:00Z"), specs[slot].Window.Kind == cx.Sliding
		})
		var at cx.Instant
		if want != "" {
			at = instant(t, want)
		}
		if got != at {
			t.Errorf("%s\ngot  %v\nwant %v", text, got, at)
		}
	}
}

// TestWakeOverClockChanges follows time.hour through the nights in which the
// clocks go forward and back.
func TestWakeOverClockChanges(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	p := mustCompile(t, `time.hour == 2`, counting())
	none := func(int) (cx.Instant, bool) { return 0, false }
	for from, want := range map[string]string{
		"2026-03-28T23:30:00Z": "2026-03-30T00:00:00Z", // 02:00 does not exist on the 29th
		"2026-10-24T22:30:00Z": "2026-10-25T00:00:00Z", // 02:00 summer time
		"2026-10-25T00:30:00Z": "2026-10-25T02:00:00Z", // 02:00 happens twice: 03:00 winter time
	} {
		s := &Scope{Now: instant(t, from), Zone: berlin}
		if got := p.Wake(s, none); got != instant(t, want) {
			t.Errorf("from %s: got %v, want %s", from, got, want)
		}
	}
}

// TestWakeIsPure checks that what a Scope remembers never shows: timers are part
// of the state, and must not depend on who was looked at before.
func TestWakeIsPure(t *testing.T) {
	none := func(int) (cx.Instant, bool) { return 0, false }
	var rules []*Program
	for _, text := range []string{
		"time.hour > 30", "time.hour == 2", "time.minute == 61", "time.minute < 30", "time.month == 12", "time.day == 31", "time.weekday == 8",
		"time.hour == 9 && time.minute == 30", "time.month == 2 && time.day == 29",
	} {
		rules = append(rules, mustCompile(t, text, counting()))
	}
	berlin := zone(t, "Europe/Berlin")
	rapid.Check(t, func(t *rapid.T) {
		used := &Scope{Zone: berlin, Now: cx.Instant(rapid.Int64Range(0, 2e15).Draw(t, "start"))}
		for range 10 {
			used.Now += cx.Instant(rapid.SampledFrom([]int64{1, 1e6, 600e6, 3600e6, 86400e6, 1e13}).Draw(t, "step"))
			for _, p := range rules {
				fresh := &Scope{Zone: berlin, Now: used.Now}
				if got, want := p.Wake(used, none), p.Wake(fresh, none); got != want || got <= used.Now {
					t.Fatalf("%s at %v: %v remembered, %v afresh", p.Source(), used.Now, got, want)
				}
			}
		}
	})
}

// timeline is a statistic that changes by time alone at given instants.
type timeline struct {
	changes []cx.Instant // ascending
	values  []float64    // one more than changes
}

func (l timeline) at(now cx.Instant) cx.Value {
	i, _ := slices.BinarySearch(l.changes, now+1)
	return cx.NumberValue(l.values[i])
}

// moving are statistics by slot: 0 and 1 are timelines, 2 is when something last
// happened.
type moving struct {
	s     *Scope
	lines [2]timeline
	last  cx.Instant
}

func (m *moving) Value(slot int) cx.Value {
	if slot == 2 {
		return cx.TimeValue(m.last)
	}
	return m.lines[slot].at(m.s.Now)
}

func (m *moving) next(slot int) (cx.Instant, bool) {
	for _, at := range m.lines[slot].changes {
		if at > m.s.Now {
			return at, true
		}
	}
	return 0, false
}

func timedRule(t *rapid.T, depth int) string {
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "pick") }
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		order := pick(" < ", " <= ", " > ", " >= ")
		return pick(
			fmt.Sprintf(`since("A")%sminutes(%d)`, order, rapid.IntRange(0, 400).Draw(t, "minutes")),
			fmt.Sprintf(`since("A")%s%g`, order, rapid.Float64Range(0, 20000).Draw(t, "seconds")),
			`count("A", "7d")`+order+pick("1", "2", "3"), `count("B", "day")`+order+pick("1", "2", "3"),
			"time.hour"+order+pick("3", "12", "23"), "time.minute"+order+pick("0", "30"), "time.weekday in [1, 7]", "time.day == 1",
			"session.running", "session.events"+order+"3", "customer.known", "traits.missing == 3", "!customer.known",
			`count("A", "7d")`+order+`count("B", "day")`, "true", "false")
	}
	a, b := timedRule(t, depth-1), timedRule(t, depth-1)
	return pick("("+a+" && "+b+")", "("+a+" || "+b+")", "!("+a+")", "("+a+" ? "+b+" : !"+"("+a+"))")
}

// TestNothingChangesBeforeWake checks the promise of Wake on random rules: from
// now until then the rule says the same.
func TestNothingChangesBeforeWake(t *testing.T) {
	zones := []*time.Location{time.UTC, zone(t, "Asia/Tokyo"), zone(t, "Asia/Kolkata"), zone(t, "America/New_York")}
	base := instant(t, "2026-10-31T10:00:00Z") // a day before clocks change in New York
	env := counting()
	env.Slot = func(s cx.StatisticSpec) int {
		return map[string]int{`count("A", "7d")`: 0, `count("B", "day")`: 1}[s.String()] + 2*int(s.Aggregate/cx.LastTime)
	}
	rapid.Check(t, func(t *rapid.T) {
		p, err := Compile(timedRule(t, 3), env)
		if err != nil {
			t.Fatal(err)
		}
		minutes := func(lo, hi int) cx.Instant { return cx.Instant(rapid.IntRange(lo, hi).Draw(t, "m")) * cx.Minute }
		s := &Scope{Now: base + minutes(0, 3000), Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
		m := &moving{s: s, last: s.Now - minutes(0, 300)}
		for i := range m.lines {
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				m.lines[i].changes = append(m.lines[i].changes, base+minutes(0, 6000))
			}
			slices.Sort(m.lines[i].changes)
			for range len(m.lines[i].changes) + 1 {
				m.lines[i].values = append(m.lines[i].values, float64(rapid.IntRange(0, 4).Draw(t, "value")))
			}
		}
		s.Statistics = m
		end := s.Now - minutes(0, 40)
		s.Customer = &cx.Customer{Session: cx.Visit{Start: end - cx.Hour, End: end, Number: 1, Events: 5}}
		before := p.Eval(s)
		wake := p.Wake(s, m.next)
		if wake != 0 && wake <= s.Now {
			t.Fatalf("%s\nwakes at %v, now is %v", p.Source(), wake, s.Now)
		}
		until := wake
		if wake == 0 {
			until = s.Now + 40*cx.Day
		}
		start := s.Now
		probes := []cx.Instant{until - 1, start + 1}
		for range 20 {
			probes = append(probes, start+cx.Instant(rapid.Int64Range(0, int64(until-start-1)).Draw(t, "probe")))
		}
		for _, probe := range probes {
			if s.Now = probe; p.Eval(s) != before && probe >= start && probe < until {
				t.Fatalf("%s\nis %v at %v and %v at %v, but sleeps until %v", p.Source(), before, start, p.Eval(s), probe, wake)
			}
		}
	})
}
