package profile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

var morning = cx.InstantOf(time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC))

// lane folds events into one customer, counting positions by itself.
type lane struct {
	f Folder
	p *Plan
	c *cx.Customer
	n uint64
}

func newLane(s Settings, specs ...SlotSpec) *lane {
	return &lane{p: NewPlan(s, specs), c: &cx.Customer{ID: 1, Workspace: "demo"}}
}

func (l *lane) apply(ev cx.Event, now cx.Instant) Outcome {
	l.n++
	if ev.MessageID == "" {
		ev.MessageID = fmt.Sprint("own ", l.n)
	}
	if ev.Type == 0 {
		ev.Type = cx.Track
	}
	ev.Key = "k"
	return l.f.Apply(l.p, l.c, &ev, cx.At(l.n, 0), now, nil)
}

// memory is a Spill in a map.
type memory map[uint64]uint32

func (m memory) Seen(_ cx.CustomerID, message uint64) (uint32, bool) {
	at, ok := m[message]
	return at, ok
}

// TestDuplicates: over any times, a message is a duplicate exactly if it was
// taken within the last 24 hours (a second more for rounding), however many
// marks were spilled; and memory stays bounded.
func TestDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c, spill := NewPlan(Settings{}, nil), &cx.Customer{ID: 1}, memory{}
		var f Folder
		taken := make(map[string]cx.Instant)
		now := morning
		gap := rapid.SampledFrom([]int64{1, 60, 150, 600}).Draw(t, "gap")
		for i := range rapid.IntRange(1, 2000).Draw(t, "events") {
			now += cx.Instant(rapid.Int64Range(0, gap).Draw(t, "pause")) * cx.Second
			id := fmt.Sprint(rapid.IntRange(0, 1500).Draw(t, "id"))
			out := f.Apply(p, c, &cx.Event{Key: "k", MessageID: id, Type: cx.Track, Time: now}, cx.Position(i), now, spill)
			last, before := taken[id]
			if want := before && seconds(now)-seconds(last) <= SeenFor; out.Duplicate != want {
				t.Fatalf("event %d with id %s, last taken %v ago: duplicate is %v", i, id, now.Sub(last), out.Duplicate)
			}
			if !out.Duplicate {
				taken[id] = now
			}
			for _, s := range out.Spilled {
				spill[s.Message()] = s.At
			}
			if len(c.Seen) > SeenMax || cap(c.Seen) > 2*SeenMax {
				t.Fatalf("%d marks in memory, room for %d", len(c.Seen), cap(c.Seen))
			}
		}
	})
}

// TestSpilledDuplicates: a mark is good for its full day although it was spilled.
func TestSpilledDuplicates(t *testing.T) {
	p, c, spill := NewPlan(Settings{}, nil), &cx.Customer{ID: 1}, memory{}
	var f Folder
	apply := func(i int, now cx.Instant) Outcome {
		out := f.Apply(p, c, &cx.Event{Key: "k", MessageID: fmt.Sprint(i), Type: cx.Track, Time: now}, cx.Position(i), now, spill)
		for _, s := range out.Spilled {
			spill[s.Message()] = s.At
		}
		return out
	}
	received := func(i int) cx.Instant { return morning + cx.Instant(i)*2*cx.Minute }
	const n = 700
	for i := range n {
		apply(i, received(i))
	}
	if len(spill) < n-SeenMax {
		t.Fatalf("%d marks were spilled", len(spill))
	}
	for i := range n {
		if !apply(i, received(i)+cx.Day).Duplicate {
			t.Fatalf("message %d of %d is forgotten a day later, %d were spilled", i, n, len(spill))
		}
	}
}

// TestDuplicateChangesNothing: the bytes of the customer stay as they are.
func TestDuplicateChangesNothing(t *testing.T) {
	l := newLane(Settings{}, SlotSpec{Spec: cx.StatisticSpec{Aggregate: cx.Count, Window: cx.Window{Kind: cx.AllTime}}})
	ev := cx.Event{MessageID: "m", Type: cx.Identify, Properties: []byte(`{"plan":"gold"}`), Consent: []byte(`{"marketing":true}`), Time: morning}
	l.apply(ev, morning)
	before := AppendCustomer(nil, l.c)
	ev.Properties, ev.Flags = []byte(`{"plan":"lead"}`), cx.Bot
	out := l.apply(ev, morning+24*cx.Hour)
	if !out.Duplicate || out.Change.All || len(out.Change.Traits) > 0 {
		t.Errorf("the outcome is %+v", out)
	}
	if diff := cmp.Diff(before, AppendCustomer(nil, l.c)); diff != "" {
		t.Error("the customer changed:", diff)
	}
	if out := l.apply(ev, morning+24*cx.Hour+cx.Second); out.Duplicate {
		t.Error("still a duplicate after more than 24 hours")
	}
}

// TestFlood: ten hot seconds in a row make a flood, sixty that are not hot end
// it.
func TestFlood(t *testing.T) {
	type stretch struct {
		seconds, each int
		want          bool // flooding at its end
	}
	for name, story := range map[string][]stretch{
		"nine hot seconds":             {{9, 51, false}, {1, 50, false}, {9, 51, false}},
		"ten hot seconds":              {{9, 51, false}, {1, 51, true}},
		"fifty a second is no flood":   {{100, 50, false}},
		"a pause starts the count new": {{9, 60, false}, {1, 0, false}, {9, 60, false}, {1, 60, true}},
		"it ends after sixty seconds":  {{10, 60, true}, {59, 1, true}, {1, 1, true}, {1, 1, false}},
		"silence ends it too":          {{10, 60, true}, {60, 0, true}, {1, 1, false}},
		"too short a silence does not": {{10, 60, true}, {59, 0, true}, {1, 1, true}},
		"a hot second begins it anew":  {{10, 60, true}, {40, 1, true}, {1, 60, true}, {59, 1, true}, {1, 1, true}, {1, 1, false}},
	} {
		t.Run(name, func(t *testing.T) {
			l, now := newLane(Settings{}), morning
			for i, s := range story {
				for range s.seconds {
					for k := range s.each {
						l.apply(cx.Event{}, now+cx.Instant(k)*cx.Millisecond)
					}
					now += cx.Second
				}
				if got := l.c.Flags&cx.Flooding != 0; got != s.want {
					t.Fatalf("after stretch %d flooding is %v", i+1, got)
				}
			}
		})
	}
}

// TestTraits: which word stands.
// History comes as fast as it can be read, which is no flood.
func TestHistoryIsNoFlood(t *testing.T) {
	l := newLane(Settings{})
	for second := range cx.Instant(30) {
		for i := range 100 {
			out := l.apply(cx.Event{Type: cx.Track, Name: "Order", Flags: cx.Historical, MessageID: fmt.Sprint(second, i)}, 1_700_000_000*cx.Second+second*cx.Second)
			if out.Duplicate || out.Flooding || !out.Late {
				t.Fatalf("in second %d: %+v", second, out)
			}
		}
	}
}

func TestTraits(t *testing.T) {
	big := `"` + strings.Repeat("x", MaxTraitSize) + `"`
	type word struct {
		who     cx.KeyKind
		at      int // seconds after the morning
		traits  string
		changed string
		note    string
	}
	for name, test := range map[string]struct {
		words []word
		want  string
	}{
		"the later word stands":         {[]word{{cx.BrowserKey, 1, `{"a": 1, "b": [1, "x y"]}`, "a b", ""}, {cx.BrowserKey, 2, `{"a":2}`, "a", ""}}, `a=2 b=[1,"x y"]`},
		"an earlier word comes late":    {[]word{{cx.BrowserKey, 2, `{"a":2}`, "a", ""}, {cx.BrowserKey, 1, `{"a":1,"b":1}`, "b", ""}}, `a=2 b=1`},
		"the same word changes nothing": {[]word{{cx.BrowserKey, 1, `{"a":1}`, "a", ""}, {cx.BrowserKey, 2, `{"a": 1 }`, "", ""}, {cx.BrowserKey, 1, `{"a":0}`, "", ""}}, `a=1`},
		"a browser does not overrule":   {[]word{{cx.ServerKey, 1, `{"a":1}`, "a", ""}, {cx.BrowserKey, 2, `{"a":2}`, "", ""}}, `a=1`},
		"a server overrules":            {[]word{{cx.BrowserKey, 2, `{"a":2}`, "a", ""}, {cx.ServerKey, 1, `{"a":1}`, "a", ""}}, `a=1`},
		"null takes away":               {[]word{{cx.BrowserKey, 1, `{"a":1}`, "a", ""}, {cx.BrowserKey, 3, `{"a":null}`, "a", ""}, {cx.BrowserKey, 2, `{"a":2}`, "", ""}}, ``},
		"and may be told again":         {[]word{{cx.BrowserKey, 1, `{"a":null}`, "a", ""}, {cx.BrowserKey, 2, `{"a":2}`, "a", ""}}, `a=2`},
		"of two in one call the last":   {[]word{{cx.BrowserKey, 1, `{"a":1,"a":2}`, "a a", ""}}, `a=2`},
		"too large":                     {[]word{{cx.BrowserKey, 1, `{"a":` + big + `,"b":1}`, "b", "trait_too_large a"}}, `b=1`},
		"without a name":                {[]word{{cx.BrowserKey, 1, `{"":1}`, "", "bad_trait_name "}}, ``},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLane(Settings{})
			for i, w := range test.words {
				out := l.apply(cx.Event{Type: cx.Identify, KeyKind: w.who, Properties: []byte(w.traits), Time: morning + cx.Instant(w.at)*cx.Second}, morning+cx.Minute)
				var notes []string
				for _, n := range out.Notes {
					notes = append(notes, n.Reason+" "+n.Name)
				}
				if got := strings.Join(out.Change.Traits, " "); got != w.changed || strings.Join(notes, ",") != w.note {
					t.Errorf("word %d changed %q with notes %q, want %q and %q", i+1, got, notes, w.changed, w.note)
				}
			}
			var got []string
			for _, trait := range l.c.Traits {
				if v := l.c.Trait(trait.Name); v.Kind != cx.Missing {
					got = append(got, trait.Name+"="+string(trait.Raw))
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("traits are %q, want %q", got, test.want)
			}
		})
	}
}

// TestTraitLimit: the 201st trait is not taken and is noted; known ones still
// change; a server's pushes out a browser's oldest.
func TestTraitLimit(t *testing.T) {
	l := newLane(Settings{})
	for i := range MaxTraits {
		l.apply(cx.Event{Type: cx.Identify, KeyKind: cx.BrowserKey, Properties: fmt.Appendf(nil, `{"t%d":1}`, i), Time: morning}, morning)
	}
	out := l.apply(cx.Event{Type: cx.Identify, KeyKind: cx.BrowserKey, Properties: []byte(`{"more":1,"t7":2}`), Time: morning}, morning)
	if diff := cmp.Diff([]Note{{TooManyTraits, "more"}}, out.Notes); diff != "" || len(l.c.Traits) != MaxTraits || l.c.Trait("t7").Float() != 2 {
		t.Errorf("%d traits, t7 is %v, notes (-want +got): %s", len(l.c.Traits), l.c.Trait("t7"), diff)
	}
	out = l.apply(cx.Event{Type: cx.Identify, KeyKind: cx.ServerKey, Properties: []byte(`{"z":1}`), Time: morning}, morning)
	if diff := cmp.Diff([]Note{{TooManyTraits, "t0"}}, out.Notes); diff != "" || len(l.c.Traits) != MaxTraits || l.c.Trait("z").Float() != 1 {
		t.Errorf("with a server's, %d traits, z is %v, notes (-want +got): %s", len(l.c.Traits), l.c.Trait("z"), diff)
	}
	if !slices.IsSortedFunc(l.c.Traits, func(a, b cx.Trait) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the traits are out of order")
	}
}

// TestGroupTraits: what a group is called does not become what the person is
// called.
func TestGroupTraits(t *testing.T) {
	l := newLane(Settings{})
	l.apply(cx.Event{Type: cx.Identify, Properties: []byte(`{"name":"Hanako"}`), Time: morning}, morning)
	l.apply(cx.Event{Type: cx.Group, GroupID: `acme "KK"`, Properties: []byte(`{"name": "Acme"}`), Time: morning}, morning)
	if l.c.Trait("name").Str() != "Hanako" || l.c.Trait("group").Str() != `{"name":"Acme"}` || l.c.Trait("group_id").Str() != `acme "KK"` {
		t.Errorf("traits are %q %q %q", l.c.Trait("name"), l.c.Trait("group"), l.c.Trait("group_id"))
	}
}

// TestConsent: categories become purposes, the later answer stands, a refusal
// beats a grant of the same instant.
func TestConsent(t *testing.T) {
	settings := Settings{Purposes: map[string]cx.Purpose{"Advertising": cx.Marketing, "newsletter": cx.Marketing, "C0002": cx.Analytics}}
	type answer struct {
		at      int
		consent string
		changed bool
	}
	for name, test := range map[string]struct {
		answers []answer
		want    map[cx.Purpose]bool
	}{
		"a mapped category":           {[]answer{{1, `{"advertising":true,"c0002":false}`, true}}, map[cx.Purpose]bool{cx.Marketing: true, cx.Analytics: false}},
		"a purpose by its own name":   {[]answer{{1, `{"Personalization":true,"other":true}`, true}}, map[cx.Purpose]bool{cx.Personalization: true}},
		"one refusal among two":       {[]answer{{1, `{"advertising":true,"newsletter":false}`, true}}, map[cx.Purpose]bool{cx.Marketing: false}},
		"one refusal, other order":    {[]answer{{1, `{"newsletter":false,"advertising":true}`, true}}, map[cx.Purpose]bool{cx.Marketing: false}},
		"the later answer":            {[]answer{{1, `{"marketing":true}`, true}, {3, `{"marketing":false}`, true}, {2, `{"marketing":true}`, false}}, map[cx.Purpose]bool{cx.Marketing: false}},
		"the same answer later":       {[]answer{{1, `{"marketing":true}`, true}, {3, `{"marketing":true}`, false}, {2, `{"marketing":false}`, false}}, map[cx.Purpose]bool{cx.Marketing: true}},
		"what is no answer":           {[]answer{{1, `{"marketing":"yes","analytics":1}`, false}}, map[cx.Purpose]bool{}},
		"an object that is none":      {[]answer{{1, `[true]`, false}}, map[cx.Purpose]bool{}},
		"an unmapped category counts": {[]answer{{1, `{"replay":true}`, true}}, map[cx.Purpose]bool{cx.Replay: true}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLane(settings)
			for i, a := range test.answers {
				out := l.apply(cx.Event{Consent: []byte(a.consent), Time: morning + cx.Instant(a.at)*cx.Second}, morning+cx.Minute)
				if out.Change.Consent != a.changed {
					t.Errorf("answer %d changed consent: %v", i+1, out.Change.Consent)
				}
			}
			got := make(map[cx.Purpose]bool)
			for _, g := range l.c.Consent {
				got[g.Purpose] = g.Allowed
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("(-want +got):", diff)
			}
		})
	}
}

// TestVisits: what opens and moves sessions, and LastSeen.
func TestVisits(t *testing.T) {
	type step struct {
		now, at int // minutes after the morning
		flags   cx.EventFlags
		started bool
		late    bool
	}
	for name, test := range map[string]struct {
		steps    []step
		number   uint32
		events   uint32
		from, to int
		seen     int
	}{
		"an event every 29 minutes":     {[]step{{0, 0, 0, true, false}, {29, 29, 0, false, false}, {58, 58, 0, false, false}}, 1, 3, 0, 58, 58},
		"half an hour of silence":       {[]step{{0, 0, 0, true, false}, {30, 30, 0, true, false}}, 2, 1, 30, 30, 30},
		"five minutes late is not late": {[]step{{5, 0, 0, true, false}}, 1, 1, 0, 0, 0},
		"six minutes is":                {[]step{{6, 0, 0, false, true}}, 0, 0, 0, 0, 0},
		"a late event joins":            {[]step{{0, 0, 0, true, false}, {60, 20, 0, false, true}}, 1, 2, 0, 20, 20},
		"historical events stay out":    {[]step{{0, 0, 0, true, false}, {10, 10, cx.Historical, false, true}, {60, 60, cx.Historical, false, true}}, 1, 1, 0, 0, 0},
		"inactive events stay out":      {[]step{{0, 0, 0, true, false}, {10, 10, cx.Inactive, false, false}, {60, 60, cx.Inactive, false, false}}, 1, 1, 0, 0, 0},
		"an earlier event moves it":     {[]step{{4, 4, 0, true, false}, {5, 1, 0, false, false}}, 1, 2, 1, 4, 4},
		"an event between two sessions": {[]step{{0, 0, 0, true, false}, {100, 100, 0, true, false}, {101, 50, 0, false, true}}, 2, 1, 100, 100, 100},
		"an event from the future":      {[]step{{0, 10, 0, true, false}}, 1, 1, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLane(Settings{})
			minute := func(n int) cx.Instant { return morning + cx.Instant(n)*cx.Minute }
			for i, s := range test.steps {
				out := l.apply(cx.Event{Flags: s.flags, Time: minute(s.at)}, minute(s.now))
				if out.SessionStarted != s.started || out.Late != s.late || out.Change.Session != s.started {
					t.Errorf("step %d: %+v", i+1, out)
				}
			}
			want := cx.Visit{}
			if test.number > 0 {
				want = cx.Visit{Start: minute(test.from), End: minute(test.to), Number: test.number, Events: test.events}
			}
			if diff := cmp.Diff(want, l.c.Session); diff != "" || l.c.LastSeen != minute(test.seen) {
				t.Errorf("last seen %v, session (-want +got): %s", l.c.LastSeen, diff)
			}
		})
	}
}

// TestChange: what an event touches is marked, and nothing else; a new session
// marks the statistics of sessions.
func TestChange(t *testing.T) {
	specs := []SlotSpec{
		{Slot: 3, Spec: parseSpec(t, `count("A", "all")`)},
		{Slot: 70, Spec: parseSpec(t, `sum("A", "x", "7d")`)},
		{Slot: 5, Spec: parseSpec(t, `count("*", "day")`)},
		{Slot: 6, Spec: parseSpec(t, `count("B", "session")`)},
	}
	l := newLane(Settings{}, specs...)
	touched := func(out Outcome) (slots []int) {
		for slot := range 80 {
			if out.Change.Touched(slot) {
				slots = append(slots, slot)
			}
		}
		return slots
	}
	if out := l.apply(cx.Event{Name: "A", Time: morning}, morning); !out.Change.All {
		t.Error("everything is new about a new customer")
	}
	for i, test := range []struct {
		event string
		body  string
		after cx.Instant
		want  []int
	}{
		{"A", `{"x":1}`, cx.Minute, []int{3, 5, 70}},
		{"A", `{"x":"1"}`, cx.Minute, []int{3, 5}},
		{"B", `{}`, cx.Minute, []int{5, 6}},
		{"C", `{}`, cx.Minute, []int{5}},
		{"C", `{}`, cx.Hour, []int{5, 6}},
		{"A", `{"x":1}`, -8 * cx.Day, []int{3, 70}}, // clamped to seven days: outside the day, and of no session
	} {
		now := l.c.LastSeen + max(test.after, cx.Minute)
		out := l.apply(cx.Event{Name: cx.EventName(test.event), Properties: []byte(test.body), Time: min(now, now+test.after)}, now)
		if got := touched(out); !slices.Equal(got, test.want) {
			t.Errorf("event %d touched %v, want %v", i+1, got, test.want)
		}
	}
}

// TestUnknown: a statistic that is being back-filled is not folded here and reads
// as unknown.
func TestUnknown(t *testing.T) {
	spec := parseSpec(t, `count("*", "all")`)
	l := newLane(Settings{}, SlotSpec{Slot: 0, Spec: spec, Unknown: true}, SlotSpec{Slot: 1, Spec: spec})
	l.apply(cx.Event{Time: morning}, morning)
	v := l.f.View(l.p, l.c, morning)
	if v.Value(0).Kind != cx.Unknown || v.Value(1).Float() != 1 || v.Value(2).Kind != cx.Missing {
		t.Errorf("values are %v %v %v", v.Value(0), v.Value(1), v.Value(2))
	}
	kept := NewPlan(Settings{}, []SlotSpec{{Slot: 0, Spec: spec}, {Slot: 1, Spec: spec}})
	if v := l.f.View(kept, l.c, morning); v.Value(0).Float() != 0 || v.Value(1).Float() != 1 {
		t.Errorf("folded were %v and %v, want 0 and 1", v.Value(0), v.Value(1))
	}
}

// TestAdopt: what was folded elsewhere stands in place of what was here, slot by
// slot, and nothing else moves.
func TestAdopt(t *testing.T) {
	spec := parseSpec(t, `count("*", "all")`)
	slots := func(n ...int) (specs []SlotSpec) {
		for _, slot := range n {
			specs = append(specs, SlotSpec{Slot: slot, Spec: spec})
		}
		return specs
	}
	here, there := newLane(Settings{}, slots(1, 2, 300)...), newLane(Settings{}, slots(0, 2, 9)...)
	here.apply(cx.Event{Time: morning, MessageID: "a"}, morning)
	for _, id := range []string{"b", "c"} {
		there.apply(cx.Event{Time: morning, MessageID: id}, morning)
	}
	Doubt(here.c, []int{1, 2})
	Doubt(there.c, []int{9, 300})
	Adopt(here.c, there.c, []int{0, 2, 300})
	if !slices.Equal(here.c.Unknown, []int{1, 300}) {
		t.Errorf("unknown are %v, want 1 and 300", here.c.Unknown)
	}
	here.c.Unknown = nil
	v := here.f.View(NewPlan(Settings{}, slots(0, 1, 2, 9, 300)), here.c, morning)
	for slot, n := range map[int]float64{0: 2, 1: 1, 2: 2, 9: 0, 300: 0} {
		if got := v.Value(slot).Float(); got != n {
			t.Errorf("slot %d reads %v, want %v", slot, got, n)
		}
	}
	if Adopt(here.c, new(cx.Customer), []int{0, 1, 2}); len(here.c.Stats) != 0 {
		t.Errorf("with nothing to adopt, %x is left", here.c.Stats)
	}
}

// TestDrop: what a plan does not keep goes, and what it keeps does not change.
func TestDrop(t *testing.T) {
	spec, day := parseSpec(t, `count("*", "all")`), parseSpec(t, `count("*", "day")`)
	l := newLane(Settings{}, SlotSpec{Slot: 0, Spec: spec}, SlotSpec{Slot: 1, Spec: day}, SlotSpec{Slot: 2, Spec: spec}, SlotSpec{Slot: 3, Spec: spec})
	l.apply(cx.Event{Time: morning, MessageID: "a"}, morning)
	want := newLane(Settings{}, SlotSpec{Slot: 1, Spec: day}, SlotSpec{Slot: 3, Spec: spec})
	want.apply(cx.Event{Time: morning, MessageID: "a"}, morning)
	l.f.Drop(NewPlan(Settings{}, []SlotSpec{{Slot: 1, Spec: day}, {Slot: 2, Spec: spec, Unknown: true}, {Slot: 3, Spec: spec}}), l.c)
	if !bytes.Equal(l.c.Stats, want.c.Stats) {
		t.Errorf("left is %x, want %x", l.c.Stats, want.c.Stats)
	}
}
