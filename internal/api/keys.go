package api

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// Workspace is one brand or site.
type Workspace struct {
	Slug          string `json:"slug" example:"my-shop"`
	Name          string `json:"name"`
	CreatedAt     Time   `json:"created_at"`
	SigningSecret string `json:"signing_secret,omitempty" doc:"Given once, when the workspace is made: 32 bytes in hex, the key of the HMAC-SHA-256 by which the site signs user ids"`
}

type workspacesOutput struct {
	Workspaces []Workspace `json:"workspaces"`
}

func (a *API) workspaces(ctx context.Context, _ *struct{}) (*answer[workspacesOutput], error) {
	all, err := a.store.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	out := workspacesOutput{Workspaces: []Workspace{}}
	for _, w := range all {
		if callerOf(ctx).key.Covers(w.Slug) {
			out.Workspaces = append(out.Workspaces, Workspace{Slug: string(w.Slug), Name: w.Name, CreatedAt: TimeOf(w.CreatedAt)})
		}
	}
	return &answer[workspacesOutput]{out}, nil
}

type makeWorkspaceInput struct {
	ChangeInput
	RawBody []byte
	Body    struct {
		Slug string `json:"slug" maxLength:"40" doc:"Lower-case letters, digits and dashes; never changes"`
		Name string `json:"name,omitempty" maxLength:"100"`
		Why  string `json:"why,omitempty" maxLength:"500"`
	}
}

func (a *API) makeWorkspace(ctx context.Context, in *makeWorkspaceInput) (*changed[Workspace], error) {
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusCreated, func() (access.Update, Workspace, error) {
		w, err := access.NewWorkspace(cx.Workspace(in.Body.Slug), in.Body.Name, a.now())
		if err != nil {
			return access.Update{}, Workspace{}, err
		}
		note := access.Change{Workspace: w.Slug, Why: in.reason(in.Body.Why), What: "create workspace " + string(w.Slug)}
		return access.Update{Workspaces: []access.Workspace{w}, Change: note}, Workspace{
			Slug: string(w.Slug), Name: w.Name, CreatedAt: TimeOf(w.CreatedAt), SigningSecret: hex.EncodeToString(w.SigningSecret),
		}, nil
	})
}

// Key is what is kept about a key.
type Key struct {
	ID        string `json:"id"`
	Workspace string `json:"workspace" doc:"* for a key of the installation"`
	Kind      string `json:"kind" enum:"browser,server,admin,read"`
	Name      string `json:"name,omitempty"`
	CreatedAt Time   `json:"created_at"`
	RevokedAt Time   `json:"revoked_at,omitempty"`
	Text      string `json:"text,omitempty" doc:"Given once, when the key is made: keep it, it is stored nowhere"`
}

func keyOf(k *access.Key) Key {
	return Key{
		ID: string(k.ID), Workspace: string(k.Workspace), Kind: k.Kind.String(), Name: k.Name,
		CreatedAt: TimeOf(k.CreatedAt), RevokedAt: TimeOf(k.RevokedAt),
	}
}

type keysOutput struct {
	Keys []Key `json:"keys"`
}

func (a *API) listKeys(ctx context.Context, in *InWorkspace) (*answer[keysOutput], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	all, err := a.store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	out := keysOutput{Keys: []Key{}}
	for i := range all {
		if w == access.Everywhere || all[i].Workspace == w {
			out.Keys = append(out.Keys, keyOf(&all[i]))
		}
	}
	return &answer[keysOutput]{out}, nil
}

type makeKeyInput struct {
	ChangeInput
	RawBody []byte
	Body    struct {
		Workspace string `json:"workspace,omitempty" maxLength:"40" doc:"For keys of the installation: which workspace, or * for another key of the installation"`
		Kind      string `json:"kind" enum:"browser,server,admin,read"`
		Name      string `json:"name,omitempty" maxLength:"100"`
		Text      string `json:"text,omitempty" maxLength:"100" doc:"Browser keys only: a text of your own choice"`
		Why       string `json:"why,omitempty" maxLength:"500"`
	}
}

func (a *API) makeKey(ctx context.Context, in *makeKeyInput) (*changed[Key], error) {
	w, err := a.keyWorkspace(ctx, in.Body.Workspace)
	if err != nil {
		return nil, err
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusCreated, func() (access.Update, Key, error) {
		kind, _ := cx.ParseKeyKind(in.Body.Kind)
		text := in.Body.Text
		if text == "" {
			text = access.NewKeyText(kind)
		}
		k, err := access.NewKey(w, kind, in.Body.Name, text, a.now())
		if err != nil {
			return access.Update{}, Key{}, err
		}
		shown := keyOf(&k)
		shown.Text = text
		note := access.Change{Workspace: w, Why: in.reason(in.Body.Why), What: "create " + kind.String() + " key " + string(k.ID)}
		return access.Update{Keys: []access.Key{k}, Change: note}, shown, nil
	})
}

// keyWorkspace is the workspace a new key is for. Only a key of the
// installation can make another one.
func (a *API) keyWorkspace(ctx context.Context, asked string) (cx.Workspace, error) {
	if asked == string(access.Everywhere) && callerOf(ctx).key.Workspace == access.Everywhere {
		return access.Everywhere, nil
	}
	return a.workspace(ctx, asked)
}

type revokeInput struct {
	ChangeInput
	ID string `path:"id"`
}

// revokeKey takes a key back. No key takes back itself, so an installation
// cannot lose its last admin key by it.
func (a *API) revokeKey(ctx context.Context, in *revokeInput) (*changed[Key], error) {
	id, own := cx.KeyID(in.ID), callerOf(ctx).key
	if id == own.ID {
		return nil, cx.E(cx.Conflict, "", "a key cannot take back itself; use another admin key")
	}
	return change(ctx, a, &in.ChangeInput, nil, http.StatusOK, func() (access.Update, Key, error) {
		all, err := a.store.Keys(ctx)
		if err != nil {
			return access.Update{}, Key{}, err
		}
		for i := range all {
			if k := &all[i]; k.ID == id && own.Covers(k.Workspace) {
				if !k.Revoked() {
					k.RevokedAt = a.now()
				}
				note := access.Change{Workspace: k.Workspace, Why: in.reason(""), What: "revoke " + k.Kind.String() + " key " + in.ID}
				return access.Update{Revoke: []cx.KeyID{id}, Change: note}, keyOf(k), nil
			}
		}
		return access.Update{}, Key{}, cx.E(cx.NotFound, "", "there is no key "+quote(in.ID)+" in your reach")
	})
}
