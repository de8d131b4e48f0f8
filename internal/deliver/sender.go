package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Sender is one channel. It is safe for concurrent use.
type Sender interface {
	// Send makes one attempt and returns nil when the receiver has the delivery.
	// An error that is made by Refused or NotNow says that it has not; after any
	// other nobody knows. One whose text quotes the receiver is a slog.LogValuer:
	// logs hold no personal data.
	Send(ctx context.Context, d *cx.Delivery) error
	// Idempotent reports whether the receiver takes a delivery once, however often
	// it comes with the same key.
	Idempotent(d *cx.Delivery) bool
}

// Refused says that the receiver does not have the delivery and will not take it,
// however often it comes.
func Refused(err error) error { return &failure{err: err, final: true} }

// NotNow says that the receiver does not have the delivery and may take it later,
// not before after has passed, 0 for any time.
func NotNow(err error, after time.Duration) error { return &failure{err: err, after: after} }

type failure struct {
	err   error
	final bool
	after time.Duration
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// LogValue lets the error inside say what of it may stand in a log.
func (f *failure) LogValue() slog.Value {
	if v, ok := errors.AsType[interface {
		error
		slog.LogValuer
	}](f.err); ok {
		return v.LogValue()
	}
	return slog.StringValue(f.err.Error())
}

// Outcome is what an attempt came to.
type Outcome uint8

// The outcomes.
const (
	Accepted Outcome = iota // the receiver has it
	Declined                // it has not and never will: Refused
	Deferred                // it has not, and may later: NotNow
	Unclear                 // nobody knows
)

// OutcomeOf reads what Send returned; after is what NotNow was given.
func OutcomeOf(err error) (o Outcome, after time.Duration) {
	f, ok := errors.AsType[*failure](err)
	switch {
	case err == nil:
		return Accepted, 0
	case !ok:
		return Unclear, 0
	case f.final:
		return Declined, 0
	}
	return Deferred, f.after
}
