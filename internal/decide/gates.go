package decide

import (
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// gate tries the gates in their order and returns the first that stops action i,
// with its number. The floor and the place come later: they need scores.
func (d *Decider) gate(in *Input, i int) (cx.Gate, float64) {
	a := &in.Offer.actions[i]
	switch d.hits[i] {
	case missed:
		return cx.GateTrigger, 0
	case uncertain:
		return cx.GateBackfill, float64(cx.GateTrigger)
	case struck:
	}
	if !consents(in, i) {
		return cx.GateConsent, 0
	}
	if g, n := conditions(in, a); g != cx.Passed {
		return g, n
	}
	if g, n := d.attention.stops(in, i); g != cx.Passed {
		return g, n
	}
	if a.Personal && in.Scope.Customer.Claimed() {
		return cx.GatePersonal, 0
	}
	return d.lacks(in, a)
}

// consents reports whether the person lets us use the purpose of action i on its
// channel.
func consents(in *Input, i int) bool {
	a := &in.Offer.actions[i]
	return in.Scope.Customer.Consent.Allows(a.Purpose, a.Channel, in.Offer.terms[i].allowed)
}

// conditions tries the action's own rules. A rule whose answer is not known yet
// stops it at the back-fill gate, whose number is the gate of that rule.
func conditions(in *Input, a *Action) (cx.Gate, float64) {
	for _, c := range [...]struct {
		gate cx.Gate
		rule *rule.Program
	}{{cx.GateEligibility, a.Eligible}, {cx.GateApplicability, a.Applicable}, {cx.GateSuitability, a.Suitable}} {
		switch holds(c.rule, in.Scope) {
		case rule.False:
			return c.gate, 0
		case rule.Unknown:
			return cx.GateBackfill, float64(c.gate)
		case rule.True:
		}
	}
	return cx.Passed, 0
}

// lacks evaluates the variables of a's message into d.values and stops it when
// one has no value: the number is the place of the variable in the message's
// list, from 1.
func (d *Decider) lacks(in *Input, a *Action) (cx.Gate, float64) {
	d.values = d.values[:0]
	for _, v := range a.Variables {
		value := v.Value(in.Scope)
		if value.Kind == cx.Unknown {
			return cx.GateBackfill, float64(cx.GateMissingVariable)
		}
		d.values = append(d.values, value)
	}
	if i := a.Message.Missing(d.values); i >= 0 {
		return cx.GateMissingVariable, float64(i + 1)
	}
	return cx.Passed, 0
}

// attention is what the ledger says at the moment of a decision.
type attention struct {
	known   bool // read in this decision
	today   day
	all     counts
	each    []counts // by action
	visible []int    // by action: 1 + the line on screen, 0 for none
}

// counts is how often something was said, and when it was last waved away.
type counts struct {
	session, day, total uint32
	dismissed           cx.Instant
}

func (n *counts) plus(m counts) {
	n.session += m.session
	n.day += m.day
	n.total += m.total
	n.dismissed = max(n.dismissed, m.dismissed)
}

// read counts the ledger once for all actions.
func (a *attention) read(in *Input) {
	a.known = true
	s, c := in.Scope, in.Scope.Customer
	n := len(in.Offer.actions)
	a.all, a.each, a.visible = counts{}, grown(a.each, n), grown(a.visible, n)
	if len(c.Ledger)+len(c.Tallies) == 0 {
		return
	}
	today := a.today.startOf(s.Now, s.Zone)
	for i := range c.Ledger {
		l := &c.Ledger[i]
		index := in.Offer.indexOf(l.Notice)
		a.add(in.Offer, index, countsOf(l, c, s.Now, today))
		if index >= 0 && onScreen(l, c, s.Now) {
			a.visible[index] = i + 1
		}
	}
	for i := range c.Tallies {
		t := &c.Tallies[i]
		a.add(in.Offer, in.Offer.index(t.Action), countsOfTally(t, c, today))
	}
}

func (a *attention) add(o *Offer, action int, n counts) {
	if action >= 0 {
		a.each[action].plus(n)
		if o.actions[action].Purpose == cx.Transactional {
			return
		}
	}
	a.all.plus(n)
}

// stops tries caps, cool-downs and what is on screen already.
func (a *attention) stops(in *Input, i int) (cx.Gate, float64) {
	if !a.known {
		a.read(in)
	}
	action, own, policy := &in.Offer.actions[i], a.each[i], in.policy()
	if action.Purpose == cx.Transactional {
		policy = &noPolicy
	}
	if _, n := exceeded(action.Caps, own); n > 0 {
		return cx.GateActionCap, float64(n)
	}
	if g, n := exceeded(policy.Caps, a.all); n > 0 {
		return g, float64(n)
	}
	left := max(remaining(own.dismissed, action.Cooldown, in.Scope.Now), remaining(a.all.dismissed, policy.Cooldown, in.Scope.Now))
	if left > 0 {
		return cx.GateCooldown, float64(left) / float64(cx.Second)
	}
	if a.visible[i] > 0 {
		return cx.GateAlreadyShown, 0
	}
	return cx.Passed, 0
}

// exceeded returns the policy gate of the first cap that is used up, and how
// often it was said; 0 when none is.
func exceeded(c Caps, n counts) (cx.Gate, uint32) {
	switch {
	case c.Session > 0 && n.session >= c.Session:
		return cx.GateSessionCap, n.session
	case c.Day > 0 && n.day >= c.Day:
		return cx.GateDayCap, n.day
	case c.Total > 0 && n.total >= c.Total:
		return cx.GateTotalCap, n.total
	}
	return cx.Passed, 0
}

// remaining returns how much of a cool-down after a dismissal is left.
func remaining(dismissed, cooldown, now cx.Instant) cx.Instant {
	if dismissed == 0 || cooldown == 0 {
		return 0
	}
	return max(0, dismissed+cooldown-now)
}

func (in *Input) policy() *Policy {
	if in.Policy == nil {
		return &noPolicy
	}
	return in.Policy
}

var noPolicy Policy
