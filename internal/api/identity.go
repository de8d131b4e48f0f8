package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// Identities answers who is who, and lets people put it right. It is safe for
// concurrent use.
type Identities interface {
	// Find returns the customer whom an identity of workspace w leads to now; kind
	// NotFound when there is none.
	Find(ctx context.Context, w cx.Workspace, id cx.Identity) (cx.CustomerID, error)
	// Merges returns the kept merges that made the customer that id is now, oldest
	// first.
	Merges(ctx context.Context, w cx.Workspace, id cx.CustomerID) ([]Merge, error)
	// Merge makes two customers one. Kind Conflict when they are one already.
	Merge(ctx context.Context, m ToMerge) (Merged, error)
	// Unmerge undoes a merge: NotFound when none is kept that is meant, Conflict
	// when it cannot be undone.
	Unmerge(ctx context.Context, u ToUnmerge) (Unmerged, error)
	// Quarantined returns the values of workspace w that link nobody any more,
	// those first that came first.
	Quarantined(ctx context.Context, w cx.Workspace) ([]Quarantined, error)
	// Release takes a value out of quarantine; kind NotFound when it is in none.
	Release(ctx context.Context, r ToRelease) (Released, error)
}

// ToRelease names a value in quarantine.
type ToRelease struct {
	Workspace cx.Workspace
	Identity  cx.Identity
	Who       cx.KeyID
	Why       string
}

// Quarantined is a value that links nobody any more.
type Quarantined struct {
	Identity
	At       Time     `json:"at" doc:"When it was seen on one user too many"`
	Position string   `json:"position" doc:"Of the event by which it was"`
	Seen     []string `json:"seen" doc:"The users it was seen on"`
	Customer string   `json:"customer" doc:"Whose the events are that tell nothing but it"`
}

// Released says that a value is an ordinary one again.
type Released struct {
	Position string `json:"position"`
	At       Time   `json:"at"`
}

// ToMerge names two customers who are one.
type ToMerge struct {
	Workspace cx.Workspace
	A, B      cx.CustomerID
	Who       cx.KeyID
	Why       string
}

// ToUnmerge names a merge that was wrong.
type ToUnmerge struct {
	Workspace cx.Workspace
	Customer  cx.CustomerID
	Merge     cx.Position   // 0 for the last one
	Other     cx.CustomerID // not 0: the merge with this one
	Who       cx.KeyID
	Why       string
	DryRun    bool
}

// Merge is one merge as it was made.
type Merge struct {
	Position string     `json:"position" doc:"Names the merge"`
	At       Time       `json:"at"`
	Reason   string     `json:"reason" doc:"What linked them: a namespace and a call, or operator" example:"anonymous_id identify"`
	Link     *Identity  `json:"link,omitempty" doc:"The identity that belonged to one and came with the other"`
	Winner   MergedSide `json:"winner" doc:"Whose id stayed"`
	Loser    MergedSide `json:"loser"`
	Undone   string     `json:"undone,omitempty" doc:"Position of the un-merge"`
}

// MergedSide is a customer just before a merge.
type MergedSide struct {
	ID         string     `json:"id"`
	Identities []Identity `json:"identities"`
}

// Merged says that two customers are one.
type Merged struct {
	Customer string `json:"customer" doc:"Who they are now"`
	Position string `json:"position" doc:"Names the merge"`
	At       Time   `json:"at"`
}

// Unmerged says who is again in place of one customer.
type Unmerged struct {
	Merge     string         `json:"merge" doc:"Position of the merge that was undone"`
	Position  string         `json:"position,omitempty" doc:"Of the un-merge; absent in a dry run"`
	At        Time           `json:"at,omitempty"`
	Customers []UnmergedSide `json:"customers" doc:"The first keeps the id"`
}

// UnmergedSide is one of the customers that come of an un-merge.
type UnmergedSide struct {
	MergedSide
	LastSeen   Time        `json:"last_seen"`
	Moved      int         `json:"moved" doc:"Events since the merge that were another's"`
	Traits     []Trait     `json:"traits"`
	Consent    []Grant     `json:"consent"`
	Statistics []Statistic `json:"statistics"`
}

type findInput struct {
	InWorkspace
	Namespace string `query:"namespace" required:"true" enum:"user_id,claimed_user_id,line_user_id,mail,phone,anonymous_id"`
	Value     string `query:"value" required:"true" minLength:"1" maxLength:"1000"`
}

func (a *API) find(ctx context.Context, in *findInput) (*answer[Customer], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	namespace, _ := cx.ParseNamespace(in.Namespace)
	id, err := a.identities.Find(ctx, w, cx.Identity{Namespace: namespace, Value: in.Value})
	if err != nil {
		return nil, err
	}
	return a.customer(ctx, &CustomerInput{InWorkspace: in.InWorkspace, ID: id.String()})
}

type mergesOutput struct {
	Merges []Merge `json:"merges"`
}

func (a *API) merges(ctx context.Context, in *CustomerInput) (*answer[mergesOutput], error) {
	w, id, err := a.who(ctx, in)
	if err != nil {
		return nil, err
	}
	list, err := a.identities.Merges(ctx, w, id)
	return &answer[mergesOutput]{mergesOutput{Merges: some(list)}}, err
}

type mergeInput struct {
	ChangeInput
	CustomerInput
	RawBody []byte
	Body    struct {
		With string `json:"with" example:"c_0000000000000" doc:"The other customer"`
		Why  string `json:"why,omitempty" maxLength:"500"`
	}
}

// merge makes two customers one. The command is in the journal before the change
// is noted here: a request that is repeated because the program was killed
// between the two is told that they are one already.
func (a *API) merge(ctx context.Context, in *mergeInput) (*changed[Merged], error) {
	w, id, err := a.who(ctx, &in.CustomerInput)
	if err != nil {
		return nil, err
	}
	other, ok := cx.ParseCustomerID(in.Body.With)
	if !ok {
		return nil, cx.E(cx.Invalid, "", "with: "+quote(in.Body.With)+" is no customer's id: c_ and 13 letters and digits")
	}
	why := in.reason(in.Body.Why)
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (access.Update, Merged, error) {
		done, err := a.identities.Merge(ctx, ToMerge{Workspace: w, A: id, B: other, Who: callerOf(ctx).key.ID, Why: why})
		note := access.Change{Workspace: w, Why: why, What: fmt.Sprintf("merge customers %s and %s at %s", id, other, done.Position)}
		return access.Update{Change: note}, done, err
	})
}

type unmergeInput struct {
	ChangeInput
	CustomerInput
	RawBody []byte
	Body    struct {
		Merge  string `json:"merge,omitempty" doc:"Position of the merge; the last one when neither this nor from is given" example:"120.3"`
		From   string `json:"from,omitempty" doc:"The merge with this customer" example:"c_0000000000000"`
		Why    string `json:"why,omitempty" maxLength:"500"`
		DryRun bool   `json:"dry_run,omitempty" doc:"Only say what would come of it"`
	}
}

func (a *API) unmerge(ctx context.Context, in *unmergeInput) (*changed[Unmerged], error) {
	w, id, err := a.who(ctx, &in.CustomerInput)
	if err != nil {
		return nil, err
	}
	u := ToUnmerge{Workspace: w, Customer: id, Who: callerOf(ctx).key.ID, Why: in.reason(in.Body.Why), DryRun: in.Body.DryRun}
	var ok bool
	if u.Merge, ok = cx.ParsePosition(in.Body.Merge); !ok && in.Body.Merge != "" {
		return nil, cx.E(cx.Invalid, "", "merge: "+quote(in.Body.Merge)+" is no position; the list of merges names them")
	}
	if u.Other, ok = cx.ParseCustomerID(in.Body.From); !ok && in.Body.From != "" {
		return nil, cx.E(cx.Invalid, "", "from: "+quote(in.Body.From)+" is no customer's id: c_ and 13 letters and digits")
	}
	if u.DryRun {
		found, err := a.identities.Unmerge(ctx, u)
		return &changed[Unmerged]{Status: http.StatusOK, Body: found}, err
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (access.Update, Unmerged, error) {
		done, err := a.identities.Unmerge(ctx, u)
		note := access.Change{Workspace: w, Why: u.Why, What: fmt.Sprintf("undo the merge at %s of customer %s", done.Merge, id)}
		return access.Update{Change: note}, done, err
	})
}

type quarantinedOutput struct {
	Quarantined []Quarantined `json:"quarantined"`
}

func (a *API) quarantined(ctx context.Context, in *InWorkspace) (*answer[quarantinedOutput], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	list, err := a.identities.Quarantined(ctx, w)
	return &answer[quarantinedOutput]{quarantinedOutput{Quarantined: some(list)}}, err
}

type releaseInput struct {
	ChangeInput
	InWorkspace
	RawBody []byte
	Body    struct {
		Namespace string `json:"namespace" enum:"line_user_id,mail,phone,anonymous_id"`
		Value     string `json:"value" minLength:"1" maxLength:"1000"`
		Why       string `json:"why,omitempty" maxLength:"500"`
	}
}

func (a *API) release(ctx context.Context, in *releaseInput) (*changed[Released], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	namespace, _ := cx.ParseNamespace(in.Body.Namespace)
	r := ToRelease{Workspace: w, Identity: cx.Identity{Namespace: namespace, Value: in.Body.Value}, Who: callerOf(ctx).key.ID, Why: in.reason(in.Body.Why)}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (access.Update, Released, error) {
		done, err := a.identities.Release(ctx, r)
		note := access.Change{Workspace: w, Why: r.Why, What: fmt.Sprintf("release %s %s from quarantine", namespace, in.Body.Value)}
		return access.Update{Change: note}, done, err
	})
}
