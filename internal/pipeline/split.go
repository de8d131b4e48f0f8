package pipeline

import (
	"slices"
	"sync/atomic"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/profile"
)

// split is an un-merge on its way through the lanes. The lane of the customer who
// keeps the id gives the others their part of what was said; their lanes wait
// for it, and for nothing later, so lanes cannot wait in a circle.
type split struct {
	*unmerge
	reason   string
	portion  []chan portion // by part; the first is not used
	heritage [][]*handoff   // by part: marks of those merged into it, which their lanes tell
	left     atomic.Int32   // parts that have not taken effect
}

// portion is what a part gets of the state that does not follow from its events
// alone.
type portion struct {
	ledger  []cx.Attention
	timers  []cx.Timer
	tallies []cx.Tally
}

func newSplit(u *unmerge, c *cx.Command) *split {
	x := &split{unmerge: u, reason: reason(c), portion: make([]chan portion, len(u.Parts)), heritage: make([][]*handoff, len(u.Parts))}
	for i := range x.portion {
		x.portion[i] = make(chan portion, 1)
	}
	x.left.Store(int32(len(u.Parts)))
	return x
}

// divide gives the others what is theirs and leaves the customer what is its own.
func (w *worker) divide(l *lane, o *order) {
	x := o.split
	w.ws = w.state.workspace(o.about)
	r := w.customer(l, o, o.about)
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.touch(r)
	w.fireOwn(r, o.at, w.scope.Now)
	portions := x.portions(&r.customer)
	for i := range x.Parts[1:] {
		x.portion[i+1] <- portions[i+1]
	}
	w.become(r, o, portions[0])
	w.noteSplit(o)
	w.judgeAnew(l, r, o)
}

// revive lets a customer live, again or for the first time.
func (w *worker) revive(l *lane, o *order) {
	portion := <-o.split.portion[o.index]
	w.page.unleave(o.customer)
	for _, page := range w.pages {
		page.unleave(o.customer)
	}
	w.next.gone = slices.DeleteFunc(w.next.gone, func(id cx.CustomerID) bool { return id == o.customer })
	w.ws = w.state.workspace(o.about)
	r := w.customer(l, o, o.about)
	w.touch(r)
	w.become(r, o, portion)
	w.judgeAnew(l, r, o)
}

// unleave notes that a customer is there again.
func (p *page) unleave(id cx.CustomerID) { delete(p.left, id) }

// become makes the resident the customer of the part that o is about.
func (w *worker) become(r *resident, o *order, own portion) {
	p, workspace := &o.split.Parts[o.index], r.customer.Workspace
	r.customer = *p.Customer
	c := &r.customer
	c.Filled = w.filled()
	if o.split.Earlier {
		profile.Doubt(c, w.ws.knownSince(o.split.Undone.Position))
	}
	c.Workspace, c.Ledger, c.Tallies = workspace, own.ledger, own.tallies
	for _, t := range own.timers {
		setTimer(c, t)
	}
	for i := range c.Ledger {
		c.Ledger[i].Session = sessionAt(c, &c.Ledger[i])
	}
	for _, hand := range o.split.heritage[o.index] {
		w.adopt(c, (<-hand.loser).marks)
	}
	w.spill(c, p.Marks)
}

// sessionAt returns the number of the session in which a line was said: of those
// that are remembered, or one before them.
func sessionAt(c *cx.Customer, line *cx.Attention) uint32 {
	for _, v := range [...]cx.Visit{c.Session, c.Previous} {
		if v.Start != 0 && line.At >= v.Start {
			return v.Number
		}
	}
	return 0
}

// judgeAnew looks at every rule again.
func (w *worker) judgeAnew(l *lane, r *resident, o *order) {
	c := &r.customer
	w.ws = w.state.workspace(c.Workspace)
	decide.Prune(c, w.scope.Now, w.ws.set.Settings.Zone)
	w.see(c, nil)
	entered, left := w.judge(c, &cx.Change{All: true})
	w.moved(c, o.at, entered, left, false)
	w.setWake(c)
	l.setAlarm(r)
	w.resize(r)
	if o.split.left.Add(-1) == 0 {
		w.shard.outcomes.give(o.at, Commanded{Position: o.at, At: w.scope.Now})
	}
}

// portions divides what was said to whole: each line goes to whom it was said.
// Lines that became counts since the merge count for the first part.
func (x *split) portions(whole *cx.Customer) []portion {
	out := make([]portion, len(x.Parts))
	index := func(d cx.DecisionID) int {
		for _, l := range x.Said {
			if l.Decision == d {
				return max(0, slices.IndexFunc(x.Parts, func(p profile.UnmergedPart) bool { return p.Customer.ID == l.Customer }))
			}
		}
		return 0
	}
	for _, l := range whole.Ledger {
		p := &out[index(l.Decision)]
		p.ledger = append(p.ledger, l)
	}
	for _, t := range whole.Timers {
		switch t.Kind {
		case cx.TimerRelease:
			p := &out[index(cx.DecisionID(t.Ref))]
			p.timers = append(p.timers, t)
		case cx.TimerSegments, cx.TimerSession: // set again
		}
	}
	others := []cx.Tally(nil)
	for i, p := range x.Parts[1:] {
		out[i+1].tallies = p.Customer.Tallies
		others = cx.MergeTallies(others, p.Customer.Tallies)
	}
	out[0].tallies = x.without(whole, others)
	return out
}

// without returns the tallies of whole less those of others, in the sessions of
// the first part.
func (x *split) without(whole *cx.Customer, others []cx.Tally) (out []cx.Tally) {
	first := x.Parts[0].Customer
	for _, t := range whole.Tallies {
		if i := slices.IndexFunc(others, func(o cx.Tally) bool { return o.Action == t.Action }); i >= 0 {
			t.Total -= min(t.Total, others[i].Total)
		}
		if t.Session == whole.Session.Number && first.Session.End == whole.Session.End {
			t.Session = first.Session.Number
		} else {
			t.Session, t.InSession = 0, 0
		}
		t.InSession, t.InDay = min(t.InSession, t.Total), min(t.InDay, t.Total)
		if t.Total > 0 || t.DismissedAt != 0 {
			out = append(out, t)
		}
	}
	return out
}

// noteSplit puts out what the un-merge changed in what is kept of the past.
func (w *worker) noteSplit(o *order) {
	x, changes := o.split, []MergeChange(nil)
	changes = append(changes, MergeChange{Position: o.at, Key: x.Undone, Undone: true})
	for _, k := range x.Forget {
		changes = append(changes, MergeChange{Position: o.at, Key: k})
	}
	for i := range x.Facts {
		f := &x.Facts[i]
		if f.Workspace = o.about; !x.Earlier {
			f.Filled = o.at
		}
		changes = append(changes, MergeChange{Position: o.at, Put: f})
	}
	w.next.merges = append(w.next.merges, changes...)
	if !w.wanted(o.at) {
		return
	}
	row := MergeRow{Position: o.at, At: w.scope.Now, Workspace: o.about, Reason: x.reason}
	undo := func(k FactKey) {
		row.Winner, row.Loser, row.Undoes = k.Winner, k.Loser, k.Position
		w.feed.Merges = append(w.feed.Merges, row)
	}
	undo(x.Undone)
	for _, k := range x.Forget {
		if !slices.ContainsFunc(x.Facts, func(f MergeFact) bool { return f.Key() == k }) {
			undo(k)
		}
	}
	for i := range x.Facts {
		if f := &x.Facts[i]; !slices.Contains(x.Forget, f.Key()) {
			w.feed.Merges = append(w.feed.Merges, MergeRow{
				Position: o.at, At: w.scope.Now, Workspace: o.about, Winner: f.Winner, Loser: f.Loser, Reason: f.Reason,
			})
		}
	}
	for _, e := range x.Events {
		w.feed.Resorted = append(w.feed.Resorted, ResortRow{Position: o.at, Workspace: o.about, Event: e.Position, Customer: e.Customer})
	}
}
