package profile

import (
	"fmt"
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

// Refolding folds the statistics of an un-merge by another plan than the one by
// which it was worked out. Whose each event is and who merged with whom it takes
// from what was found, so it comes to what an Unmerging with its plan would have
// come to there and then.
type Refolding struct {
	plan  *Plan
	found *Unmerged
	past  []MergeFact // the later merges as they were, that have not come up yet
	made  int         // how many of found.Facts have come up

	folder Folder
	people map[cx.CustomerID]*cx.Customer
	who    map[cx.Position]cx.CustomerID
	facts  []MergeFact // as found, with the statistics of plan
}

// NewRefolding begins with both customers of fact as they were before it. fact
// and later, the merges that found.Forget names, in the order in which they were
// made, have the statistics of plan.
func NewRefolding(plan *Plan, fact *MergeFact, later []MergeFact, found *Unmerged) (*Refolding, error) {
	r := &Refolding{plan: plan, found: found, past: later, people: map[cx.CustomerID]*cx.Customer{}, who: map[cx.Position]cx.CustomerID{}}
	for _, e := range found.Sorted() {
		r.who[e.Position] = e.Customer
	}
	return r, r.meet(fact)
}

// meet lets those who took part in a merge be there as they were before it,
// unless they are already.
func (r *Refolding) meet(f *MergeFact) error {
	for id, state := range f.before() {
		if r.people[id] != nil {
			continue
		}
		c, err := f.decode(id, state, &r.folder, r.plan)
		if err != nil {
			return err
		}
		r.people[id] = c
	}
	return nil
}

func (r *Refolding) person(id cx.CustomerID, now cx.Instant) *cx.Customer {
	c := r.people[id]
	if c == nil {
		c = &cx.Customer{ID: id, CreatedAt: now}
		r.people[id] = c
	}
	return c
}

// Event folds one of found.Sorted, in order: the entry at position at, at log
// time now.
func (r *Refolding) Event(ev *cx.Event, at cx.Position, now cx.Instant) error {
	id, ok := r.who[at]
	if !ok {
		return fmt.Errorf("the un-merge does not say whose the event at %v is", at)
	}
	if err := r.advance(at); err != nil {
		return err
	}
	r.folder.Apply(r.plan, r.person(id, now), ev, at, now, nil)
	return nil
}

// advance brings up the merges at positions up to at.
func (r *Refolding) advance(at cx.Position) error {
	for len(r.past) > 0 && r.past[0].Position <= at {
		f := &r.past[0]
		r.past = r.past[1:]
		if err := r.mergeUpTo(f.Position - 1); err != nil {
			return err
		}
		if err := r.meet(f); err != nil {
			return err
		}
	}
	return r.mergeUpTo(at)
}

// mergeUpTo makes the merges that were found at positions up to at.
func (r *Refolding) mergeUpTo(at cx.Position) error {
	for r.made < len(r.found.Facts) && r.found.Facts[r.made].Position <= at {
		f := r.found.Facts[r.made]
		r.made++
		winner, loser := r.person(f.Winner, f.At), r.person(f.Loser, f.At)
		var err error
		if f.WinnerBefore, err = withStatistics(f.WinnerBefore, winner); err != nil {
			return fmt.Errorf("before the merge at %v: %w", f.Position, err)
		}
		if f.LoserBefore, err = withStatistics(f.LoserBefore, loser); err != nil {
			return fmt.Errorf("before the merge at %v: %w", f.Position, err)
		}
		r.facts = append(r.facts, f)
		r.folder.Merge(r.plan, winner, loser, f.At)
	}
	return nil
}

// End brings up what is left and returns what was found with the statistics of
// the plan in place of those it had.
func (r *Refolding) End() (*Unmerged, error) {
	if err := r.advance(math.MaxUint64); err != nil {
		return nil, err
	}
	out := *r.found
	out.Facts, out.Parts = r.facts, nil
	for _, p := range r.found.Parts {
		c := *p.Customer
		c.Stats, c.Unknown = nil, nil
		if own := r.people[c.ID]; own != nil {
			c.Stats, c.Unknown = own.Stats, own.Unknown
		}
		p.Customer = &c
		out.Parts = append(out.Parts, p)
	}
	return &out, nil
}

// withStatistics returns an encoded customer with the statistics of c in place of
// its own.
func withStatistics(state []byte, c *cx.Customer) ([]byte, error) {
	own, err := DecodeCustomer(state)
	if err != nil {
		return nil, err
	}
	own.Stats, own.Unknown = c.Stats, c.Unknown
	return AppendCustomer(nil, own), nil
}
