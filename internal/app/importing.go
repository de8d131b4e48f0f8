package app

import (
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
)

// importing tells how far imports have come.
type importing struct{ *App }

// Imported makes importing an api.Imports.
func (i importing) Imported(w cx.Workspace, job string) api.Import {
	line, stored := i.shard.Imported(w, job)
	return api.Import{Job: job, Line: line, Stored: stored}
}
