package api

import (
	"context"

	"github.com/kikubari/kikubari/internal/cx"
)

// Import is how far the import of a file has come.
type Import struct {
	Job    string `json:"job"`
	Line   uint64 `json:"line" doc:"The last line that was taken; lines are sent in order, and one up to this is not taken again"`
	Stored bool   `json:"stored" doc:"The warehouse has every line up to this one"`
}

// Imports knows how far imports have come. It is safe for concurrent use.
type Imports interface {
	// Imported returns how far a job of workspace w had come a moment ago; a job
	// that nobody has heard of has not begun.
	Imported(w cx.Workspace, job string) Import
}

type importInput struct {
	InWorkspace
	Job string `path:"job" maxLength:"64"`
}

func (a *API) imported(ctx context.Context, in *importInput) (*answer[Import], error) {
	if !cx.IsJob(in.Job) {
		return nil, cx.E(cx.Invalid, "", quote(in.Job)+" cannot be an import job: lower-case letters, digits and dashes")
	}
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	return &answer[Import]{a.imports.Imported(w, in.Job)}, nil
}
