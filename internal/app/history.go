package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// history answers what happened, from the warehouse.
type history struct{ *App }

// Story makes history an api.History.
func (h history) Story(ctx context.Context, w cx.Workspace, id cx.CustomerID, before cx.Position, limit int) ([]api.StoryItem, error) {
	items, err := h.house.Story(ctx, w, id, before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]api.StoryItem, len(items))
	for i := range items {
		out[i] = storyItem(&items[i])
	}
	return out, nil
}

func storyItem(i *warehouse.Item) api.StoryItem {
	out := api.StoryItem{
		Kind: string(i.Kind), At: api.TimeOf(i.At), Position: i.Position.String(), Name: i.Name, Type: i.Type,
		Session: i.Session, Late: i.Late, Properties: i.Properties, Decision: i.Decision, Action: i.Action, Place: i.Place,
		Fate: i.Fate, Segment: i.Segment, Entered: i.Entered, ByTime: i.ByTime, Other: i.Loser, Reason: i.Reason,
		Delivery: i.Delivery, Destination: i.Destination,
	}
	for _, won := range i.Winners {
		out.Winners = append(out.Winners, api.Winner{Action: won.Action, Place: won.Place})
	}
	return out
}

// Decision makes history an api.History: what was recorded, and the same
// decision made again by today's code.
func (h history) Decision(ctx context.Context, w cx.Workspace, id cx.DecisionID) (api.Decision, error) {
	row, err := h.house.Decision(ctx, w, id)
	if err != nil {
		return api.Decision{}, err
	}
	set, err := h.set(ctx, row.Workspace, row.Definitions)
	if err != nil {
		return api.Decision{}, err
	}
	again, err := pipeline.Explain(row, set, h.shard.SinceAt(row.Workspace, row.Position), func() (*cx.Event, error) { return h.house.Event(ctx, row.Workspace, row.Position) })
	if err != nil {
		return api.Decision{}, err
	}
	out := api.Decision{
		Decision: row.ID.String(), Customer: row.Customer.String(), Event: string(row.Event), At: api.TimeOf(row.At),
		Definitions: row.Definitions, Engine: again.Then.Engine,
	}
	for _, t := range row.Winners {
		out.Winners = append(out.Winners, api.Winner{Action: t.Action, Place: t.Place})
	}
	for i := range again.Then.Candidates {
		out.Candidates = append(out.Candidates, api.CandidateOf(&again.Then.Candidates[i]))
	}
	if slices.ContainsFunc(again.Then.Candidates, func(c cx.Candidate) bool { return c.Gate == cx.GateBackfill }) {
		done := h.filled(row.Workspace, row.Position)
		out.Filling = &done
	}
	out.Counted = countedIn(again.Conditions)
	out.Explain, err = json.Marshal(explained(again))
	return out, err
}

// countedIn lists what rules looked at that does not count everything, each once.
func countedIn(conditions []decide.Condition) (list []api.Counted) {
	var look func(action string, n *rule.Node)
	look = func(action string, n *rule.Node) {
		if c := (api.Counted{Action: action, What: n.Source, Since: api.Time(n.Since)}); n.Since != "" && !slices.Contains(list, c) {
			list = append(list, c)
		}
		for _, child := range n.Children {
			look(action, child)
		}
	}
	for _, c := range conditions {
		look(c.Action, c.Rule)
	}
	return list
}

// explanation is what explaining a decision adds to the record.
type explanation struct {
	Engine     string          `json:"engine"`               // version of the code that decided again
	Same       bool            `json:"same"`                 // it decides the same, number for number
	Candidates []api.Candidate `json:"candidates,omitempty"` // what it says today, when that differs

	Conditions []decide.Condition `json:"conditions,omitempty"` // what every rule of the triggered actions saw
}

func explained(e *decide.Explanation) explanation {
	out := explanation{Engine: e.Engine, Same: e.Same, Conditions: e.Conditions}
	if !e.Same {
		for i := range e.Now.Candidates {
			out.Candidates = append(out.Candidates, api.CandidateOf(&e.Now.Candidates[i]))
		}
	}
	return out
}

// set builds the set with the given sequence again, from the record of
// published sets.
func (h history) set(ctx context.Context, w cx.Workspace, sequence uint64) (*definition.Set, error) {
	if now := h.shard.Set(w); now.Sequence == sequence {
		return now, nil
	}
	v, err := h.control.DefinitionsAt(ctx, w, sequence)
	if err != nil {
		return nil, fmt.Errorf("set %d of workspace %s: %w", sequence, w, err)
	}
	return h.shard.Rebuild(w, v.Blob, sequence)
}

// Query makes history an api.History.
func (h history) Query(ctx context.Context, w cx.Workspace, statement string) (api.Table, error) {
	t, err := h.house.Query(ctx, w, statement)
	if err != nil {
		return api.Table{}, err
	}
	out := api.Table{Rows: t.Rows, Truncated: t.Truncated}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, api.Column(c))
	}
	return out, nil
}
