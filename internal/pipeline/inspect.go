package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
)

// Inspect lets look see a customer as the lane has it now, between two events,
// with what it has still to take over of back-fills.
// look must be quick and must keep nothing of what it is given. It fails with
// kind NotFound when there is no such customer (or no longer: it was merged).
func (s *Shard) Inspect(ctx context.Context, id cx.CustomerID, look func(c *cx.Customer, set *definition.Set, stats cx.Statistics, now cx.Instant)) error {
	w := s.workers[id.Lane()%len(s.workers)]
	done := make(chan error, 1)
	question := func() {
		l := s.lanes[id.Lane()]
		r := w.find(l, id)
		if r == nil {
			w.load([]cx.CustomerID{id})
			r = l.residents[id]
		}
		if r == nil {
			done <- cx.E(cx.NotFound, "", "there is no customer "+id.String())
			return
		}
		state := s.published.Load()
		now := max(w.scope.Now, cx.Instant(s.logTime.Load()))
		ws := state.workspace(r.customer.Workspace)
		c, err := w.ahead(ws, &r.customer)
		if err == nil {
			look(c, ws.set, w.folder.View(ws.plan, c, now), now)
		}
		done <- err
	}
	select {
	case w.ask <- question:
		return <-done
	case <-s.stopping:
		return cx.E(cx.Unavailable, "", "the program is stopping")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Set returns the workspace's set that was in force at the last tick.
func (s *Shard) Set(w cx.Workspace) *definition.Set { return s.published.Load().workspace(w).set }

// Canonical returns what the workspace's set in force was built from, nil when
// it has published none.
func (s *Shard) Canonical(w cx.Workspace) []byte { return s.published.Load().workspace(w).canonical }

// Progress is how far the stages have come.
type Progress struct {
	Applied    cx.Position // given to the lanes
	Warehouse  cx.Position
	Checkpoint cx.Position
	Time       cx.Instant // log time of the last entry
	Tick       cx.Instant // log time of the last tick
	Due        cx.Instant // when the earliest timer wants to fire, 0 for none
	Identities int        // known
	Shut       int        // values in quarantine
	Unsaved    bool       // something is not in a checkpoint yet
	InMemory   int64      // bytes of customers held decoded, estimated
	Troubles   []string   // what is being retried, and why it failed

	CheckpointTime cx.Instant // log time of the last checkpoint
}

// Progress reports how far the stages have come, without waiting for them.
func (s *Shard) Progress() Progress {
	p := Progress{
		Applied: cx.Position(s.applied.Load()), Warehouse: s.warehouse.position(), Checkpoint: s.checkpointed(),
		Time: cx.Instant(s.logTime.Load()), Tick: cx.Instant(s.lastTick.Load()), Unsaved: s.restless.Load(),
		Identities: int(s.identities.Load()), CheckpointTime: cx.Instant(s.committedAt.Load()),
	}
	for i := range s.due {
		if due := cx.Instant(s.due[i].Load()); due != 0 && (p.Due == 0 || due < p.Due) {
			p.Due = due
		}
	}
	s.troubles.Range(func(doing, err any) bool {
		why, _, _ := strings.Cut(fmt.Sprint(err), "\n")
		p.Troubles = append(p.Troubles, fmt.Sprintf("cannot %v, trying again: %s", doing, why))
		return true
	})
	slices.Sort(p.Troubles)
	for _, w := range s.workers {
		p.InMemory += w.memory.Load()
	}
	return p
}
