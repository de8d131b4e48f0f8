package pipeline

import (
	"github.com/kikubari/kikubari/internal/cx"
)

// ErasedRow says that a person is to be forgotten: every row about one of the
// customers goes, and none comes again, for ids are not given twice.
type ErasedRow struct {
	Position  cx.Position
	At        cx.Instant
	Workspace cx.Workspace
	Customers []cx.CustomerID // who it was at last, and all that were merged into it
}

// commandErase forgets a person. What the person taught the model stays: it is a
// count of many. Whoever comes with the same identities afterwards is new, also
// with events from before.
func (s *Shard) commandErase(at cx.Position, c *cx.Command) error {
	id, err := cx.DecodeErase(c.Body)
	if err != nil {
		return err
	}
	family := s.resolver.Forget(id)
	for _, member := range family {
		s.stir(member)
	}
	s.unaddress(family)
	s.partedMoved = true
	s.erased = append(s.erased, family...)
	for i, member := range family {
		o := order{kind: orderErase, at: at, customer: member, about: c.Workspace, fresh: true} // there is nothing to load
		if i == 0 {
			o.family, o.commanded = family, true
		}
		s.order(o)
	}
	return nil
}

// erase takes a customer, and what waits to be sent to it, off its lane.
func (w *worker) erase(l *lane, o *order) {
	done := Commanded{Position: o.at, At: w.scope.Now, Forgotten: o.family}
	if r := w.find(l, o.customer); r != nil {
		done.Names = r.customer.Identities
		if r.epoch != 0 && r.epoch != w.epoch {
			w.encode(r) // the running cut still needs it
		}
		r.epoch = gone
		delete(l.residents, o.customer)
		w.bytes -= int64(r.size)
		r.customer = cx.Customer{ID: o.customer}
	}
	w.page.leave(o.customer)
	for _, p := range w.openPages() {
		delete(p.marks, o.customer)
	}
	for key, customer := range l.outbox {
		if customer == o.customer {
			delete(l.outbox, key)
		}
	}
	if o.family != nil && w.wanted(o.at) {
		w.feed.Erased = append(w.feed.Erased, ErasedRow{Position: o.at, At: w.scope.Now, Workspace: o.about, Customers: o.family})
	}
	if o.commanded {
		w.shard.outcomes.give(o.at, done)
	}
}
