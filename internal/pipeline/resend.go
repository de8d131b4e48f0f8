package pipeline

import (
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
)

// commandResend puts a delivery that has ended without arriving, as far as is
// known, into the outbox once more, under the same key. What is sent is not in
// the journal: whoever sends has kept it.
func (s *Shard) commandResend(at cx.Position, c *cx.Command) error {
	d, err := cx.DecodeResend(c.Body)
	if err != nil || s.opts.reduced != nil { // a filler has sent nothing
		return err
	}
	d.Position, d.At, d.Workspace = at, s.now, c.Workspace
	d.Customer = s.addressee(&cx.Fate{Decision: d.Decision, Customer: d.Customer})
	s.order(order{kind: orderResend, at: at, customer: d.Customer, about: c.Workspace, delivery: &d, commanded: true})
	return nil
}

// resend is commandResend on the lane of whoever it is said to by now.
func (w *worker) resend(l *lane, o *order) {
	if err := w.tryResend(l, o); err != nil {
		w.shard.outcomes.give(o.at, Commanded{Position: o.at, At: w.scope.Now, Err: err})
		return
	}
	w.commanded(o)
}

func (w *worker) tryResend(l *lane, o *order) error {
	d, r := o.delivery, l.residents[o.customer]
	if r == nil {
		return cx.E(cx.NotFound, "send again", "there is no customer "+o.customer.String())
	}
	if _, open := l.outbox[d.Key]; open {
		return cx.E(cx.Conflict, "send again", fmt.Sprintf("%s is on its way already", d.Key))
	}
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.ws = w.state.workspace(o.about)
	if c := &r.customer; !c.Consent.Allows(d.Purpose, d.Channel, slices.Contains(w.ws.set.Settings.Allowed, d.Purpose)) {
		return cx.E(cx.Conflict, "send again", fmt.Sprintf("%s does not allow %s on %s any more", c.ID, d.Purpose, d.Channel))
	}
	w.touch(r)
	w.fireOwn(r, o.at, w.scope.Now)
	if !decide.Resend(&r.customer, d.Decision, d.Action) {
		return cx.E(cx.Conflict, "send again", fmt.Sprintf("%s has arrived by now", d.Key))
	}
	l.setAlarm(r)
	w.resize(r)
	l.outbox.put(d.Key, d.Customer)
	w.next.deliveries = append(w.next.deliveries, *d)
	w.shard.sending.Store(true)
	return nil
}
