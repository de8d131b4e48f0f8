package decide

import (
	"bytes"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// Refresh brings what is on the customer's screen up to date, before Decide. It
// changes the ledger and fills out.Updates and out.Withdraw, which go into the
// answer of the event. When the event waits for no answer nothing is done: the
// next one that does will do it.
//
//   - A live action that no longer applies, is no longer on offer or consented
//     to, or whose session is over, is withdrawn.
//   - A live action whose words have changed is sent again, as an update of the
//     same decision.
//   - A page view empties the screen: live actions are sent again, others end.
//   - What was withdrawn a moment ago is withdrawn again, and with a page view
//     what was withdrawn in the last day, in case an answer was lost.
//   - What was decided but not reported as seen, should have arrived by now and
//     still applies, is carried by this answer.
func (d *Decider) Refresh(in *Input, out *Result) {
	out.Updates, out.Withdraw = out.Updates[:0], out.Withdraw[:0]
	ev := in.Scope.Event
	if ev == nil || !ev.Has(cx.WantsAnswer) {
		return
	}
	ledger := in.Scope.Customer.Ledger
	for i := range ledger {
		switch l := &ledger[i]; {
		case l.Channel() != cx.Web:
		case mayBeSeen(l, in.Scope.Now):
			d.refresh(in, out, l)
		case mayHaveStayed(in, l):
			out.Withdraw = append(out.Withdraw, nameOf(l))
		}
	}
}

// mayHaveStayed reports whether l was withdrawn by an answer that may have been
// lost: in the last seconds, or in the last day when a page view asks what belongs
// on the page. Where something else has come since, that has replaced it.
func mayHaveStayed(in *Input, l *cx.Attention) bool {
	if l.State != cx.Withdrawn || occupied(in, l) {
		return false
	}
	now, since := in.Scope.Now, l.End+AnswerDeadline
	return now >= since && (now < since+Reservation || isPage(in.Scope.Event) && now < since+cx.Day)
}

// occupied reports whether something is on screen where l was.
func occupied(in *Input, l *cx.Attention) bool {
	c := in.Scope.Customer
	for i := range c.Ledger {
		if o := &c.Ledger[i]; onScreen(o, c, in.Scope.Now) && samePlace(o, l) {
			return true
		}
	}
	return false
}

// nameOf names what a line put on the screen, as clients know it.
func nameOf(l *cx.Attention) string { return l.Decision.String() + "/" + l.Action() }

// mayBeSeen is onScreen, but also true of what an earlier session left there.
func mayBeSeen(l *cx.Attention, now cx.Instant) bool {
	return l.State == cx.Shown && l.End == 0 || l.State == cx.Reserved && now < l.End
}

// refresh brings one line up to date.
func (d *Decider) refresh(in *Input, out *Result, l *cx.Attention) {
	now, page := in.Scope.Now, isPage(in.Scope.Event)
	i := in.Offer.indexOf(l.Notice)
	a := in.Offer.at(i)
	switch {
	case a == nil || !consents(in, i) || a.Live && !d.stillApplies(in, a, l):
		out.Withdraw = append(out.Withdraw, nameOf(l))
		end(l, cx.Withdrawn, now)
	case a.Live && d.reworded(in, a, l):
		d.update(in, out, a, l)
	case l.State == cx.Shown && page && a.Live:
		d.update(in, out, a, l)
	case l.State == cx.Shown && page:
		l.End, l.Said = now, nil
	case l.State == cx.Reserved && now >= l.At+AnswerDeadline && (a.Live || d.stillApplies(in, a, l)):
		out.Updates = append(out.Updates, repeated(l, now))
	}
}

func isPage(ev *cx.Event) bool { return ev.Type == cx.Page || ev.Type == cx.Screen }

// stillApplies reports whether an action may stay on screen. An answer that
// is not known yet leaves it there.
func (d *Decider) stillApplies(in *Input, a *Action, l *cx.Attention) bool {
	if !thisSession(l, in.Scope.Customer) || a.Personal && in.Scope.Customer.Claimed() {
		return false
	}
	for _, r := range [...]*rule.Program{a.Eligible, a.Applicable, a.Suitable} {
		if holds(r, in.Scope) == rule.False {
			return false
		}
	}
	g, _ := d.lacks(in, a)
	return g != cx.GateMissingVariable
}

// reworded renders a as it would read now, into scratch memory, and reports
// whether that differs from what was said. While a variable is not known it
// says the same.
func (d *Decider) reworded(in *Input, a *Action, l *cx.Attention) bool {
	if g, _ := d.lacks(in, a); g != cx.Passed {
		return false
	}
	return !bytes.Equal(content(l), d.write(l.Decision, a, languageOn(in, content(l)), false))
}

// update sends a line's words again in their present form. Only what was
// reported as seen is called an update, because a client does not report the
// exposure of an update.
func (d *Decider) update(in *Input, out *Result, a *Action, l *cx.Attention) {
	if g, _ := d.lacks(in, a); g != cx.Passed {
		return
	}
	var said cx.Said
	if l.Said != nil {
		said = *l.Said
	}
	lang := languageOn(in, said.Content)
	said.Content = bytes.Clone(d.write(l.Decision, a, lang, false))
	l.Said = &said
	if l.State == cx.Reserved {
		out.Updates = append(out.Updates, repeated(l, in.Scope.Now))
		return
	}
	out.Updates = append(out.Updates, treatment(l, bytes.Clone(d.write(l.Decision, a, lang, true))))
}

// Repeat appends the treatments that were answered to the event with the given
// mark and can still be shown: the answer to a retried request.
func Repeat(dst []cx.Treatment, c *cx.Customer, message uint64, now cx.Instant) []cx.Treatment {
	for i := range c.Ledger {
		if l := &c.Ledger[i]; message != 0 && l.Said != nil && l.Said.Message == message && onScreen(l, c, now) {
			dst = append(dst, repeated(l, now))
		}
	}
	return dst
}

// repeated says a line's words once more; what is only reserved keeps the end it
// had, so that nobody shows it after it was released.
func repeated(l *cx.Attention, now cx.Instant) cx.Treatment {
	words := content(l)
	i := bytes.LastIndex(words, expiry)
	if l.State != cx.Reserved || i < 0 {
		return treatment(l, words)
	}
	left := int64((l.End - now) / cx.Second)
	return treatment(l, appendExpiry(append(make([]byte, 0, len(words)+1), words[:i]...), left))
}

func treatment(l *cx.Attention, content []byte) cx.Treatment {
	return cx.Treatment{Action: l.Action(), Place: l.Place(), Channel: l.Channel(), Content: content}
}

// content returns what l said, nil when that is not known any more.
func content(l *cx.Attention) []byte {
	if l.Said == nil {
		return nil
	}
	return l.Said.Content
}
