package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// A kept merge has both customers as they were before it, and so without the
// statistics that became known later. The filler of these has made the same
// merges, and kept them with just these. They are written into the kept merges
// when the filler is needed for nothing else, before its store is removed; an
// un-merge that comes first looks into that store itself.

// knownAfter returns where statistics became known by back-filling after a
// position, ascending.
func (w *workspace) knownAfter(at cx.Position) (valid []cx.Position) {
	for _, v := range w.known {
		if v > at {
			valid = append(valid, v)
		}
	}
	slices.Sort(valid)
	return slices.Compact(valid)
}

// knownAt returns the slots of statistics that became known at a position,
// ascending.
func (w *workspace) knownAt(valid cx.Position) (slots []int) {
	for _, slot := range slices.Sorted(maps.Keys(w.known)) {
		if w.known[slot] == valid {
			slots = append(slots, slot)
		}
	}
	return slots
}

// complete gives a kept merge the statistics that became known after it. own
// returns the same merge as the filler made it whose statistics became known at
// a position, nil when there is none; then they are unknown.
func (w *workspace) complete(f *MergeFact, own func(valid cx.Position, k FactKey) (*MergeFact, error)) error {
	for _, valid := range w.knownAfter(f.FilledTo()) {
		other, err := own(valid, f.Key())
		if err == nil {
			err = f.Fill(other, w.knownAt(valid))
		}
		if err != nil {
			return err
		}
		f.Filled = valid
	}
	return nil
}

// ownFact returns a merge as the filler made it whose statistics became known at
// a position, nil when its store is there no more.
func (s *Shard) ownFact(ctx context.Context, w *workspace, valid cx.Position, k FactKey) (*MergeFact, error) {
	if fl := s.fillers.validAt(w.name, valid); fl != nil {
		return factIn(ctx, fl.store, k)
	}
	if slices.ContainsFunc(w.open, func(f *backfill) bool { return f.valid == valid }) {
		return nil, errRefilling
	}
	return nil, nil //nolint:nilnil // there is none, and that is no error
}

// factIn returns a merge that a filler made, nil when it made none of that name:
// those from before the checkpoint with which it began are not its own.
func factIn(ctx context.Context, store ScratchStore, k FactKey) (fact *MergeFact, err error) {
	if store.Origin().predates(k.Position) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	err = store.Merges(ctx, k.Winner, func(f MergeFact) error {
		if f.Key() == k && f.Undone == 0 {
			fact = &f
		}
		return nil
	})
	return fact, err
}

// keptMerges returns the kept merges that made a customer, as Merges does, those
// that are not undone with all that is known by now.
func (s *Shard) keptMerges(ctx context.Context, w *workspace, id cx.CustomerID) ([]MergeFact, error) {
	s.fillers.looking.RLock() // what is not in the kept merges yet is in a filler's store
	defer s.fillers.looking.RUnlock()
	facts, err := s.Merges(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range facts {
		if facts[i].Undone != 0 {
			continue
		}
		err := w.complete(&facts[i], func(valid cx.Position, k FactKey) (*MergeFact, error) { return s.ownFact(ctx, w, valid, k) })
		if err != nil {
			return nil, err
		}
	}
	return facts, nil
}

// tidy writes what fillers have folded that the saved state needs no more into
// the kept merges, and then closes and removes them. It stops when a cut is to be
// written, and goes on after that. What fails is tried again then, too.
func (s *Shard) tidy(ctx context.Context, saved *cutHead) {
	for _, number := range s.fillers.numbers() {
		if number > saved.state.backfill || saved.state.needs(number) {
			continue // or it is of a set that stands behind the checkpoint
		}
		fl, through, err := s.fillers.get(number), true, error(nil)
		if valid, ok := fl.valid(); ok {
			through, err = s.completeMerges(ctx, saved, fl.about, valid, fl.store, &fl.completed)
		}
		if through {
			err = s.removeFiller(number)
		}
		if err != nil && ctx.Err() == nil {
			s.opts.Log.ErrorContext(ctx, "a finished back-fill could not be put away", slog.Uint64("number", number), slog.Any("error", err))
		}
	}
}

// tidyAll does the same, before anything else happens, to all that an earlier
// run has left behind.
func (s *Shard) tidyAll(ctx context.Context) error {
	if s.opts.Scratch == nil {
		return nil
	}
	numbers, err := s.opts.Scratch.Numbers()
	if err != nil {
		return err
	}
	saved := &cutHead{position: s.position, time: s.now, shared: s.state.encode(), state: s.state}
	for _, number := range numbers {
		if number > s.state.backfill || s.state.needs(number) {
			continue
		}
		if err := s.completeFrom(ctx, saved, number); err != nil {
			return fmt.Errorf("what back-fill %d folded of kept merges: %w", number, err)
		}
		if err := s.removeFiller(number); err != nil {
			return err
		}
	}
	return nil
}

// completeFrom writes what a filler that does not run has folded into the kept
// merges, if it had come to its end.
func (s *Shard) completeFrom(ctx context.Context, saved *cutHead, number uint64) error {
	store, err := s.opts.Scratch.Open(ctx, number, func() (Origin, error) {
		return Origin{}, cx.E(cx.NotFound, "", "it is there no more")
	})
	if err != nil {
		return err
	}
	r, err := store.Recover(ctx)
	for _, name := range s.state.names() {
		if err == nil && r.Position != 0 && len(s.state.workspaces[name].knownAt(r.Position)) > 0 {
			_, err = s.completeMerges(ctx, saved, name, r.Position, store, new(FactKey))
		}
	}
	return errors.Join(err, store.Close())
}

// mergesAtOnce is how many kept merges are written in one transaction.
const mergesAtOnce = 500

// completeMerges gives the kept merges the statistics that became known at a
// position, from the store of their filler, from the merge after on. through is
// false when it stopped before the last one.
func (s *Shard) completeMerges(ctx context.Context, saved *cutHead, name cx.Workspace, valid cx.Position, from ScratchStore, after *FactKey) (through bool, err error) {
	w := saved.state.workspace(name)
	if len(w.knownAt(valid)) == 0 {
		return true, nil // nobody asks for them any more
	}
	own := func(at cx.Position, k FactKey) (*MergeFact, error) {
		if at == valid {
			return factIn(ctx, from, k)
		}
		return s.ownFact(ctx, w, at, k)
	}
	for !s.interrupted() {
		n, last := 0, *after
		c := s.checkpointOf(saved, saved.position) // what is kept of merges changes, and nothing else
		err := s.opts.Store.NextMerges(ctx, *after, mergesAtOnce, func(f MergeFact) error {
			n, last = n+1, f.Key()
			if f.Workspace == name && f.Undone == 0 && f.FilledTo() < valid {
				c.Merges = append(c.Merges, MergeChange{Position: saved.position, Put: &f})
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		for i := range c.Merges {
			if err := w.complete(c.Merges[i].Put, own); err != nil {
				return false, err
			}
		}
		if len(c.Merges) > 0 && !s.insist(ctx, "complete kept merges", func() error { return s.opts.Store.Checkpoint(ctx, c) }) {
			return false, s.whyStopped(ctx)
		}
		if *after = last; n < mergesAtOnce || last.Position > valid {
			return true, nil
		}
	}
	return false, s.whyStopped(ctx)
}

// interrupted reports whether something else is to be done first: a cut is to be
// written, or the machine stops.
func (s *Shard) interrupted() bool {
	select {
	case <-s.stopping:
		return true
	case <-s.failed:
		return true
	default:
		return len(s.cuts) > 0
	}
}

// whyStopped returns the failure that stopped the machine, or why ctx ended; nil
// when neither is so.
func (s *Shard) whyStopped(ctx context.Context) error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return ctx.Err()
	}
}

// removeFiller closes and removes a filler.
func (s *Shard) removeFiller(number uint64) error {
	s.fillers.looking.Lock()
	defer s.fillers.looking.Unlock()
	return errors.Join(s.fillers.dismiss(number), s.opts.Scratch.Remove(number))
}
