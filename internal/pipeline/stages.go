package pipeline

import (
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Stage is how much time one stage has taken since the start.
type Stage struct {
	spent atomic.Int64 // nanoseconds
	count atomic.Int64
}

func (s *Stage) add(d time.Duration) {
	s.spent.Add(int64(d))
	s.count.Add(1)
}

// Spent returns the estimated total time spent in the stage.
func (s *Stage) Spent() time.Duration { return time.Duration(s.spent.Load()) }

// Stages says where the machine's time goes. Fold, Rules and Decide are
// measured on one event in 64 and scaled; Checkpoint and Warehouse are wall time
// of their writers.
type Stages struct {
	Resolve, Fold, Rules, Decide, Checkpoint, Warehouse Stage
}

// Counts says what happened in one workspace since the start.
type Counts struct {
	Events     atomic.Uint64 // folded, without duplicates
	Duplicates atomic.Uint64
	Decisions  atomic.Uint64
	Treatments atomic.Uint64 // that won a place
}

// Counts calls found with the counts of every workspace that had an event.
func (s *Shard) Counts(found func(cx.Workspace, *Counts)) {
	s.counts.Range(func(name, counts any) bool {
		found(name.(cx.Workspace), counts.(*Counts))
		return true
	})
}

// countsOf returns the counts of a workspace, whose name is interned.
func (w *worker) countsOf(name cx.Workspace) *Counts {
	if w.counted == name {
		return w.counts
	}
	w.counted, w.counts = name, w.shard.countsOf(name)
	return w.counts
}

func (s *Shard) countsOf(name cx.Workspace) *Counts {
	c, _ := s.counts.LoadOrStore(name, new(Counts))
	return c.(*Counts)
}

const sampleEvery = 64

// sampler measures one event in sampleEvery.
type sampler struct {
	n  int
	at time.Time
}

// begin starts a measurement if it is this event's turn.
func (s *sampler) begin() {
	if s.n++; s.n == sampleEvery {
		s.n, s.at = 0, time.Now()
	}
}

// lap ends the stage that began with begin or the last lap.
func (s *sampler) lap(stage *Stage) {
	if s.at.IsZero() {
		return
	}
	now := time.Now()
	stage.add(now.Sub(s.at) * sampleEvery)
	s.at = now
}

// end ends the measurement of this event.
func (s *sampler) end() { s.at = time.Time{} }
