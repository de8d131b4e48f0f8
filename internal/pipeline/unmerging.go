package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/profile"
)

// Past finds events that were folded.
type Past interface {
	// EventsOf calls found for every stored event of a customer from one position
	// on and before another, in order, with its log time. found may keep ev.
	EventsOf(ctx context.Context, w cx.Workspace, id cx.CustomerID, from, to cx.Position, found func(at cx.Position, now cx.Instant, ev *cx.Event) error) error
}

// Lookup returns the customer that an identity of workspace w belongs to now, 0
// for none: also of one that was created a moment ago.
func (s *Shard) Lookup(w cx.Workspace, id cx.Identity) cx.CustomerID {
	s.knows.Lock()
	defer s.knows.Unlock()
	return s.resolver.Lookup(w, id)
}

// Current returns the customer that id has become by merges, id itself when there
// was none.
func (s *Shard) Current(id cx.CustomerID) cx.CustomerID {
	s.knows.Lock()
	defer s.knows.Unlock()
	return s.resolver.Current(id)
}

func (s *Shard) ownerOf(key cx.HashKey) cx.CustomerID {
	s.knows.Lock()
	defer s.knows.Unlock()
	return s.resolver.Owner(key)
}

// Family returns everybody who was merged into the customer that id is now,
// directly or not, with the customer they were merged into. It is as of the last
// checkpoint.
func (s *Shard) Family(ctx context.Context, id cx.CustomerID) (map[cx.CustomerID]cx.CustomerID, error) {
	family := map[cx.CustomerID]cx.CustomerID{}
	err := s.opts.Store.Family(ctx, s.Current(id), func(loser, winner cx.CustomerID) error {
		family[loser] = winner
		return nil
	})
	return family, err
}

// Merges returns the merges that made the customer that id is now, oldest first,
// undone ones included. It is as of the last checkpoint; those that are no
// longer kept are not among them.
func (s *Shard) Merges(ctx context.Context, id cx.CustomerID) ([]MergeFact, error) {
	family, err := s.Family(ctx, id)
	if err != nil {
		return nil, err
	}
	facts := map[FactKey]MergeFact{}
	keep := func(f MergeFact) error {
		facts[f.Key()] = f
		return nil
	}
	if err := s.opts.Store.Merges(ctx, s.Current(id), keep); err != nil {
		return nil, err
	}
	for member := range family {
		if err := s.opts.Store.Merges(ctx, member, keep); err != nil {
			return nil, err
		}
	}
	list := make([]MergeFact, 0, len(facts))
	for _, f := range facts {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b MergeFact) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Loser, b.Loser))
	})
	return list, nil
}

// ToUnmerge says which merge is to be undone.
type ToUnmerge struct {
	Workspace cx.Workspace
	Customer  cx.CustomerID // who was merged, as winner or loser, or has become of it
	Merge     cx.Position   // 0 for the last one
	Other     cx.CustomerID // not 0: the merge of this one and Customer
	Who       cx.KeyID
	Why       string
	DryRun    bool // only find out what would come of it
}

// Undone is an un-merge that has taken effect or, with DryRun, would.
type Undone struct {
	Commanded
	Fact  MergeFact
	Found *profile.Unmerged
	Set   *definition.Set
	Plan  *profile.Plan
}

// How often an un-merge is worked out again because the customer has changed
// meanwhile.
const unmergeTries = 8

// Unmerge undoes a merge: both customers are again, with what was told since by
// each. It is worked out beside the machine, from the rows of past, and takes
// effect as one entry. Kind NotFound says that there is no such merge, or that
// it is no longer kept; Conflict that it cannot be undone.
func (s *Shard) Unmerge(ctx context.Context, past Past, u ToUnmerge) (*Undone, error) {
	for range unmergeTries {
		done, err := s.tryUnmerge(ctx, past, &u)
		if !errors.Is(err, errStirred) {
			return done, err
		}
	}
	return nil, errStirred
}

func (s *Shard) tryUnmerge(ctx context.Context, past Past, u *ToUnmerge) (*Undone, error) {
	id := s.Current(u.Customer)
	command := &cx.Command{Kind: cx.CommandUnmerge, Workspace: u.Workspace, Who: u.Who, Why: u.Why}
	body := unmerge{Customer: id}
	if !u.DryRun {
		command.Body = encodeUnmerge(&body)
		begun, err := s.Command(ctx, command)
		if err != nil {
			return nil, err
		}
		body.Begun = begun.Position
	}
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	done, err := s.workOut(ctx, past, u, id)
	if err != nil || u.DryRun {
		return done, err
	}
	body.Undone, body.Unmerged, body.Whole = done.Fact.Key(), *done.Found, true
	if command.Body = encodeUnmerge(&body); len(command.Body) > maxUnmerge {
		body.Whole = false // a later back-fill will not know their statistics
		command.Body = encodeUnmerge(&body)
	}
	if len(command.Body) > maxUnmerge {
		return nil, cx.E(cx.Conflict, "unmerge", fmt.Sprintf("what it comes to takes %d KiB and at most %d KiB fit into one entry; undo later merges of this customer first", len(command.Body)>>10, maxUnmerge>>10))
	}
	done.Commanded, err = s.Command(ctx, command)
	return done, err
}

// workOut finds out what comes of an un-merge of customer id, without changing
// anything.
func (s *Shard) workOut(ctx context.Context, past Past, u *ToUnmerge, id cx.CustomerID) (*Undone, error) {
	present, err := s.snapshot(ctx, u.Workspace, id)
	if err != nil {
		return nil, err
	}
	ws := s.published.Load().workspace(present.Workspace)
	facts, err := s.keptMerges(ctx, ws, id)
	if err != nil {
		return nil, err
	}
	i, err := u.choose(facts)
	if err != nil {
		return nil, err
	}
	family, err := s.Family(ctx, id)
	if err != nil {
		return nil, err
	}
	done := &Undone{Fact: facts[i], Set: ws.set, Plan: ws.plan}
	later := slices.DeleteFunc(slices.Clone(facts[i+1:]), func(f MergeFact) bool { return f.Undone != 0 })
	x, err := profile.NewUnmerging(ws.plan, present, &done.Fact, later, family, s.ownerOf)
	if err != nil {
		return nil, err
	}
	for _, span := range x.Spans() {
		// Read first: past may call from a thread of low priority, which must not hold
		// what the sequencer waits for.
		var rows []EventRow
		err := past.EventsOf(ctx, u.Workspace, span.Customer, span.From, span.To, func(at cx.Position, now cx.Instant, ev *cx.Event) error {
			rows = append(rows, EventRow{Position: at, At: now, Event: ev})
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if err := x.Event(r.Event, r.Position, r.At); err != nil {
				return nil, err
			}
		}
	}
	done.Found, err = x.End()
	return done, err
}

// choose returns the index of the fact that is meant.
func (u *ToUnmerge) choose(facts []MergeFact) (int, error) {
	for i, f := range slices.Backward(facts) {
		meant := u.Merge == 0 || f.Position == u.Merge
		if u.Other != 0 {
			meant = meant && (f.Loser == u.Other || f.Winner == u.Other)
		}
		if meant && f.Undone == 0 {
			return i, nil
		}
	}
	return 0, cx.E(cx.NotFound, "unmerge", fmt.Sprintf("no such merge of %s is kept: list its merges; they are kept for as long as the setting merges.keep says", u.Customer))
}

// snapshot returns a copy of a customer as its lane has it now.
func (s *Shard) snapshot(ctx context.Context, w cx.Workspace, id cx.CustomerID) (*cx.Customer, error) {
	var b []byte
	if err := s.Inspect(ctx, id, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
		if c.Workspace == w {
			b = profile.AppendCustomer(nil, c)
		}
	}); err != nil {
		return nil, err
	}
	if b == nil {
		return nil, cx.E(cx.NotFound, "", "there is no customer "+id.String())
	}
	return profile.DecodeCustomer(b)
}
