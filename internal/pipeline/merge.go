package pipeline

import (
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/profile"
)

// give takes the loser of a merge off its lane and hands it over.
func (w *worker) give(l *lane, o *order) {
	r := l.residents[o.customer]
	if r == nil { // created and merged before anything happened to it
		o.hand.loser <- given{customer: &cx.Customer{ID: o.customer}}
		return
	}
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.fireOwn(r, o.at, w.scope.Now)
	if r.epoch != 0 && r.epoch != w.epoch {
		w.encode(r) // the running cut still needs it
	}
	r.epoch = gone
	delete(l.residents, o.customer)
	w.bytes -= int64(r.size)
	w.next.gone = append(w.next.gone, o.customer)
	w.page.leave(o.customer)
	loser := r.customer
	r.customer = cx.Customer{ID: loser.ID}
	marks := map[uint64]uint32(nil)
	if loser.Flags&cx.SpillSeen != 0 {
		marks = w.marksOf(loser.ID)
	}
	o.hand.loser <- given{&loser, marks}
}

// merge takes the loser over and makes it part of the winner. It waits for the
// give at the same position only, which its worker reaches without waiting for
// this one.
func (w *worker) merge(l *lane, o *order) {
	hand := <-o.hand.loser
	loser := hand.customer
	w.ws = w.state.workspace(o.about)
	r := w.customer(l, o, o.about)
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.touch(r)
	c := &r.customer
	w.fireOwn(r, o.at, w.scope.Now)
	fault.Point("merge.inside")
	w.noteMerge(c, loser, o)
	out := w.folder.Merge(w.ws.plan, c, loser, w.scope.Now)
	w.spill(c, out.Spilled)
	w.adopt(c, hand.marks)
	decide.Prune(c, w.scope.Now, w.ws.set.Settings.Zone)
	w.see(c, nil)
	entered, left := w.judge(c, &cx.Change{All: true})
	w.moved(c, o.at, entered, left, false)
	w.setWake(c)
	l.setAlarm(r)
	w.resize(r)
	if w.wanted(o.at) {
		w.feed.Merges = append(w.feed.Merges, MergeRow{
			Position: o.at, At: w.scope.Now, Workspace: c.Workspace, Winner: c.ID, Loser: loser.ID, Reason: o.merge.Reason,
		})
	}
	w.commanded(o)
}

// noteMerge keeps the merge that is about to be made, with both customers as they
// are.
func (w *worker) noteMerge(winner, loser *cx.Customer, o *order) {
	w.known = profile.AppendCustomer(w.known[:0], winner)
	cut := len(w.known)
	w.known = profile.AppendCustomer(w.known, loser)
	states := append(make([]byte, 0, len(w.known)), w.known...)
	w.next.merges = append(w.next.merges, MergeChange{Position: o.at, Put: &MergeFact{
		Merge: o.merge.Clone(), Position: o.at, Index: uint8(min(o.index, 255)), At: w.scope.Now, Workspace: winner.Workspace,
		WinnerBefore: states[:cut:cut], LoserBefore: states[cut:],
	}})
}

// begin lets a customer be there, if it is not, and have identities.
func (w *worker) begin(l *lane, o *order) *resident {
	w.ws = w.state.workspace(o.about)
	r := w.customer(l, o, o.about)
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.touch(r)
	w.fireOwn(r, o.at, w.scope.Now)
	profile.Link(&r.customer, own(o.links))
	l.setAlarm(r)
	w.resize(r)
	return r
}

// drop forgets an identity that moved to another customer.
func (w *worker) drop(l *lane, o *order) {
	r := l.residents[o.customer]
	if r == nil {
		return
	}
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.touch(r)
	c := &r.customer
	for _, id := range o.links {
		profile.Unlink(c, id)
	}
	w.resize(r)
}
