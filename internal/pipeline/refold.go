package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/profile"
)

// refold has a filler fold the statistics of those whom an un-merge makes of one
// customer, from the merges as it made them itself and the events since, which
// it reads again. Where the entry does not name all of these, because it is of
// an earlier version or would have become too long, they cannot be known, nor
// where the filler began behind that merge.
func (s *Shard) refold(u *unmerge) (profile.Unmerged, error) {
	s.send()
	fact, later, err := s.ownFacts(u)
	if err != nil {
		return u.Unmerged, err
	}
	if !u.Whole || fact == nil || s.opts.reduced.origin.predates(fact.Position) {
		out, err := u.Doubt(s.opts.reduced.slots)
		if err != nil {
			return u.Unmerged, err
		}
		return *out, nil
	}
	x, err := profile.NewRefolding(s.opts.reduced.plan, fact, later, &u.Unmerged)
	if err != nil {
		return u.Unmerged, err
	}
	s.aside(func() { err = s.recall(u.Sorted(), x.Event) })
	if err != nil {
		return u.Unmerged, err
	}
	out, err := x.End()
	if err != nil {
		return u.Unmerged, err
	}
	return *out, nil
}

// ownFacts returns the merge that is undone, and those since that are to be
// forgotten, as the filler made them. fact is nil when one of them is missing.
func (s *Shard) ownFacts(u *unmerge) (fact *MergeFact, later []MergeFact, err error) {
	if s.checkpointed() != s.position {
		if err := s.save(s.position); err != nil {
			return nil, nil, err
		}
	}
	own := map[FactKey]MergeFact{}
	load := func(winner cx.CustomerID) error {
		return s.opts.Store.Merges(s.work, winner, func(f MergeFact) error {
			own[f.Key()] = f
			return nil
		})
	}
	for _, k := range append([]FactKey{u.Undone}, u.Forget...) {
		if _, loaded := own[k]; !loaded {
			if err := load(k.Winner); err != nil {
				return nil, nil, err
			}
		}
		f, ok := own[k]
		switch {
		case !ok:
			return nil, nil, nil
		case fact == nil:
			fact = &f
		default:
			later = append(later, f)
		}
	}
	return fact, later, nil
}

// recall reads events again, which are in order of position. What is no event any
// more, because its person was erased, is passed over.
func (s *Shard) recall(events []profile.Sorted, fn func(ev *cx.Event, at cx.Position, now cx.Instant) error) error {
	for len(events) > 0 {
		err := s.opts.Journal.Follow(s.work, events[0].Position.Sequence(), func(r *journal.Record) error {
			for len(events) > 0 && events[0].Position.Sequence() == r.Sequence {
				at := events[0].Position
				events = events[1:]
				if at.Index() >= len(r.Entries) || r.Entries[at.Index()].Kind != cx.EntryEvent {
					continue
				}
				var ev cx.Event
				if err := cx.DecodeEvent(r.Entries[at.Index()].Payload, &ev); err != nil {
					return fmt.Errorf("event at %v: %w", at, err)
				}
				if err := fn(&ev, at, r.Time); err != nil {
					return err
				}
			}
			if len(events) == 0 || events[0].Position.Sequence() > r.Sequence+further {
				return errFar
			}
			select {
			case <-s.stopping:
				return context.Canceled
			default:
				return nil
			}
		})
		if !errors.Is(err, errFar) {
			return err
		}
	}
	return nil
}

// further is over how many records recall does not read on, but begins anew.
const further = 256

// errFar ends a reading.
var errFar = errors.New("the next event is far")
