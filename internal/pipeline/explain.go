package pipeline

import (
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
)

// Explain makes a recorded decision again with today's code, from what was
// stored beside it and the set that was in force, and compares.
func Explain(row *DecisionRow, set *definition.Set) (*decide.Explanation, error) {
	stored, err := decide.DecodeInput(row.Input)
	if err != nil {
		return nil, err
	}
	c, err := profile.DecodeCustomer(stored.Customer)
	if err != nil {
		return nil, fmt.Errorf("customer of %s: %w", row.ID, err)
	}
	var ev *cx.Event
	var fields cx.Fields
	if len(stored.Event) > 0 {
		ev = new(cx.Event)
		if err := cx.DecodeEvent(stored.Event, ev); err != nil {
			return nil, fmt.Errorf("event of %s: %w", row.ID, err)
		}
		fields = cx.ParseFields(nil, ev.Properties)
	}
	w := newWorkspace(row.Workspace, set, nil, nil)
	var folder profile.Folder
	scope := rule.Scope{
		Event: ev, Fields: fields, Customer: c, Now: stored.Now, Zone: set.Settings.Zone,
		Statistics: folder.View(w.plan, c, stored.Now),
	}
	return decide.Explain(stored, decide.Input{Scope: &scope, Offer: set.Offer, Policy: set.Policy}, row.Trace)
}

// Rebuild compiles an earlier set of a workspace from its canonical form. Slots
// are never given anew, so today's registry fits every earlier set.
func (s *Shard) Rebuild(w cx.Workspace, canonical []byte, sequence uint64) (*definition.Set, error) {
	ws, err := buildWorkspace(w, canonical, s.published.Load().workspace(w).registry.Clone(), sequence)
	if err != nil {
		return nil, err
	}
	return ws.set, nil
}
