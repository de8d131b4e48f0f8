package app

import (
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// Backfills makes publisher an api.Publisher.
func (p publisher) Backfills(w cx.Workspace) (list []api.Backfill) {
	for _, b := range p.shard.Backfills() {
		if b.Workspace == w || w == access.Everywhere {
			list = append(list, backfillOf(&b))
		}
	}
	return list
}

func backfillOf(b *pipeline.BackfillProgress) api.Backfill {
	out := api.Backfill{
		Workspace: string(b.Workspace), Number: b.Number, Asked: b.Asked.String(), Percent: b.Percent,
		Folded: b.Folded, Of: b.Of, Left: int(b.Left.Round(time.Second) / time.Second), Since: api.TimeOf(b.Since), Judged: b.TakenOver, Statistics: []string{},
	}
	for _, s := range b.Statistics {
		out.Statistics = append(out.Statistics, s.String())
	}
	if b.Valid != 0 {
		out.Known = b.Valid.String()
	}
	return out
}

// filling says how far the statistics are that are being back-filled in a
// workspace, in per cent by their names.
func (a *App) filling(w cx.Workspace) map[string]int {
	done := map[string]int{}
	for _, b := range a.shard.Backfills() {
		if b.Workspace != w || b.Valid != 0 {
			continue
		}
		for _, s := range b.Statistics {
			done[s.String()] = b.Percent
		}
	}
	return done
}

// filled says, in per cent, how far by now is what a decision at a position had
// to wait for: 100 when it is known.
func (a *App) filled(w cx.Workspace, at cx.Position) int {
	done := 100
	for _, b := range a.shard.Backfills() {
		if b.Workspace == w && b.Asked < at {
			done = min(done, b.Percent)
		}
	}
	return done
}

// noteBackfills adds to a customer's statistics which are being back-filled, and
// since when they count.
func (a *App) noteBackfills(w cx.Workspace, list []api.Statistic) {
	filling, since := a.filling(w), map[string]cx.Instant{}
	for slot, at := range a.shard.Since(w) {
		for _, s := range a.shard.Set(w).Statistics {
			if s.Slot == slot {
				since[s.Spec.String()] = at
			}
		}
	}
	for i := range list {
		s := &list[i]
		if done, is := filling[s.Statistic]; is {
			s.Filling = &done
		}
		s.Since = api.TimeOf(since[s.Statistic])
	}
}
