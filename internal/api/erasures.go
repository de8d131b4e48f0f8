package api

import (
	"context"
	"net/http"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// Erasures has persons forgotten. It is safe for concurrent use.
type Erasures interface {
	// Erase forgets the customer that id is now, with everybody who was merged into
	// it, and returns when no reader but backups and the log's own files has
	// anything of the person. With DryRun it only says whom. Kind NotFound when
	// there is no such customer.
	Erase(ctx context.Context, e ToErase) (Erasure, error)
	// Erasures returns up to limit erasures of workspace w, newest first; with an id
	// that one, or kind NotFound.
	Erasures(ctx context.Context, w cx.Workspace, id string, limit int) ([]Erasure, error)
}

// ToErase names a person who is to be forgotten.
type ToErase struct {
	Workspace cx.Workspace
	Customer  cx.CustomerID
	Who       cx.KeyID
	DryRun    bool
}

// Erasure is the receipt of an erasure. It holds no personal data.
type Erasure struct {
	ID        string   `json:"id,omitempty" example:"e_ab12cd34"`
	Workspace string   `json:"workspace"`
	Customers []string `json:"customers" doc:"The person as known at last, and all that were merged into it"`
	Who       string   `json:"who,omitempty" doc:"Id of the key"`
	AskedAt   Time     `json:"asked_at,omitempty"`
	Position  string   `json:"position,omitempty" doc:"Of the command in the log"`
	State     string   `json:"state" enum:"dry_run,running,erased" doc:"erased: state, warehouse, outbox, sends and refused input hold nothing of the person"`
	ErasedAt  Time     `json:"erased_at,omitempty"`
	Rows      int64    `json:"rows,omitempty" doc:"dry_run: rows of the warehouse that would go"`
	Refused   int64    `json:"refused,omitempty" doc:"Samples of refused input that went"`
	Log       string   `json:"log" enum:"kept,hidden,clean" doc:"What becomes of the entries in journal and archive. hidden: from every reader of the API, and still in the files; clean: no file holds them"`
	Kept      int64    `json:"kept_entries,omitempty" doc:"Reports stored by an earlier version, of persons who were erased in one go with this one, that have to stay"`

	Stores      []ErasedStore `json:"stores,omitempty" doc:"Each store, and since when it holds nothing of the person"`
	CompletedAt Time          `json:"completed_at,omitempty" doc:"When the last of them was clean"`
}

// ErasedStore says since when a store holds nothing of an erased person.
type ErasedStore struct {
	Store   string `json:"store" enum:"state,outbox,warehouse,refused,checkpoints,archive,journal,warehouse_file" doc:"warehouse: no question finds a row; warehouse_file: no byte of one is left in its file"`
	DoneAt  Time   `json:"done_at,omitempty"`
	Pending Time   `json:"pending_until,omitempty" doc:"When it is to be done, while it is not"`
}

type eraseInput struct {
	ChangeInput
	CustomerInput
	RawBody []byte
	Body    struct {
		Why    string `json:"why,omitempty" maxLength:"500" doc:"Kept for ever in the record of changes: name nobody in it"`
		DryRun bool   `json:"dry_run,omitempty" doc:"Only say whom, and how much there is"`
	}
}

// erase forgets a person.
func (a *API) erase(ctx context.Context, in *eraseInput) (*changed[Erasure], error) {
	w, id, err := a.who(ctx, &in.CustomerInput)
	if err != nil {
		return nil, err
	}
	e := ToErase{Workspace: w, Customer: id, Who: callerOf(ctx).key.ID, DryRun: in.Body.DryRun}
	if e.DryRun {
		found, err := a.erasures.Erase(ctx, e)
		return &changed[Erasure]{Status: http.StatusOK, Body: found}, err
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (access.Update, Erasure, error) {
		done, err := a.erasures.Erase(ctx, e)
		note := access.Change{Workspace: w, Why: in.reason(in.Body.Why), What: "erase customer " + id.String() + " as " + done.ID}
		return access.Update{Change: note}, done, err
	})
}

type erasuresOutput struct {
	Erasures []Erasure `json:"erasures"`
}

func (a *API) listErasures(ctx context.Context, in *InWorkspace) (*answer[erasuresOutput], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	all, err := a.erasures.Erasures(ctx, w, "", 1000)
	return &answer[erasuresOutput]{erasuresOutput{some(all)}}, err
}

type erasureInput struct {
	InWorkspace
	ID string `path:"id"`
}

func (a *API) erasure(ctx context.Context, in *erasureInput) (*answer[Erasure], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	found, err := a.erasures.Erasures(ctx, w, in.ID, 1)
	if err != nil {
		return nil, err
	}
	return &answer[Erasure]{found[0]}, nil
}
