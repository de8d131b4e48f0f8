package api

import (
	"context"

	"github.com/kikubari/kikubari/internal/cx"
)

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
