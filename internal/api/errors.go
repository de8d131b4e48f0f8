package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/kikubari/kikubari/internal/cx"
)

// status is the one table from the kind of an error to its HTTP status.
var status = [...]int{
	cx.Internal:    http.StatusInternalServerError,
	cx.Invalid:     http.StatusBadRequest,
	cx.Denied:      http.StatusForbidden,
	cx.NotFound:    http.StatusNotFound,
	cx.Conflict:    http.StatusConflict,
	cx.Limited:     http.StatusTooManyRequests,
	cx.Unavailable: http.StatusServiceUnavailable,
}

// Status returns the HTTP status of errors of kind k.
func Status(k cx.Kind) int { return status[k] }

// kindOfStatus is the other direction, for refusals by the HTTP layer itself.
func kindOfStatus(code int) cx.Kind {
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return cx.Denied
	case code == http.StatusNotFound:
		return cx.NotFound
	case code == http.StatusConflict:
		return cx.Conflict
	case code == http.StatusTooManyRequests:
		return cx.Limited
	case code == http.StatusServiceUnavailable:
		return cx.Unavailable
	case code >= 500:
		return cx.Internal
	}
	return cx.Invalid
}

// retryAfter is what is said to a caller who is to come back, when the error
// does not say how long to wait.
const retryAfter = time.Second

// Problem is how every failure looks on the wire.
//
//nolint:errname // the name of its schema in the OpenAPI document
type Problem struct {
	What ProblemBody `json:"error"`

	code  int
	retry time.Duration
}

// ProblemBody says what went wrong and what to do about it.
type ProblemBody struct {
	Kind    string   `json:"kind" enum:"internal,invalid,denied,not_found,conflict,limited,unavailable" doc:"What a program may want to know"`
	Message string   `json:"message" doc:"What a person may want to know, and what to do next"`
	Details []string `json:"details,omitempty" doc:"Every single fault, when there are several"`
}

// Error gives the message.
func (p *Problem) Error() string { return p.What.Message }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.code }

// GetHeaders gives what goes with the status: when to retry, how to say who
// one is.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="kikubari"`)
	}
	return h
}

// noKey is the answer to a request without a key that is good.
func noKey() *Problem {
	return &Problem{code: http.StatusUnauthorized, What: ProblemBody{
		Kind:    cx.Denied.String(),
		Message: "send a key of this installation: Authorization: Bearer KEY",
	}}
}

// problem turns err into what the caller is told. The message of an Internal
// error stays in the log, under an opaque id that the caller gets instead.
//
// An error in the chain may add lines with Details() []string, and a time to
// wait with RetryAfter() time.Duration.
func problem(ctx context.Context, log *slog.Logger, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = &cx.Error{Kind: cx.Unavailable, Err: errors.New("the caller has gone")} // nobody reads it, and nothing failed
	}
	if errors.Is(err, context.DeadlineExceeded) && cx.KindOf(err) == cx.Internal { // any other kind says more
		err = &cx.Error{Kind: cx.Unavailable, Err: errors.New("this took too long; try again, or ask for less")}
	}
	kind := cx.KindOf(err)
	p := &Problem{code: Status(kind), retry: retryAfter, What: ProblemBody{Kind: kind.String(), Message: err.Error()}}
	if kind == cx.Internal {
		id := newIncident()
		log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("incident", id), slog.Any("error", err))
		p.What.Message = "something went wrong on our side; the log knows it as " + id
		return p
	}
	var many interface{ Details() []string }
	if errors.As(err, &many) {
		p.What.Details = many.Details()
	}
	var wait interface{ RetryAfter() time.Duration }
	if errors.As(err, &wait) {
		p.retry = wait.RetryAfter()
	}
	return p
}

// newIncident makes an opaque id by which a person can find the line in the
// log.
func newIncident() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "e_" + hex.EncodeToString(b[:])
}

// The HTTP layer makes its own errors with this package-wide hook: input that
// does not fit the schema, a body that is too long. They look like ours.
func init() {
	huma.NewError = func(code int, message string, faults ...error) huma.StatusError {
		if code == http.StatusUnprocessableEntity {
			code = http.StatusBadRequest
		}
		p := &Problem{code: code, retry: retryAfter, What: ProblemBody{Kind: kindOfStatus(code).String(), Message: message}}
		for _, f := range faults {
			if f != nil {
				p.What.Details = append(p.What.Details, f.Error())
			}
		}
		return p
	}
}
