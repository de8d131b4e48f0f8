package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// saved has everything that was acknowledged saved and stored.
func (a *App) saved(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := a.shard.Flush(ctx); err != nil {
		return &cx.Error{Kind: cx.Unavailable, Err: fmt.Errorf("the latest events could not be saved in time, try again: %w", err)}
	}
	return nil
}

// Person makes history an api.History.
func (h history) Person(ctx context.Context, w cx.Workspace, id cx.CustomerID, found func(table string, row json.RawMessage) error) error {
	if err := h.saved(ctx); err != nil {
		return err
	}
	return h.house.Person(ctx, w, id, func(r warehouse.PersonRow) error {
		if r.Table == warehouse.PersonDecisions {
			if err := h.why(ctx, w, &r); err != nil {
				return err
			}
		}
		return found(string(r.Table), r.JSON)
	})
}

// why adds to a decision what became of every action on offer. A set that this
// version cannot build leaves it out.
func (h history) why(ctx context.Context, w cx.Workspace, r *warehouse.PersonRow) error {
	set, err := h.set(ctx, w, r.Definitions)
	if err != nil {
		h.log.WarnContext(ctx, "a decision is exported without its reasons", slog.Any("error", err))
		return nil // the rest of it is worth having
	}
	trace, err := decide.UnpackTrace(r.Trace, set.Offer.Names())
	if err != nil {
		return err
	}
	var row map[string]json.RawMessage
	if err := json.Unmarshal(r.JSON, &row); err != nil {
		return err
	}
	considered := []api.Candidate{}
	for i := range trace.Candidates {
		considered = append(considered, api.CandidateOf(&trace.Candidates[i]))
	}
	if row["considered"], err = json.Marshal(considered); err == nil {
		r.JSON, err = json.Marshal(row)
	}
	return err
}

// PersonTables makes history an api.History.
func (h history) PersonTables() (names []string) {
	for _, t := range warehouse.PersonTables {
		names = append(names, string(t))
	}
	return names
}
