package api

import (
	"context"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

type sqlInput struct {
	InWorkspace
	Body struct {
		Query string `json:"query" minLength:"1" maxLength:"100000" example:"select name, count(*) from events group by 1 order by 2 desc"`
	}
}

// sql runs a query over the workspace's rows; a key of the installation that
// names no workspace sees the rows of all.
func (a *API) sql(ctx context.Context, in *sqlInput) (*answer[Table], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	t, err := a.history.Query(ctx, w, in.Body.Query)
	t.Columns, t.Rows = some(t.Columns), some(t.Rows)
	return &answer[Table]{t}, err
}

func (a *API) status(context.Context, *struct{}) (*answer[Condition], error) {
	return &answer[Condition]{a.health.Health()}, nil
}

type refusedInput struct {
	InWorkspace
	Key   string `query:"key" maxLength:"100" doc:"Id of a key, or the text of a browser key; all keys when empty"`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

type refusedOutput struct {
	Refused []Refused `json:"refused"`
}

// Refused is a sample of input that was refused or altered. No value of the
// input is in it.
type Refused struct {
	At      Time   `json:"at"`
	Key     string `json:"key" doc:"Id of the key it came with"`
	Altered bool   `json:"altered" doc:"Taken after a change, not refused"`
	Reason  string `json:"reason" example:"too_large"`
	Index   int    `json:"index" doc:"Of the event in its request; -1 for the whole request"`
	Type    string `json:"type,omitempty"`
	Name    string `json:"name,omitempty"`
	Excerpt string `json:"excerpt,omitempty" doc:"The shape of the input"`
}

func (a *API) refused(ctx context.Context, in *refusedInput) (*answer[refusedOutput], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	list, err := a.store.Refused(ctx, w, a.keyID(in.Key), in.Limit)
	if err != nil {
		return nil, err
	}
	out := refusedOutput{Refused: make([]Refused, 0, len(list))}
	for _, r := range list {
		out.Refused = append(out.Refused, Refused{
			At: TimeOf(r.At), Key: string(r.Key), Altered: r.Altered, Reason: r.Reason,
			Index: r.Index, Type: r.Type, Name: r.Name, Excerpt: r.Excerpt,
		})
	}
	return &answer[refusedOutput]{out}, nil
}

// keyID is the id meant by s: s itself, or the id of the browser key whose text
// it is. Texts of other keys are not looked up: they do not belong in a URL.
func (a *API) keyID(s string) cx.KeyID {
	if ring := a.keys.Ring(); ring != nil {
		if k := ring.Key(s); k != nil && k.Kind == cx.BrowserKey {
			return k.ID
		}
	}
	return cx.KeyID(s)
}

type changesInput struct {
	InWorkspace
	Before uint64 `query:"before" doc:"Number of the last change already read"`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

type changesOutput struct {
	Changes []Change `json:"changes"`
}

// Change is one line of the record of what people did.
type Change struct {
	Number    uint64 `json:"number"`
	At        Time   `json:"at"`
	Workspace string `json:"workspace" doc:"* for the installation"`
	Who       string `json:"who" doc:"Id of the key"`
	Name      string `json:"name,omitempty" doc:"What people call the key, while it is good"`
	Why       string `json:"why,omitempty"`
	What      string `json:"what"`
}

func (a *API) changes(ctx context.Context, in *changesInput) (*answer[changesOutput], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	list, err := a.store.Changes(ctx, w, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := changesOutput{Changes: make([]Change, 0, len(list))}
	for i := range list {
		out.Changes = append(out.Changes, a.changeOf(&list[i]))
	}
	return &answer[changesOutput]{out}, nil
}

func (a *API) changeOf(c *access.Change) Change {
	out := Change{Number: c.Number, At: TimeOf(c.At), Workspace: string(c.Workspace), Who: string(c.Who), Why: c.Why, What: c.What}
	if k := a.keys.Ring().KeyByID(c.Who); k != nil {
		out.Name = k.Name
	}
	return out
}
