package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

type sendsInput struct {
	InWorkspace
	Destination string `query:"destination" doc:"Only what goes there"`
	State       string `query:"state" enum:"queued,trying,sent,failed,unknown,withheld" doc:"Only these"`
	Limit       int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
}

type sendsOutput struct {
	Paused bool   `json:"paused" doc:"No attempts are made until sends are resumed"`
	Sends  []Send `json:"sends" doc:"What waits first, by when it is due; then what has ended, newest first. What was sent is kept by the warehouse"`
}

func (a *API) listSends(ctx context.Context, in *sendsInput) (*answer[sendsOutput], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	state, _ := cx.ParseDeliveryState(in.State)
	sends, err := a.sends.List(ctx, w, in.Destination, state, in.Limit)
	return &answer[sendsOutput]{sendsOutput{Paused: a.sends.Paused(w), Sends: sends}}, err
}

type destinationsOutput struct {
	Destinations []Destination `json:"destinations"`
}

func (a *API) destinations(ctx context.Context, in *InWorkspace) (*answer[destinationsOutput], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	out, err := a.sends.Destinations(ctx, w)
	return &answer[destinationsOutput]{destinationsOutput{out}}, err
}

type pauseInput struct {
	ChangeInput
	InWorkspace
	RawBody []byte
	Body    struct {
		Why string `json:"why,omitempty" maxLength:"500"`
	}
}

type pauseOutput struct {
	Workspace string `json:"workspace" doc:"* for all of the installation"`
	Paused    bool   `json:"paused"`
}

func (a *API) pauseSends(ctx context.Context, in *pauseInput) (*changed[pauseOutput], error) {
	return a.setPaused(ctx, in, true)
}

func (a *API) resumeSends(ctx context.Context, in *pauseInput) (*changed[pauseOutput], error) {
	return a.setPaused(ctx, in, false)
}

func (a *API) setPaused(ctx context.Context, in *pauseInput, paused bool) (*changed[pauseOutput], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	what := map[bool]string{true: "pause sends", false: "resume sends"}[paused]
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (access.Update, pauseOutput, error) {
		err := a.sends.Pause(ctx, w, paused)
		return access.Update{Change: access.Change{Workspace: w, Why: in.reason(in.Body.Why), What: what}}, pauseOutput{string(w), paused}, err
	})
}

type retryInput struct {
	ChangeInput
	InWorkspace
	RawBody []byte
	Body    struct {
		Destination string    `json:"destination,omitempty" doc:"Only what goes there"`
		Send        string    `json:"send,omitempty" doc:"Only this one, s_…; one that has failed or is unknown is sent again"`
		State       string    `json:"state,omitempty" enum:"failed,unknown" doc:"Send again what ended so, at most 500 at once"`
		Since       time.Time `json:"since,omitzero" doc:"With state: only what ended since"`
		MayRepeat   bool      `json:"may_repeat,omitempty" doc:"Send again also what may have arrived: a receiver that cannot tell a repetition does it twice"`
		Why         string    `json:"why,omitempty" maxLength:"500"`
	}
}

type retryOutput struct {
	Retried int      `json:"retried" doc:"How many that wait for their next attempt are due now"`
	Resent  int      `json:"resent" doc:"How many that had ended are sent again, with the same Idempotency-Key"`
	Refused []string `json:"refused,omitempty" doc:"Why others are not"`
	More    bool     `json:"more,omitempty" doc:"There are more to be sent again: ask again"`
}

func (a *API) retrySends(ctx context.Context, in *retryInput) (*changed[retryOutput], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	key, ok := cx.ParseSendKey(in.Body.Send)
	if !ok && in.Body.Send != "" {
		return nil, cx.E(cx.Invalid, "", quote(in.Body.Send)+" is no send; kikubari sends list shows them, s_ and 26 characters")
	}
	state, _ := cx.ParseDeliveryState(in.Body.State)
	var since cx.Instant
	if !in.Body.Since.IsZero() {
		since = cx.InstantOf(in.Body.Since)
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (u access.Update, out retryOutput, err error) {
		if state == 0 {
			out.Retried, err = a.sends.Retry(ctx, w, in.Body.Destination, key)
		}
		if err == nil && (state != 0 || ok && out.Retried == 0) {
			var done Resent
			done, err = a.sends.Resend(ctx, Resend{
				Workspace: w, Send: key, Destination: in.Body.Destination, State: state, Since: since,
				MayRepeat: in.Body.MayRepeat, Who: callerOf(ctx).key.ID, Why: in.reason(in.Body.Why),
			})
			out.Resent, out.Refused, out.More = done.Sends, done.Refused, done.More
		}
		u.Change = access.Change{Workspace: w, Why: in.reason(in.Body.Why), What: fmt.Sprintf("retry %d sends", out.Retried+out.Resent)}
		return u, out, err
	})
}

type secretInput struct {
	ChangeInput
	InWorkspace
	Name    string `path:"name" maxLength:"60"`
	RawBody []byte
	Body    struct {
		Rotate bool   `json:"rotate,omitempty" doc:"Make a new secret; for 24 hours the one before signs too"`
		Why    string `json:"why,omitempty" maxLength:"500"`
	}
}

type secretOutput struct {
	Destination string `json:"destination"`
	Secret      string `json:"secret" doc:"whsec_ and base64, as Standard Webhooks has it: what the receiver checks signatures with"`
	CreatedAt   Time   `json:"created_at"`
}

// secret shows what signs for a destination, making it when there is none. Each
// look is in the record of changes.
func (a *API) secret(ctx context.Context, in *secretInput) (*changed[secretOutput], error) {
	w, err := a.workspace(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	if !a.sends.Has(w, in.Name) {
		return nil, cx.E(cx.NotFound, "", "workspace "+string(w)+" has no destination "+quote(in.Name)+"; publish one with kind: destination")
	}
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusOK, func() (access.Update, secretOutput, error) {
		note := access.Change{Workspace: w, Why: in.reason(in.Body.Why), What: "show secret of destination " + in.Name}
		known, err := a.store.DestinationSecrets(ctx, w, in.Name, a.now())
		if err != nil {
			return access.Update{}, secretOutput{}, err
		}
		u := access.Update{Change: note}
		if len(known) == 0 || in.Body.Rotate {
			u.Secret = access.NewDestinationSecret(w, in.Name, a.now())
			u.Change.What = "make secret of destination " + in.Name
			known = []access.DestinationSecret{*u.Secret}
		}
		return u, secretOutput{in.Name, a.sends.FormatSecret(known[0].Secret), TimeOf(known[0].CreatedAt)}, nil
	})
}
