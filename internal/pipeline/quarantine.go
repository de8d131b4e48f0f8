package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Quarantined returns the values of workspace w in quarantine, those first that
// came first.
func (s *Shard) Quarantined(w cx.Workspace) []Sighting {
	s.knows.Lock()
	defer s.knows.Unlock()
	return slices.DeleteFunc(s.resolver.Quarantined(), func(x Sighting) bool { return x.Workspace != w })
}

// Quarantines returns a number that grows whenever a value comes into quarantine,
// in any workspace.
func (s *Shard) Quarantines() int {
	s.knows.Lock()
	defer s.knows.Unlock()
	return s.resolver.Quarantines()
}

// Release takes a value out of quarantine. Kind NotFound says that it is in none.
func (s *Shard) Release(ctx context.Context, w cx.Workspace, id cx.Identity, who cx.KeyID, why string) (Commanded, error) {
	return s.Command(ctx, &cx.Command{Kind: cx.CommandRelease, Workspace: w, Who: who, Why: why, Body: cx.AppendIdentity(nil, id)})
}

func (s *Shard) release(at cx.Position, c *cx.Command) error {
	id, err := cx.DecodeIdentity(c.Body)
	if err != nil {
		return err
	}
	if !s.resolver.Release(c.Workspace, id) {
		return cx.E(cx.NotFound, "release", fmt.Sprintf("%s %s is not in quarantine", id.Namespace, id.Value))
	}
	s.outcomes.give(at, Commanded{Position: at, At: s.now})
	return nil
}

// UndoLinks undoes the merges that a value in quarantine led to, newest first,
// and returns how many. Those that cannot be undone, because other things told
// since make the two one customer all the same, are left.
func (s *Shard) UndoLinks(ctx context.Context, past Past, x Sighting) (undone int, err error) {
	if err := s.Flush(ctx); err != nil {
		return 0, err
	}
	left := map[FactKey]bool{}
	for {
		f, err := s.linkedBy(ctx, x, left)
		if err != nil || f == nil {
			return undone, err
		}
		_, err = s.Unmerge(ctx, past, ToUnmerge{
			Workspace: x.Workspace, Customer: f.Winner, Merge: f.Position, Other: f.Loser,
			Why: fmt.Sprintf("quarantine of %s %s", x.Identity.Namespace, x.Identity.Value),
		})
		switch {
		case err == nil:
			undone++
		case cx.KindOf(err) == cx.Conflict || cx.KindOf(err) == cx.NotFound:
			left[f.Key()] = true
		default:
			return undone, err
		}
	}
}

// linkedBy returns the newest merge that a value led to and that is neither
// undone nor among those left; nil when there is none.
func (s *Shard) linkedBy(ctx context.Context, x Sighting, left map[FactKey]bool) (newest *MergeFact, err error) {
	for _, id := range x.Seen {
		facts, err := s.Merges(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			if f.Undone == 0 && !left[f.Key()] && (same(f.Identity, x.Identity) || same(f.Lead, x.Identity)) &&
				(newest == nil || cmp.Or(cmp.Compare(f.Position, newest.Position), cmp.Compare(f.Index, newest.Index)) > 0) {
				newest = &f
			}
		}
	}
	return newest, nil
}

func same(a, b cx.Identity) bool { return a.Namespace == b.Namespace && a.Value == b.Value }
