package api

import "context"

type backfillsInput struct{ InWorkspace }

// backfills lists what is being back-filled.
func (a *API) backfills(ctx context.Context, in *backfillsInput) (*answer[[]Backfill], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	list := a.publisher.Backfills(w)
	if list == nil {
		list = []Backfill{}
	}
	return &answer[[]Backfill]{list}, nil
}

// Backfill is the filling of statistics that a set asked for and that were not
// kept before.
type Backfill struct {
	Workspace  string   `json:"workspace"`
	Number     uint64   `json:"number" doc:"1, 2, 3 … over all workspaces"`
	Statistics []string `json:"statistics" example:"sum(\"Order Completed\", \"total\", \"all\")"`
	Asked      string   `json:"asked" doc:"Position of the set that asked for them"`
	Percent    int      `json:"percent" doc:"How much of the log has been folded; 100 when the statistics are known"`
	Left       int      `json:"left_seconds,omitempty" doc:"Until they are known, roughly; absent while that cannot be told"`
	Folded     uint64   `json:"folded" doc:"Entries of the log that have been folded, of …"`
	Of         uint64   `json:"of" doc:"… so many by now"`
	Known      string   `json:"known,omitempty" doc:"Position from which on the statistics are known; absent while they are not"`
	Since      Time     `json:"since,omitempty" doc:"They count from then on only; absent when they count everything"`
	Judged     int      `json:"judged" doc:"Once they are known: per cent of the customers who have been looked at again"`
}
