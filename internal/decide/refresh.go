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
		if l := &ledger[i]; l.Channel == cx.Web && mayBeSeen(l, in.Scope.Now) {
			d.refresh(in, out, l)
		}
	}
}

// mayBeSeen is onScreen, but also true of what an earlier session left there.
func mayBeSeen(l *cx.Attention, now cx.Instant) bool {
	return l.State == cx.Shown && l.EndedAt == 0 || l.State == cx.Reserved && now < l.Until
}

// refresh brings one line up to date.
func (d *Decider) refresh(in *Input, out *Result, l *cx.Attention) {
	now, page := in.Scope.Now, isPage(in.Scope.Event)
	a := in.Offer.Action(l.Action)
	switch {
	case a == nil || !consents(in, a) || a.Live && !d.stillApplies(in, a, l):
		out.Withdraw = append(out.Withdraw, l.Decision.String()+"/"+l.Action)
		end(l, cx.Withdrawn, now)
	case a.Live && d.reworded(in, a, l):
		d.update(in, out, a, l)
	case l.State == cx.Shown && page && a.Live:
		d.update(in, out, a, l)
	case l.State == cx.Shown && page:
		l.EndedAt, l.Content = now, nil
	case l.State == cx.Reserved && now >= l.At+AnswerDeadline && (a.Live || d.stillApplies(in, a, l)):
		out.Updates = append(out.Updates, treatment(l, l.Content))
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
	return !bytes.Equal(l.Content, d.write(l.Decision, a, languageOn(in, l.Content), false))
}

// update sends a line's words again in their present form.
func (d *Decider) update(in *Input, out *Result, a *Action, l *cx.Attention) {
	if g, _ := d.lacks(in, a); g != cx.Passed {
		return
	}
	lang := languageOn(in, l.Content)
	l.Content = bytes.Clone(d.write(l.Decision, a, lang, false))
	out.Updates = append(out.Updates, treatment(l, bytes.Clone(d.write(l.Decision, a, lang, true))))
}

// Repeat appends the treatments that were answered to the event with the given
// mark and can still be shown: the answer to a retried request.
func Repeat(dst []cx.Treatment, c *cx.Customer, message uint64, now cx.Instant) []cx.Treatment {
	for i := range c.Ledger {
		if l := &c.Ledger[i]; message != 0 && l.Message == message && l.Content != nil && onScreen(l, c, now) {
			dst = append(dst, treatment(l, l.Content))
		}
	}
	return dst
}

func treatment(l *cx.Attention, content []byte) cx.Treatment {
	return cx.Treatment{Action: l.Action, Place: l.Place, Channel: l.Channel, Content: content}
}
