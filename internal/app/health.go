package app

import (
	"time"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
)

// stuckAfter is how far a stage may be behind before the program says that it is
// not ready.
const stuckAfter = 30 * time.Second

// Health makes App an api.Health.
func (a *App) Health() api.Condition {
	last, at := a.journal.Last()
	p := a.shard.Progress()
	now := cx.InstantOf(time.Now())
	c := api.Condition{
		Ready: true, Version: version, StartedAt: api.TimeOf(cx.InstantOf(a.started)),
		Position: cx.At(last, 0).String(), Customers: p.Identities,
	}
	idle := p.Applied.Sequence() >= last
	stage := func(name string, done cx.Position, behind bool, since cx.Instant) {
		s := api.Stage{Stage: name, Position: done.String()}
		if behind && since != 0 && now > since {
			s.Lag = now.Sub(since).Seconds()
		}
		if s.Stuck = s.Lag > stuckAfter.Seconds(); s.Stuck && c.Ready {
			c.Ready, c.Reason = false, "the stage "+name+" is behind; the log says why"
		}
		c.Stages = append(c.Stages, s)
	}
	stage("lanes", p.Applied, !idle, p.Time)
	stage("ticks", p.Applied, p.Unsaved && idle, p.Tick)
	stage("timers", p.Applied, p.Due != 0 && p.Due <= now, p.Due)
	stage("warehouse", p.Warehouse, p.Warehouse < p.Applied && p.Unsaved, min(at, p.Tick))
	stage("checkpoint", p.Checkpoint, p.Checkpoint < p.Applied && p.Unsaved, a.checkpointDue(p.Checkpoint))
	if !a.caught.Load() {
		c.Ready, c.Reason = false, "the journal is being replayed; this ends by itself"
	}
	return c
}

// checkpointDue returns when the checkpoint after the one at p should have been
// written, as far as the program has watched.
func (a *App) checkpointDue(p cx.Position) cx.Instant {
	a.checkpoint.Lock()
	defer a.checkpoint.Unlock()
	if a.checkpoint.at != p || a.checkpoint.seen == 0 {
		a.checkpoint.at, a.checkpoint.seen = p, cx.InstantOf(time.Now())
	}
	return a.checkpoint.seen.Add(a.config.CheckpointEvery)
}
