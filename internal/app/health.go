package app

import (
	"context"
	"fmt"
	"sync"
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
	p, wall := a.shard.Progress(), now()
	c := api.Condition{
		Ready: true, Version: version, StartedAt: api.TimeOf(cx.InstantOf(a.started)),
		Position: cx.At(last, 0).String(), Customers: p.Identities, Warnings: p.Troubles,
	}
	unready := func(reason string) {
		if c.Ready {
			c.Ready, c.Reason = false, reason
		}
	}
	if !a.caught.Load() {
		unready("the journal is being replayed; this ends by itself")
	}
	if err := a.journal.Trouble(); err != nil {
		unready(err.Error())
	}
	idle := p.Applied.Sequence() >= last
	stage := func(name string, done cx.Position, behind bool, age time.Duration) {
		s := api.Stage{Stage: name, Position: done.String()}
		s.Lag = a.lags.lag(name, done, behind, age).Seconds()
		if s.Stuck = s.Lag > stuckAfter.Seconds(); s.Stuck {
			unready("the stage " + name + " is behind; the log says why")
		}
		c.Stages = append(c.Stages, s)
	}
	since := func(t cx.Instant) time.Duration { return wall.Sub(t) }
	stage("lanes", p.Applied, !idle && p.Time != 0, since(p.Time))
	stage("ticks", p.Applied, p.Unsaved && idle && p.Tick != 0, since(p.Tick))
	stage("timers", p.Applied, p.Due != 0 && p.Due <= wall, since(p.Due))
	stage("warehouse", p.Warehouse, p.Warehouse < p.Applied && p.Unsaved && p.Tick != 0, since(min(at, p.Tick)))
	overdue := a.checkpointOverdue(p.Checkpoint)
	stage("checkpoint", p.Checkpoint, p.Checkpoint < p.Applied && p.Unsaved && overdue > 0, overdue)
	if wrong := a.archiving.wrong.Load(); wrong != nil {
		c.Warnings = append(c.Warnings, *wrong)
	}
	if wrong := a.erasing.wrong.Load(); wrong != nil {
		c.Warnings = append(c.Warnings, *wrong)
	}
	c.Warnings = append(c.Warnings, a.courier.Troubles()...)
	if ahead := at.Sub(wall); ahead > time.Minute {
		c.Warnings = append(c.Warnings, clockBehind(ahead))
	}
	return c
}

// clockBehind says what it means that log time is ahead of the wall clock.
func clockBehind(ahead time.Duration) string {
	return fmt.Sprintf("the journal is %v ahead of this machine's clock: log time stands still and timers wait until the clock has caught up; correct the clock", ahead.Round(time.Second))
}

// checkpointOverdue returns how long ago the checkpoint after the one at p should
// have been written, as far as the program has watched; below 0 it has time.
func (a *App) checkpointOverdue(p cx.Position) time.Duration {
	a.checkpoint.Lock()
	defer a.checkpoint.Unlock()
	if a.checkpoint.at != p || a.checkpoint.seen.IsZero() {
		a.checkpoint.at, a.checkpoint.seen = p, time.Now()
	}
	return time.Since(a.checkpoint.seen) - a.config.CheckpointEvery
}

// watchStages looks at the stages every second, so that lags are right when
// somebody asks.
func (a *App) watchStages(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.Health()
		case <-ctx.Done():
			return
		}
	}
}

// lags knows, by a clock that does not jump, since when each stage is behind.
type lags struct {
	mu     sync.Mutex
	stages map[string]lag
}

type lag struct {
	at            cx.Position
	moved, behind time.Time // when it moved last, and since when it is behind; zero when it is not
}

// lag returns how far a stage that has done everything up to a position is
// behind, if it is. age is how long what it has to do next has waited by the wall
// clock, which may have jumped: a stage is not further behind than it has been
// seen to be, and when the clock has gone back it is as far behind as it stands
// still.
func (l *lags) lag(name string, done cx.Position, behind bool, age time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, known := l.stages[name]
	if !known || s.at != done {
		s.at, s.moved = done, time.Now()
	}
	switch {
	case !behind:
		s.behind = time.Time{}
	case s.behind.IsZero():
		s.behind = time.Now()
	}
	if l.stages == nil {
		l.stages = map[string]lag{}
	}
	l.stages[name] = s
	switch {
	case !behind:
		return 0
	case age < 0:
		return time.Since(later(s.moved, s.behind))
	}
	return min(age, time.Since(s.behind))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
