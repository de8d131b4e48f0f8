package pipeline

import (
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/profile"
)

// event is the story of one event on its customer's lane: time passes for the
// customer, the event is folded in, segments are looked at again, what may be
// said is decided, and whoever waits is answered.
func (w *worker) event(l *lane, o *order) {
	ev, now := o.event, w.scope.Now
	w.sample.begin()
	defer w.sample.end()
	w.ws = w.state.workspace(ev.Workspace)
	r := w.customer(l, o, ev.Workspace)
	if w.state.takingOver {
		w.catchUp(l, r, o.at)
	}
	w.touch(r)
	c := &r.customer
	w.fireOwn(r, o.at, now)

	if c.Judged != w.ws.set.Sequence {
		w.folder.Drop(w.ws.plan, c) // what an earlier set asked for and this one does not
	}

	// Who is it, and have we heard this before?
	linked := profile.Link(c, own(o.links))
	out := w.folder.Apply(w.ws.plan, c, ev, o.at, now, w)
	if out.Duplicate {
		w.countsOf(c.Workspace).Duplicates.Add(1)
		w.answerAgain(c, o)
		return
	}
	out.Change.Links = out.Change.Links || linked
	w.spill(c, out.Spilled)
	w.report(l, c, o)
	w.sample.lap(&w.shard.Stages.Fold)

	// What do they add up to now?
	w.see(c, ev)
	entered, left := w.judge(c, &out.Change)
	w.moved(c, o.at, entered, left, false)
	w.sample.lap(&w.shard.Stages.Rules)

	// What may be said, if anything?
	w.result.Reset()
	decided := false
	if !out.Late && !out.Flooding && c.Flags&cx.Robot == 0 {
		decided = w.decide(c, o.at, ev, entered)
	}
	w.sample.lap(&w.shard.Stages.Decide)

	w.setWake(c)
	l.setAlarm(r)
	w.resize(r)
	if w.wanted(o.at) {
		w.feed.Events = append(w.feed.Events, EventRow{
			Position: o.at, At: now, Customer: c.ID, Session: c.Session.Number, Late: out.Late, Event: ev,
		})
	}
	w.countsOf(c.Workspace).Events.Add(1)
	w.answer(o)
	w.tell(c, o, entered, decided)
}

// own returns ids with values that do not alias the journal record.
func own(ids []cx.Identity) []cx.Identity {
	for i := range ids {
		ids[i].Value = strings.Clone(ids[i].Value)
	}
	return ids
}

// report notes what the client says became of a treatment, and what that
// teaches about the action.
func (w *worker) report(l *lane, c *cx.Customer, o *order) {
	if o.event.Has(cx.Historical) {
		return
	}
	fate, ok := decide.FateOf(o.event, w.fieldsOf(o.event))
	if !ok {
		return
	}
	did, ok := decide.Report(c, fate, w.scope.Now)
	if !ok {
		return
	}
	if did.Exposed {
		l.learned.Expose(c.Workspace, fate.Action)
	}
	if did.Responded {
		l.learned.Respond(c.Workspace, fate.Action)
	}
	if w.wanted(o.at) {
		w.feed.Exposures = append(w.feed.Exposures, ExposureRow{
			Position: o.at, At: w.scope.Now, Workspace: c.Workspace, Customer: c.ID,
			Decision: fate.Decision, Action: did.Line.Action(), Place: did.Line.Place(), Fate: fate.State,
			Exposed: did.Exposed, Responded: did.Responded,
		})
	}
}

// fieldsOf opens the properties only of events that are reports; the folder has
// opened them for everything else that it needed.
func (w *worker) fieldsOf(ev *cx.Event) cx.Fields {
	switch ev.Name {
	case cx.MessageShown, cx.MessageClicked, cx.MessageDismissed:
		return w.folder.Fields()
	default:
		return nil
	}
}

// see lets rules see the customer and, unless it is nil, the event.
func (w *worker) see(c *cx.Customer, ev *cx.Event) {
	w.scope.Event, w.scope.Customer, w.scope.Zone = ev, c, w.ws.set.Settings.Zone
	w.scope.Fields, w.scope.Unsure = nil, w.ws.unsure
	if ev != nil {
		w.scope.Fields = w.folder.Fields()
	}
	w.scope.Statistics = w.folder.View(w.ws.plan, c, w.scope.Now)
}

// judge brings the customer's memberships up to date.
func (w *worker) judge(c *cx.Customer, ch *cx.Change) (entered, left []int) {
	if c.Judged != w.ws.set.Sequence {
		ch.All = true
		c.Judged = w.ws.set.Sequence
	}
	return w.evaluator.Evaluate(w.ws.set.Segments, c, &w.scope, ch)
}

// decide brings what is on screen up to date and decides what to add to it. It
// reports whether there was a decision.
func (w *worker) decide(c *cx.Customer, at cx.Position, ev *cx.Event, entered []int) bool {
	in := decide.Input{
		ID: cx.NewTimerDecisionID(at, c.ID), Scope: &w.scope, Entered: entered,
		Offer: w.ws.set.Offer, Policy: w.ws.set.Policy, Scorer: w.state.rates,
	}
	if ev != nil {
		in.ID = cx.NewDecisionID(at)
		in.Message = profile.Message(ev)
		w.decider.Refresh(&in, &w.result)
	}
	if !w.decider.Decide(&in, &w.result) {
		return false
	}
	if w.wanted(at) {
		w.record(&in, c, ev, at)
	}
	decide.Reserve(c, w.result.Lines, w.scope.Now, w.scope.Zone)
	if due := decide.ReleaseAt(w.result.Lines); due != 0 {
		setTimer(c, cx.Timer{Due: due, Kind: cx.TimerRelease, Ref: uint64(in.ID)})
	}
	w.send(&in, c, at)
	w.countsOf(c.Workspace).Decisions.Add(1)
	w.countsOf(c.Workspace).Treatments.Add(uint64(len(w.result.Lines)))
	return true
}

// record writes the row of the decision just made. The customer must still be as
// it was decided on.
func (w *worker) record(in *decide.Input, c *cx.Customer, ev *cx.Event, at cx.Position) {
	row := DecisionRow{
		ID: in.ID, Position: at, At: w.scope.Now, Workspace: c.Workspace, Customer: c.ID,
		Definitions: w.ws.set.Sequence, Winners: slices.Clone(w.result.Decision.Treatments), Trace: w.stash.keep(w.result.Trace),
		Input: w.encodeInput(in, c, ev),
	}
	if ev != nil {
		row.Event = ev.Name
	}
	w.feed.Decisions = append(w.feed.Decisions, row)
}

// answer gives the waiting request what is to be shown and what to take away.
func (w *worker) answer(o *order) {
	if o.waiter == nil {
		return
	}
	a := Answer{Position: o.at, Withdraw: slices.Clone(w.result.Withdraw)}
	a.Treatments = append(slices.Clone(w.result.Updates), w.onSite()...)
	o.waiter.Answer(o.index, a)
}

// onSite returns the treatments of the decision just made that go into the
// answer.
func (w *worker) onSite() (web []cx.Treatment) {
	for _, t := range w.result.Decision.Treatments {
		if t.Channel == cx.Web {
			web = append(web, t)
		}
	}
	return web
}

// answerAgain answers a repeated message as it was answered before.
func (w *worker) answerAgain(c *cx.Customer, o *order) {
	if o.waiter == nil {
		return
	}
	o.waiter.Answer(o.index, Answer{Position: o.at, Treatments: decide.Repeat(nil, c, profile.Message(o.event), w.scope.Now)})
}

// moved writes the rows of segments entered and left.
func (w *worker) moved(c *cx.Customer, at cx.Position, entered, left []int, byTime bool) {
	if !w.wanted(at) {
		return
	}
	for _, slots := range [...][]int{entered, left} {
		for _, slot := range slots {
			w.feed.Moves = append(w.feed.Moves, SegmentRow{
				Position: at, At: w.scope.Now, Workspace: c.Workspace, Customer: c.ID,
				Segment: w.ws.segmentName(slot), Entered: c.InSegment(slot), ByTime: byTime,
			})
		}
	}
}

// tell lets those who watch know.
func (w *worker) tell(c *cx.Customer, o *order, entered []int, decided bool) {
	if !w.shard.opts.Watcher.Watched() {
		return
	}
	a := Activity{Workspace: c.Workspace, Position: o.at, Customer: c.ID, At: w.scope.Now, Name: cx.EventName(strings.Clone(string(o.event.Name))), Session: c.Session.Number}
	if decided {
		a.Decision = cx.NewDecisionID(o.at)
	}
	for _, slot := range entered {
		a.Entered = append(a.Entered, w.ws.segmentName(slot))
	}
	w.shard.opts.Watcher.Tell(a)
}
