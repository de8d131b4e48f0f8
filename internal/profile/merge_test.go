package profile

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// everySpec has every aggregate over every window.
func everySpec() []SlotSpec {
	var out []SlotSpec
	for _, a := range allAggregates {
		for _, w := range allWindows {
			out = append(out, SlotSpec{Slot: 2 * len(out), Spec: specOf(a, w)})
		}
	}
	return out
}

// copyOf is a customer that shares nothing with c.
func copyOf(t *rapid.T, c *cx.Customer) *cx.Customer {
	out, err := DecodeCustomer(AppendCustomer(nil, c))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// arrivals are events of two customers in log order, now and then out of order.
type arrival struct {
	ev  cx.Event
	now cx.Instant
	of  int
}

func arrivals(t *rapid.T, pauses []cx.Instant) []arrival {
	now := morning
	var out []arrival
	for i := range rapid.IntRange(1, 40).Draw(t, "events") {
		now += rapid.SampledFrom(pauses).Draw(t, "pause")
		a := arrival{now: now, of: rapid.IntRange(0, 1).Draw(t, "of")}
		a.ev = cx.Event{
			Key: "k", MessageID: fmt.Sprint(i), Type: rapid.SampledFrom([]cx.EventType{cx.Track, cx.Identify}).Draw(t, "type"),
			KeyKind:    rapid.SampledFrom([]cx.KeyKind{cx.BrowserKey, cx.ServerKey}).Draw(t, "key"),
			Time:       now - rapid.SampledFrom([]cx.Instant{0, 0, 0, cx.Second, cx.Minute}).Draw(t, "late"),
			Properties: fmt.Appendf(nil, `{"v":%s}`, rapid.SampledFrom([]string{`1`, `2.25`, `"a"`, `"b"`, `null`, `[1,"c"]`}).Draw(t, "v")),
		}
		if rapid.Bool().Draw(t, "answers") {
			a.ev.Consent = fmt.Appendf(nil, `{"marketing":%v}`, rapid.Bool().Draw(t, "consent"))
		}
		out = append(out, a)
	}
	return out
}

// TestMergeCustomersCommutes: but for the id, it does not matter who wins.
func TestMergeCustomersCommutes(t *testing.T) {
	p := NewPlan(Settings{Zone: mustZone(t, "Asia/Tokyo")}, everySpec())
	rapid.Check(t, func(t *rapid.T) {
		var f Folder
		pair := [2]*cx.Customer{{ID: 1}, {ID: 2}}
		list := arrivals(t, []cx.Instant{0, cx.Second, 10 * cx.Minute, cx.Hour, cx.Day})
		for i, a := range list {
			f.Apply(p, pair[a.of], &a.ev, cx.At(uint64(i+1), 0), a.now, nil)
		}
		now := list[len(list)-1].now
		for i, c := range pair {
			Link(c, []cx.Identity{{Namespace: cx.AnonymousID, Value: fmt.Sprint(i), Since: 1}, {Namespace: cx.UserID, Value: "u", Since: cx.Instant(i)}})
			for range rapid.IntRange(0, 3).Draw(t, "lines") {
				c.Ledger = append(c.Ledger, cx.Attention{Decision: cx.NewDecisionID(cx.Position(2*rapid.IntRange(0, 1<<40).Draw(t, "decision") + i)), At: now, Session: c.Session.Number})
			}
			c.Timers = []cx.Timer{{Due: now + cx.Hour, Kind: cx.TimerSession}}
			c.Segments, c.Judged = []uint64{3}, 7
			if rapid.Bool().Draw(t, "spilled") {
				c.Flags |= cx.SpillSeen
				c.SpilledAt = seconds(now - rapid.SampledFrom([]cx.Instant{0, cx.Hour, 2 * cx.Day}).Draw(t, "spilledAgo"))
			}
		}
		merge := func(w, l *cx.Customer) []byte {
			w, l = copyOf(t, w), copyOf(t, l)
			out := f.Merge(p, w, l, now)
			if !out.Change.All || w.Segments != nil {
				t.Fatal("rules are not looked at again")
			}
			w.ID = 0
			return AppendCustomer(nil, w)
		}
		ab, ba := merge(pair[0], pair[1]), merge(pair[1], pair[0])
		if !bytes.Equal(ab, ba) {
			x, _ := DecodeCustomer(ab)
			y, _ := DecodeCustomer(ba)
			t.Fatal("a+b and b+a differ (-a+b +b+a):", cmp.Diff(x, y))
		}
	})
}

// TestMergeIsFoldingAll: the events of one person, split over two customers who
// each remember all of their sessions, give after a merge what one customer
// would have become who saw them all.
func TestMergeIsFoldingAll(t *testing.T) {
	p := NewPlan(Settings{Zone: mustZone(t, "Asia/Tokyo")}, everySpec())
	rapid.Check(t, func(t *rapid.T) {
		var f Folder
		one, a, b := &cx.Customer{ID: 1}, &cx.Customer{ID: 1}, &cx.Customer{ID: 2}
		list := arrivals(t, []cx.Instant{cx.Second, 5 * cx.Minute, 20 * cx.Minute})
		for i, x := range list {
			c := a
			if x.of == 1 {
				c = b
			}
			x.ev.Time = x.now // in order: who saw it all could not know better
			f.Apply(p, c, &x.ev, cx.At(uint64(i+1), 0), x.now, nil)
			f.Apply(p, one, &x.ev, cx.At(uint64(i+1), 0), x.now, nil)
		}
		if a.Session.Number > 2 || b.Session.Number > 2 {
			return
		}
		now := list[len(list)-1].now
		f.Merge(p, a, b, now)
		f.Trim(p, one, now)
		a.Rate, one.Rate = cx.Rate{}, cx.Rate{}
		if diff := cmp.Diff(copyOf(t, one), copyOf(t, a)); diff != "" {
			t.Fatal("(-one who saw all +merged):", diff)
		}
	})
}

// TestMergeVisits: which sessions become one, and what they are called in the
// ledger.
func TestMergeVisits(t *testing.T) {
	at := func(minute int) cx.Instant { return morning + cx.Instant(minute)*cx.Minute }
	visit := func(from, to int, number uint32) cx.Visit {
		return cx.Visit{Start: at(from), End: at(to), Number: number, Events: 1}
	}
	joined := func(from, to int, number, events uint32) cx.Visit {
		return cx.Visit{Start: at(from), End: at(to), Number: number, Events: events}
	}
	none := cx.Visit{}
	for name, test := range map[string]struct {
		a, aBefore, b, bBefore, want, wantBefore cx.Visit
		line                                     uint32 // where a line of a's session ends up
	}{
		"only one has sessions":  {visit(100, 110, 2), visit(0, 10, 1), none, none, visit(100, 110, 2), visit(0, 10, 1), 2},
		"far apart":              {visit(100, 110, 1), none, visit(0, 10, 1), none, visit(100, 110, 2), visit(0, 10, 1), 2},
		"far apart, other order": {visit(0, 10, 1), none, visit(100, 110, 1), none, visit(100, 110, 2), visit(0, 10, 1), 1},
		"overlapping":            {visit(0, 10, 3), none, visit(5, 60, 2), none, joined(0, 60, 4, 2), none, 4},
		"29 minutes apart":       {visit(0, 10, 1), none, visit(39, 50, 1), none, joined(0, 50, 1, 2), none, 1},
		"30 minutes apart":       {visit(0, 10, 1), none, visit(40, 50, 1), none, visit(40, 50, 2), visit(0, 10, 1), 1},
		"one within the other":   {visit(0, 100, 1), none, visit(40, 50, 1), none, joined(0, 100, 1, 2), none, 1},
		"a bridge":               {visit(60, 70, 2), visit(0, 10, 1), visit(20, 50, 1), none, joined(0, 70, 1, 3), none, 1},
		"long over two":          {visit(60, 70, 2), visit(20, 25, 1), visit(0, 65, 1), none, joined(0, 70, 1, 3), none, 1},
		"four become three":      {visit(200, 210, 2), visit(0, 10, 1), visit(205, 220, 5), visit(100, 110, 4), joined(200, 220, 6, 2), visit(100, 110, 5), 6},
	} {
		t.Run(name, func(t *testing.T) {
			a := &cx.Customer{ID: 1, Session: test.a, Previous: test.aBefore, Ledger: []cx.Attention{{Session: test.a.Number}}}
			b := &cx.Customer{ID: 2, Session: test.b, Previous: test.bBefore}
			var f Folder
			f.Merge(NewPlan(Settings{}, nil), a, b, at(300))
			if diff := cmp.Diff([]cx.Visit{test.want, test.wantBefore}, []cx.Visit{a.Session, a.Previous}); diff != "" {
				t.Error("sessions (-want +got):", diff)
			}
			if a.Ledger[0].Session != test.line {
				t.Errorf("the ledger's line is of session %d, want %d", a.Ledger[0].Session, test.line)
			}
		})
	}
}

// TestMergeSeen: what either has seen is a duplicate for the merged customer,
// also what was spilled.
func TestMergeSeen(t *testing.T) {
	p := NewPlan(Settings{}, nil)
	a, b, spill := &cx.Customer{ID: 1}, &cx.Customer{ID: 2}, memory{}
	var f Folder
	event := func(i int) *cx.Event {
		return &cx.Event{Key: "k", MessageID: fmt.Sprint(i), Type: cx.Track, Time: morning}
	}
	keep := func(out Outcome) {
		for _, s := range out.Spilled {
			spill[s.Message()] = s.At
		}
	}
	const n = 620
	for i := range n {
		c := a
		if i%9 > 0 {
			c = b // most, so that some of b's are spilled before the merge
		}
		keep(f.Apply(p, c, event(i), cx.Position(i+1), morning+cx.Instant(i)*cx.Second, spill))
	}
	now := morning + n*cx.Second
	keep(f.Merge(p, a, b, now))
	if len(a.Seen) > SeenMax || a.Flags&cx.SpillSeen == 0 {
		t.Errorf("%d marks in memory, flags %b", len(a.Seen), a.Flags)
	}
	for i := range n {
		if !f.Apply(p, a, event(i), cx.Position(n+i+1), now, spill).Duplicate {
			t.Fatalf("message %d is not known again", i)
		}
	}
	out := f.Apply(p, a, event(n), 2*n, now+25*cx.Hour, spill)
	if out.Duplicate || len(a.Seen) != 1 || a.Flags&cx.SpillSeen != 0 {
		t.Errorf("a day later %d marks are in memory, flags %b", len(a.Seen), a.Flags)
	}
}
