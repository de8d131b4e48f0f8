package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

type versionsInput struct {
	InWorkspace
	Limit int `query:"limit" default:"20" minimum:"1" maximum:"500"`
}

type versionsOutput struct {
	Published []Published `json:"published"`
}

func (a *API) versions(ctx context.Context, in *versionsInput) (*answer[versionsOutput], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	list, err := a.publisher.Versions(ctx, w, in.Limit)
	return &answer[versionsOutput]{versionsOutput{Published: some(list)}}, err
}

type exportInput struct {
	InWorkspace
	Set uint64 `query:"set" doc:"Number of the set; without it, the set in force"`
}

func (a *API) export(ctx context.Context, in *exportInput) (*answer[Exported], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	set, err := a.publisher.Export(ctx, w, in.Set)
	set.Files = some(set.Files)
	return &answer[Exported]{set}, err
}

type compareInput struct {
	InWorkspace
	Body struct {
		From   uint64 `json:"from,omitempty" doc:"Number of the set before; without it, the set in force"`
		To     uint64 `json:"to,omitempty" doc:"Number of the set after; without it and without files, the set in force"`
		Files  []File `json:"files,omitempty" maxItems:"10000" doc:"What is compared instead of a set after: a whole set, as it would be published"`
		Strict bool   `json:"strict,omitempty" doc:"Event fields that no event has had so far are faults, not warnings"`
	}
}

// compare changes nothing, so a read key may do it.
func (a *API) compare(ctx context.Context, in *compareInput) (*answer[Comparison], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	if in.Body.To != 0 && len(in.Body.Files) > 0 {
		return nil, cx.E(cx.Invalid, "", "say what to compare with: either files or the set to, not both")
	}
	c, err := a.publisher.Compare(ctx, ToCompare{Workspace: w, From: in.Body.From, To: in.Body.To, Files: in.Body.Files, Strict: in.Body.Strict})
	c.Documents = some(c.Documents)
	return &answer[Comparison]{c}, err
}

type rollbackInput struct {
	ChangeInput
	InWorkspace
	RawBody []byte
	Body    struct {
		Set    uint64 `json:"set" minimum:"1" doc:"Number of the set that is published again"`
		Why    string `json:"why,omitempty" maxLength:"500"`
		DryRun bool   `json:"dry_run,omitempty" doc:"Only check: nothing is put in force"`
	}
}

// rollback publishes an earlier set again, under a new number. As with publish,
// the set is in the journal before the change is noted here.
func (a *API) rollback(ctx context.Context, in *rollbackInput) (*changed[Published], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	why := in.reason(in.Body.Why)
	r := Rollback{Workspace: w, Set: in.Body.Set, Who: callerOf(ctx).key.ID, Why: why, DryRun: in.Body.DryRun}
	if r.DryRun {
		set, err := a.publisher.Rollback(ctx, r)
		return &changed[Published]{Status: http.StatusOK, Body: set}, err
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusCreated, func() (access.Update, Published, error) {
		set, err := a.publisher.Rollback(ctx, r)
		note := access.Change{Workspace: w, Why: why, What: fmt.Sprintf("publish definitions %d, the same as %d", set.Sequence, r.Set)}
		return access.Update{Change: note}, set, err
	})
}
