package decide

import (
	"bytes"

	"github.com/kikubari/kikubari/internal/cx"
)

// Fate is a client's report of what became of a treatment.
type Fate struct {
	Decision cx.DecisionID
	Action   string
	State    cx.AttentionState // Shown, Clicked or Dismissed
}

// FateOf reads a report out of an event and its opened properties; ok is false
// when the event is none.
func FateOf(ev *cx.Event, f cx.Fields) (fate Fate, ok bool) {
	switch ev.Name {
	case cx.MessageShown:
		fate.State = cx.Shown
	case cx.MessageClicked:
		fate.State = cx.Clicked
	case cx.MessageDismissed:
		fate.State = cx.Dismissed
	default:
		return Fate{}, false
	}
	fate.Decision, ok = cx.ParseDecisionID(f.Get("decision_id").Str())
	fate.Action = f.Get("action").Str()
	return fate, ok
}

// Reported is what a report changed.
type Reported struct {
	Line      *cx.Attention // the line it spoke of, valid until the ledger changes
	Exposed   bool          // it was seen, which was not known before
	Responded bool          // it was clicked, which was not known before
}

// Report notes the fate of a treatment in the ledger of c. ok is false when the
// customer was never given that treatment, or when the report says nothing new.
// Reports may come late, twice and in any order; a click is never undone.
func Report(c *cx.Customer, f Fate, now cx.Instant) (r Reported, ok bool) {
	l := find(c, f)
	if l == nil || !news(l, f.State) {
		return Reported{}, false
	}
	r.Line = l
	if r.Exposed = l.ShownAt == 0; r.Exposed {
		l.ShownAt = now
	}
	switch {
	case f.State == cx.Shown && l.State == cx.Withdrawn:
	case f.State == cx.Shown && l.Channel() != cx.Web:
		end(l, cx.Shown, now) // nothing of it is on the page
	case f.State == cx.Shown:
		l.State, l.End, l.Said = cx.Shown, 0, ownWords(l.Said)
	default:
		r.Responded = f.State == cx.Clicked
		end(l, f.State, now)
	}
	return r, true
}

// ownWords returns a copy of s that shares no memory with what others were told.
func ownWords(s *cx.Said) *cx.Said {
	if s == nil {
		return nil
	}
	return &cx.Said{Message: s.Message, Content: bytes.Clone(s.Content)}
}

// news reports whether a report of state s changes anything in l.
func news(l *cx.Attention, s cx.AttentionState) bool {
	switch s {
	case cx.Shown:
		return l.ShownAt == 0
	case cx.Clicked:
		return l.State != cx.Clicked
	default:
		return l.State != cx.Clicked && l.State != cx.Dismissed
	}
}

func find(c *cx.Customer, f Fate) *cx.Attention {
	for i := len(c.Ledger) - 1; i >= 0; i-- {
		if l := &c.Ledger[i]; l.Decision == f.Decision && l.Action() == f.Action {
			return l
		}
	}
	return nil
}
