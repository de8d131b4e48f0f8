package pipeline

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
)

// setTimer puts t among the customer's timers, in order of due time, kind and
// reference. One that stands there already is not put twice.
func setTimer(c *cx.Customer, t cx.Timer) {
	i, found := slices.BinarySearchFunc(c.Timers, t, compareTimers)
	if !found {
		c.Timers = slices.Insert(c.Timers, i, t)
	}
}

func compareTimers(a, b cx.Timer) int {
	switch {
	case a.Due != b.Due:
		if a.Due < b.Due {
			return -1
		}
		return 1
	case a.Kind != b.Kind:
		return int(a.Kind) - int(b.Kind)
	case a.Ref < b.Ref:
		return -1
	case a.Ref > b.Ref:
		return 1
	}
	return 0
}

// setWake sets the timer at which a membership may next change by time alone,
// in place of the earlier one.
func (w *worker) setWake(c *cx.Customer) {
	due := w.evaluator.Wake(w.ws.set.Segments, &w.scope, w.nextChange)
	for i := range c.Timers {
		if t := &c.Timers[i]; t.Kind == cx.TimerSegments {
			if t.Due == due {
				return
			}
			c.Timers = slices.Delete(c.Timers, i, i+1)
			break
		}
	}
	if due != 0 {
		setTimer(c, cx.Timer{Due: due, Kind: cx.TimerSegments})
	}
}

// nextChange says when a statistic of the customer being looked at changes by
// time alone.
func (w *worker) nextChange(slot int) (cx.Instant, bool) {
	return w.folder.NextChange(w.ws.plan, w.scope.Customer, slot, w.scope.Now)
}

// fireOwn fires the customer's own timers that are due by now, before anything
// else happens to them at now.
func (w *worker) fireOwn(r *resident, at cx.Position, now cx.Instant) {
	if isDue(&r.customer, now) {
		w.fire(r, at, now)
	}
}

// isDue reports whether a timer of the customer is due by now.
func isDue(c *cx.Customer, now cx.Instant) bool { return len(c.Timers) > 0 && c.Timers[0].Due <= now }

// fire fires the timers that are due by now, in order, as steps at position at.
func (w *worker) fire(r *resident, at cx.Position, now cx.Instant) {
	c := &r.customer
	if !isDue(c, now) {
		return
	}
	w.ws = w.state.workspace(c.Workspace)
	w.touch(r)
	for len(c.Timers) > 0 && c.Timers[0].Due <= now {
		t := c.Timers[0]
		c.Timers = slices.Delete(c.Timers, 0, 1)
		switch t.Kind {
		case cx.TimerRelease:
			decide.Release(c, cx.DecisionID(t.Ref), now)
		case cx.TimerSegments:
			w.passTime(c, at)
		case cx.TimerSession: // nothing sets one
		}
	}
	c.Timers = tight(c.Timers)
	w.resize(r)
}

// tight returns timers in memory that is not much larger than they are: most
// customers have many once and few ever after.
func tight(timers []cx.Timer) []cx.Timer {
	switch {
	case len(timers) == 0:
		return nil
	case cap(timers) > len(timers)+1:
		return append(make([]cx.Timer, 0, len(timers)), timers...)
	}
	return timers
}

// passTime looks at the customer's segments because time has passed.
func (w *worker) passTime(c *cx.Customer, at cx.Position) {
	w.see(c, nil)
	entered, left := w.judge(c, &cx.Change{All: true})
	w.moved(c, at, entered, left, true)
	if len(entered) > 0 && c.Flags&(cx.Robot|cx.Flooding) == 0 {
		w.decide(c, at, nil, entered)
	}
	w.setWake(c)
}
