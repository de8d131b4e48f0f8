package pipeline

import (
	"bytes"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
)

// outbox is what a lane has decided to send and does not know the fate of yet. A
// delivery stays on the lane of the customer it was decided for, also when that
// one is merged into another.
type outbox map[cx.SendKey]cx.CustomerID

func (o *outbox) put(k cx.SendKey, id cx.CustomerID) {
	if *o == nil {
		*o = outbox{}
	}
	(*o)[k] = id
}

// send puts the treatments just decided for other channels than the page into the
// outbox. They are sent when a checkpoint has them.
func (w *worker) send(in *decide.Input, c *cx.Customer, at cx.Position) {
	for i := range w.result.Decision.Treatments {
		t := &w.result.Decision.Treatments[i]
		if t.Channel == cx.Web {
			continue
		}
		a := in.Offer.Action(t.Action)
		d := cx.Delivery{
			Key: cx.NewSendKey(in.ID, w.scope.Now, t.Action, a.Destination), Position: at, At: w.scope.Now,
			Workspace: c.Workspace, Customer: c.ID, Decision: in.ID, Action: t.Action, Purpose: a.Purpose,
			Channel: t.Channel, Destination: a.Destination, Payload: bytes.Clone(t.Content),
		}
		w.shard.lanes[c.ID.Lane()].outbox.put(d.Key, c.ID)
		w.next.deliveries = append(w.next.deliveries, d)
		w.shard.sending.Store(true)
	}
}

// settle gives out the orders that follow from the fate of a delivery: on the lane
// it was decided on, and on that of whoever it is said to by now.
func (s *Shard) settle(at cx.Position, payload []byte) error {
	f, err := cx.DecodeFate(payload)
	if err != nil {
		return err
	}
	if s.opts.reduced != nil {
		return nil // it has sent nothing
	}
	s.sinceTick++
	f.Workspace = s.intern(f.Workspace)
	s.order(order{kind: orderSettle, at: at, customer: f.Customer, about: f.Workspace, fate: &f})
	s.order(order{kind: orderFate, at: at, customer: s.addressee(&f), about: f.Workspace, fate: &f})
	return nil
}

// settle takes a delivery out of the outbox. A fate that is told again, because
// the program ended before it knew that it had been told, changes nothing.
func (w *worker) settle(l *lane, o *order) {
	if _, open := l.outbox[o.fate.Key]; !open {
		return
	}
	delete(l.outbox, o.fate.Key)
	w.next.settled = append(w.next.settled, Settlement{o.fate.Key, o.at})
	if w.wanted(o.at) {
		w.feed.Deliveries = append(w.feed.Deliveries, DeliveryRow{Position: o.at, At: w.scope.Now, Fate: *o.fate})
	}
}

// fate notes in the customer's ledger how a delivery ended.
func (w *worker) fate(l *lane, o *order) {
	r := l.residents[o.customer]
	if r == nil {
		return // there is no such customer any more
	}
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.touch(r)
	w.fireOwn(r, o.at, w.scope.Now)
	decide.Settle(&r.customer, o.fate.Decision, o.fate.Action, o.fate.State, w.scope.Now)
	l.setAlarm(r)
	w.resize(r)
}
