package api

import (
	"context"

	"github.com/kikubari/kikubari/internal/cx"
)

// InWorkspace is part of the input of every route about one workspace.
type InWorkspace struct {
	Workspace string `query:"workspace" doc:"For keys of the installation: which workspace"`
}

type recentInput struct {
	InWorkspace
	Recent int `query:"recent" default:"50" minimum:"1" maximum:"500" doc:"How many"`
}

type recentOutput struct {
	Customers []CustomerSummary `json:"customers"`
}

func (a *API) recent(ctx context.Context, in *recentInput) (*answer[recentOutput], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	list, err := a.customers.Recent(ctx, w, in.Recent)
	for i := range list {
		list[i].fill()
	}
	return &answer[recentOutput]{recentOutput{Customers: some(list)}}, err
}

// CustomerInput is part of the input of every route about one customer.
type CustomerInput struct {
	InWorkspace
	ID string `path:"id" example:"c_0000000000000"`
}

func (a *API) customer(ctx context.Context, in *CustomerInput) (*answer[Customer], error) {
	w, id, err := a.who(ctx, in)
	if err != nil {
		return nil, err
	}
	c, err := a.customers.Customer(ctx, w, id)
	c.fill()
	c.Traits, c.Consent, c.Statistics, c.Ledger = some(c.Traits), some(c.Consent), some(c.Statistics), some(c.Ledger)
	return &answer[Customer]{c}, err
}

func (a *API) who(ctx context.Context, in *CustomerInput) (cx.Workspace, cx.CustomerID, error) {
	id, ok := cx.ParseCustomerID(in.ID)
	if !ok {
		return "", 0, cx.E(cx.Invalid, "", quote(in.ID)+" is no customer's id: c_ and 13 letters and digits")
	}
	w, err := a.workspace(ctx, in.Workspace)
	return w, id, err
}

type storyInput struct {
	CustomerInput
	Before string `query:"before" doc:"Position of the last item already read" example:"120.3"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"About how many: what happened at one position is not cut apart"`
}

type storyOutput struct {
	Items []StoryItem `json:"items"`
}

func (a *API) story(ctx context.Context, in *storyInput) (*answer[storyOutput], error) {
	w, id, err := a.who(ctx, &in.CustomerInput)
	if err != nil {
		return nil, err
	}
	before, ok := cx.ParsePosition(in.Before)
	if !ok && in.Before != "" {
		return nil, cx.E(cx.Invalid, "", "before="+quote(in.Before)+" is no position; give back the position of the last item")
	}
	items, err := a.history.Story(ctx, w, id, before, in.Limit)
	return &answer[storyOutput]{storyOutput{Items: some(items)}}, err
}

type decisionInput struct {
	InWorkspace
	ID string `path:"id" example:"d_0000000000000"`
}

func (a *API) decision(ctx context.Context, in *decisionInput) (*answer[Decision], error) {
	id, ok := cx.ParseDecisionID(in.ID)
	if !ok {
		return nil, cx.E(cx.Invalid, "", quote(in.ID)+" is no decision's id: d_ and 13 letters and digits")
	}
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	d, err := a.history.Decision(ctx, w, id)
	d.Winners, d.Candidates = some(d.Winners), some(d.Candidates)
	return &answer[Decision]{d}, err
}

func (c *CustomerSummary) fill() {
	c.Identities, c.Segments = some(c.Identities), some(c.Segments)
}

// some makes sure that an empty list is [] on the wire and not null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
