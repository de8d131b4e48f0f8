package decide

import (
	"sort"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Reservation is how long an on-site decision holds its share of the caps
// before anybody reports having seen it.
const Reservation = 30 * cx.Second

// AnswerDeadline is how long a request waits for its decision. What was decided
// longer ago and is not reported as seen is sent again with the next answer.
const AnswerDeadline = 150 * cx.Millisecond

// The bounds of what a customer keeps about what we said.
const (
	MaxLines   = 64
	MaxTallies = 256
)

// Reserve puts the lines of a decision into the ledger of c. What they replace
// on the screen is withdrawn. The caller sets a cx.TimerRelease for each
// decision, due at ReleaseAt.
func Reserve(c *cx.Customer, lines []cx.Attention, now cx.Instant, zone *time.Location) {
	if len(lines) == 0 {
		return
	}
	c.Ledger = withRoom(c.Ledger, len(lines))
	for i := range lines {
		displace(c, &lines[i], now)
		c.Ledger = append(c.Ledger, lines[i])
	}
	Prune(c, now, zone)
}

// ReleaseAt returns when the reservations of a decision's lines run out, 0 when
// there are none.
func ReleaseAt(lines []cx.Attention) cx.Instant {
	for i := range lines {
		if lines[i].State == cx.Reserved {
			return lines[i].End
		}
	}
	return 0
}

// withRoom returns the ledger with room for n more lines, and little more: there
// are many customers, and most are told few things.
func withRoom(ledger []cx.Attention, n int) []cx.Attention {
	if len(ledger)+n <= cap(ledger) {
		return ledger
	}
	return append(make([]cx.Attention, 0, len(ledger)+n+len(ledger)/4), ledger...)
}

// displace ends what is on screen where line will appear.
func displace(c *cx.Customer, line *cx.Attention, now cx.Instant) {
	for i := range c.Ledger {
		l := &c.Ledger[i]
		if onScreen(l, c, now) && samePlace(l, line) {
			end(l, cx.Withdrawn, now)
		}
	}
}

func samePlace(a, b *cx.Attention) bool {
	return a.Notice == b.Notice || a.Place() == b.Place() && a.Channel() == b.Channel()
}

// Release lets go of the reservations of decision id that have run out, and
// reports whether there were any.
func Release(c *cx.Customer, id cx.DecisionID, now cx.Instant) (released bool) {
	for i := range c.Ledger {
		l := &c.Ledger[i]
		if l.Decision == id && l.State == cx.Reserved && l.End <= now {
			end(l, cx.Released, now)
			released = true
		}
	}
	return released
}

// end closes a line: what it said cannot be repeated any more.
func end(l *cx.Attention, s cx.AttentionState, now cx.Instant) {
	l.State, l.End, l.Said = s, now, nil
}

// onScreen reports whether l is, as far as we know, in front of the person or
// on its way there.
func onScreen(l *cx.Attention, c *cx.Customer, now cx.Instant) bool {
	switch l.State {
	case cx.Reserved:
		return now < l.End
	case cx.Shown:
		return l.End == 0 && thisSession(l, c)
	default:
		return false
	}
}

// thisSession reports whether l was decided in the customer's latest session.
// It goes by time, because a merge may have given the sessions other numbers.
func thisSession(l *cx.Attention, c *cx.Customer) bool {
	return c.Session.Start != 0 && l.At >= c.Session.Start
}

// countsOf returns what l adds to the caps at now; today is the start of the
// calendar day.
func countsOf(l *cx.Attention, c *cx.Customer, now, today cx.Instant) (n counts) {
	if l.State == cx.Dismissed {
		n.dismissed = l.End
	}
	if !l.Counts() || l.State == cx.Reserved && l.End <= now {
		return n
	}
	n.total = 1
	if thisSession(l, c) {
		n.session = 1
	}
	if l.At >= today {
		n.day = 1
	}
	return n
}

func countsOfTally(t *cx.Tally, c *cx.Customer, today cx.Instant) counts {
	n := counts{total: t.Total, dismissed: t.DismissedAt}
	if t.Session == c.Session.Number {
		n.session = t.InSession
	}
	if t.Day == today {
		n.day = t.InDay
	}
	return n
}

// Prune keeps the ledger bounded: words that cannot be repeated are dropped, and
// the oldest lines that are over become counts, so that caps stay exact. Reserve
// does it; call it also after a merge has joined two ledgers.
func Prune(c *cx.Customer, now cx.Instant, zone *time.Location) {
	for i := range c.Ledger {
		if l := &c.Ledger[i]; l.Said != nil && !onScreen(l, c, now) {
			l.Said = nil
		}
	}
	for len(c.Ledger) > MaxLines {
		i := oldestOver(c, now)
		tally(c, &c.Ledger[i], zone)
		c.Ledger = append(c.Ledger[:i], c.Ledger[i+1:]...)
	}
}

// oldestOver returns the first line that is not on screen, or 0 when all are.
func oldestOver(c *cx.Customer, now cx.Instant) int {
	for i := range c.Ledger {
		if !onScreen(&c.Ledger[i], c, now) {
			return i
		}
	}
	return 0
}

// tally keeps the counts of a line that is about to be dropped.
func tally(c *cx.Customer, l *cx.Attention, zone *time.Location) {
	t := cx.Tally{Action: l.Action()}
	if l.State == cx.Dismissed {
		t.DismissedAt = l.End
	}
	if l.Counts() {
		t.Total, t.Session, t.InSession = 1, l.Session, 1
		t.Day, t.InDay = startOfDay(l.At, zone), 1
	}
	if t.Total == 0 && t.DismissedAt == 0 {
		return
	}
	i := sort.Search(len(c.Tallies), func(i int) bool { return c.Tallies[i].Action >= t.Action })
	if full := len(c.Tallies) >= MaxTallies; full && (i == len(c.Tallies) || c.Tallies[i].Action != t.Action) {
		t.Action = "" // sorts first, and gathers the rest
	}
	c.Tallies = cx.MergeTallies(c.Tallies, []cx.Tally{t})
}
