package decide_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
)

func line(id cx.DecisionID, action string, s cx.AttentionState) cx.Attention {
	l := cx.Attention{Decision: id, Notice: cx.NewNotice(action, action, cx.Web), State: s, At: noon, Session: 1, Said: &cx.Said{Content: []byte("{}")}}
	if s == cx.Shown || s == cx.Clicked || s == cx.Dismissed {
		l.ShownAt = noon + cx.Second
	}
	switch {
	case s == cx.Reserved:
		l.End = noon + decide.Reservation
	case s > cx.Shown:
		l.End = noon + 2*cx.Second
	}
	return l
}

func TestReport(t *testing.T) {
	const now = noon + 5*cx.Second
	for _, c := range []struct {
		was, report, want cx.AttentionState
		news, exposed     bool
		responded         bool
	}{
		{cx.Reserved, cx.Shown, cx.Shown, true, true, false},
		{cx.Reserved, cx.Clicked, cx.Clicked, true, true, true},
		{cx.Reserved, cx.Dismissed, cx.Dismissed, true, true, false},
		{cx.Shown, cx.Shown, cx.Shown, false, false, false},
		{cx.Shown, cx.Clicked, cx.Clicked, true, false, true},
		{cx.Shown, cx.Dismissed, cx.Dismissed, true, false, false},
		{cx.Clicked, cx.Shown, cx.Clicked, false, false, false},
		{cx.Clicked, cx.Clicked, cx.Clicked, false, false, false},
		{cx.Clicked, cx.Dismissed, cx.Clicked, false, false, false},
		{cx.Dismissed, cx.Clicked, cx.Clicked, true, false, true},
		{cx.Dismissed, cx.Dismissed, cx.Dismissed, false, false, false},
		{cx.Released, cx.Shown, cx.Shown, true, true, false},
		{cx.Released, cx.Clicked, cx.Clicked, true, true, true},
		{cx.Withdrawn, cx.Shown, cx.Withdrawn, true, true, false},
		{cx.Withdrawn, cx.Clicked, cx.Clicked, true, true, true},
	} {
		customer := &cx.Customer{Ledger: []cx.Attention{line(9, "other", cx.Reserved), line(1, "a", c.was)}}
		r, ok := decide.Report(customer, decide.Fate{Decision: 1, Action: "a", State: c.report}, now)
		got := customer.Ledger[1]
		if ok != c.news || r.Exposed != c.exposed || r.Responded != c.responded || got.State != c.want {
			t.Errorf("state %d, report %d: state %d news %v exposed %v responded %v", c.was, c.report, got.State, ok, r.Exposed, r.Responded)
		}
		if c.exposed && got.ShownAt != now {
			t.Errorf("state %d, report %d: shown at %s", c.was, c.report, got.ShownAt)
		}
		if diff := cmp.Diff(line(9, "other", cx.Reserved), customer.Ledger[0]); diff != "" {
			t.Errorf("another line changed: %s", diff)
		}
	}
	if _, ok := decide.Report(new(cx.Customer), decide.Fate{Decision: 1, Action: "a", State: cx.Shown}, now); ok {
		t.Error("a report on what was never said was taken")
	}
}

func TestFateOf(t *testing.T) {
	id := cx.NewDecisionID(cx.At(3, 4))
	fields := cx.ParseFields(nil, fmt.Appendf(nil, `{"decision_id":%q,"action":"bar"}`, id))
	f, ok := decide.FateOf(&cx.Event{Name: cx.MessageDismissed}, fields)
	if want := (decide.Fate{Decision: id, Action: "bar", State: cx.Dismissed}); !ok || f != want {
		t.Errorf("%+v, want %+v", f, want)
	}
	for _, name := range []cx.EventName{"Product Added", ""} {
		if _, ok := decide.FateOf(&cx.Event{Name: name}, fields); ok {
			t.Errorf("%q is a report", name)
		}
	}
	for _, raw := range []string{`{}`, `{"decision_id":1}`, `{"decision_id":"d_x"}`, `null`} {
		if _, ok := decide.FateOf(&cx.Event{Name: cx.MessageShown}, cx.ParseFields(nil, []byte(raw))); ok {
			t.Errorf("%s is a report", raw)
		}
	}
}

func TestReleaseOnlyWhatRanOut(t *testing.T) {
	c := &cx.Customer{Ledger: []cx.Attention{line(1, "a", cx.Reserved), line(1, "b", cx.Shown), line(2, "a", cx.Reserved)}}
	if decide.Release(c, 1, noon+decide.Reservation-1) {
		t.Error("released before its time")
	}
	if !decide.Release(c, 1, noon+decide.Reservation) || decide.Release(c, 1, noon+decide.Reservation) {
		t.Error("released not exactly once")
	}
	for i, want := range []cx.AttentionState{cx.Released, cx.Shown, cx.Reserved} {
		if c.Ledger[i].State != want {
			t.Errorf("line %d: state %d, want %d", i, c.Ledger[i].State, want)
		}
	}
}

// said is one line of a long life, as a test draws it.
type said struct {
	Action string
	After  cx.Instant // since the line before
	State  cx.AttentionState
	Visit  bool // a new session started first
}

// TestCapsStayExactWhenTheLedgerIsPruned compares what stops a second message
// when the ledger is bounded with what does when it is not.
func TestCapsStayExactWhenTheLedgerIsPruned(t *testing.T) {
	words := text(t, "hello")
	zone := time.FixedZone("", 9*60*60)
	rapid.Check(t, func(t *rapid.T) {
		life := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) said {
			return said{
				Action: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "action"),
				After:  cx.Instant(rapid.Int64Range(1, int64(3*cx.Hour)).Draw(t, "after")),
				State:  rapid.SampledFrom([]cx.AttentionState{cx.Shown, cx.Clicked, cx.Dismissed, cx.Released, cx.Withdrawn}).Draw(t, "state"),
				Visit:  rapid.IntRange(0, 9).Draw(t, "visit") == 0,
			}
		}), 60, 160).Draw(t, "life")
		bounded := &cx.Customer{ID: 1, Workspace: "shop", Session: cx.Visit{Start: noon, Number: 1}}
		var all []cx.Attention
		now := noon
		for i, s := range life {
			now += s.After
			if s.Visit {
				bounded.Session = cx.Visit{Start: now, Number: bounded.Session.Number + 1}
			}
			l := line(cx.DecisionID(i+1), s.Action, s.State)
			l.At, l.Session, l.End = now, bounded.Session.Number, now
			if s.State == cx.Withdrawn && i%2 == 0 {
				l.ShownAt = now
			}
			all = append(all, l)
			decide.Reserve(bounded, []cx.Attention{l}, now, zone)
		}
		if len(bounded.Ledger) > decide.MaxLines {
			t.Fatalf("%d lines", len(bounded.Ledger))
		}
		unbounded := *bounded
		unbounded.Ledger, unbounded.Tallies = all, nil
		caps := decide.Caps{
			Session: rapid.Uint32Range(1, 40).Draw(t, "session"), Day: rapid.Uint32Range(1, 40).Draw(t, "day"), Total: rapid.Uint32Range(1, 160).Draw(t, "total"),
		}
		for _, policy := range []bool{true, false} {
			s := situation{Rates: rates{"a": 0.5}, Allowed: []cx.Purpose{cx.OnSiteService}}
			action := decide.Action{Name: "a", Message: words, Channel: cx.Web, Purpose: cx.OnSiteService, Place: "center", Value: 1, Triggers: []decide.Trigger{{Event: "E"}}}
			if policy {
				s.Policy.Caps, s.Policy.Cooldown = caps, cx.Hour
			} else {
				action.Caps, action.Cooldown = caps, cx.Hour
			}
			gate := func(c *cx.Customer) cx.Candidate {
				in := s.input([]decide.Action{action})
				in.Scope.Customer, in.Scope.Now, in.Scope.Zone = c, now+cx.Second, zone
				var d decide.Decider
				var out decide.Result
				d.Decide(in, &out)
				return out.Candidates[0]
			}
			if diff := cmp.Diff(gate(&unbounded), gate(bounded)); diff != "" {
				t.Fatalf("policy %v: %s", policy, diff)
			}
		}
	})
}

func TestTalliesAreBounded(t *testing.T) {
	c := &cx.Customer{}
	const lines = decide.MaxLines + decide.MaxTallies + 50
	for i := range lines {
		l := line(cx.DecisionID(i+1), fmt.Sprintf("action-%04d", i), cx.Clicked)
		decide.Reserve(c, []cx.Attention{l}, noon, time.UTC)
	}
	if len(c.Ledger) != decide.MaxLines || len(c.Tallies) > decide.MaxTallies+1 {
		t.Errorf("%d lines and %d tallies", len(c.Ledger), len(c.Tallies))
	}
	total := len(c.Ledger)
	for _, t := range c.Tallies {
		total += int(t.Total)
	}
	if total != lines {
		t.Errorf("%d of %d lines are remembered", total, lines)
	}
	if !slices.IsSortedFunc(c.Tallies, func(a, b cx.Tally) int {
		if a.Action < b.Action {
			return -1
		}
		return 1
	}) {
		t.Error("tallies are not sorted by action")
	}
}

func TestReserveReplacesWhatIsThere(t *testing.T) {
	c := &cx.Customer{Session: cx.Visit{Start: noon, Number: 1}}
	old := line(1, "a", cx.Shown)
	decide.Reserve(c, []cx.Attention{old}, noon, time.UTC)
	newer := line(2, "b", cx.Reserved)
	newer.Notice = cx.NewNotice("b", old.Place(), cx.Web)
	decide.Reserve(c, []cx.Attention{newer}, noon+cx.Minute, time.UTC)
	if got := c.Ledger[0]; got.State != cx.Withdrawn || got.End != noon+cx.Minute || got.Said != nil || !got.Counts() {
		t.Errorf("what was replaced: %+v", got)
	}
}

func TestWordsAreDroppedOnceTheyCannotBeRepeated(t *testing.T) {
	c := &cx.Customer{Session: cx.Visit{Start: noon, Number: 1}, Ledger: []cx.Attention{
		line(1, "a", cx.Shown), line(2, "b", cx.Reserved), line(3, "c", cx.Shown),
	}}
	c.Ledger[0].At = noon - cx.Hour // of an earlier session
	decide.Prune(c, noon+cx.Minute, time.UTC)
	for i, kept := range []bool{false, false, true} {
		if (c.Ledger[i].Said != nil) != kept {
			t.Errorf("line %d: words %v", i, c.Ledger[i].Said)
		}
	}
}

func TestRefreshWithdrawsWhatIsNoLongerOnOffer(t *testing.T) {
	s := situation{Allowed: []cx.Purpose{cx.OnSiteService}}
	in := s.input(nil)
	in.Scope.Customer.Ledger = []cx.Attention{line(1, "gone", cx.Shown), line(2, "done", cx.Clicked)}
	var d decide.Decider
	var out decide.Result
	in.Scope.Event.Flags = 0
	if d.Refresh(in, &out); len(out.Withdraw) != 0 || in.Scope.Customer.Ledger[0].State != cx.Shown {
		t.Errorf("withdrew %q from nobody", out.Withdraw)
	}
	in.Scope.Event.Flags = cx.WantsAnswer
	d.Refresh(in, &out)
	if diff := cmp.Diff([]string{cx.DecisionID(1).String() + "/gone"}, out.Withdraw); diff != "" {
		t.Error(diff)
	}
	for _, again := range []struct {
		after cx.Instant
		event cx.EventType
		want  int
	}{
		{0, cx.Track, 0}, {decide.AnswerDeadline, cx.Track, 1}, {cx.Minute, cx.Track, 0}, {cx.Minute, cx.Page, 1},
	} {
		in.Scope.Now, in.Scope.Event.Type = noon+again.after, again.event
		if d.Refresh(in, &out); len(out.Withdraw) != again.want {
			t.Errorf("%v later, withdrew %q again", again.after, out.Withdraw)
		}
	}
}
