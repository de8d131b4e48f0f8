package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/kikubari/kikubari/internal/access"
)

type publishInput struct {
	ChangeInput
	InWorkspace
	RawBody []byte
	Body    struct {
		Files []File `json:"files" minItems:"1" maxItems:"10000" doc:"The whole set: what is not in it is no longer in force"`
		Why   string `json:"why,omitempty" maxLength:"500"`

		Strict bool `json:"strict,omitempty" doc:"Event fields that no event has had so far are faults, not warnings"`
		DryRun bool `json:"dry_run,omitempty" doc:"Only check: nothing is put in force"`
	}
}

// publish puts a set in force. The set is in the journal before the change is
// noted here: should the program be killed between the two, a repeated request
// publishes the same set once more, which changes nothing but its number.
func (a *API) publish(ctx context.Context, in *publishInput) (*changed[Published], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	why := in.reason(in.Body.Why)
	p := Publication{
		Workspace: w, Files: in.Body.Files, Who: callerOf(ctx).key.ID, Why: why, At: a.now(),
		Strict: in.Body.Strict, DryRun: in.Body.DryRun,
	}
	if p.DryRun {
		set, err := a.publisher.Publish(ctx, p)
		return &changed[Published]{Status: http.StatusOK, Body: set}, err
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusCreated, func() (access.Update, Published, error) {
		set, err := a.publisher.Publish(ctx, p)
		note := access.Change{Workspace: w, Why: why, What: fmt.Sprintf("publish definitions %d", set.Sequence)}
		return access.Update{Change: note}, set, err
	})
}
