package cx

import "errors"

// Kind is what a program may want to know of an Error. The table from Kind to
// HTTP status is in package api.
type Kind uint8

// The kinds of Error.
const (
	Internal    Kind = iota // our fault; the message stays in the log
	Invalid                 // the caller's input is wrong and will stay wrong
	Denied                  // the caller may not do this
	NotFound                // there is no such thing
	Conflict                // it changed meanwhile, or exists already
	Limited                 // too much at once: try again later
	Unavailable             // not possible right now: try again later
)

var kindNames = [...]string{"internal", "invalid", "denied", "not_found", "conflict", "limited", "unavailable"}

// String names the kind in snake_case.
func (k Kind) String() string { return kindNames[k] }

// Error is a failure that reaches an edge: a kind for programs, an operation
// and a cause for people. The message of every kind but Internal is shown to
// the caller, so it says what to do next.
type Error struct {
	Kind Kind
	Op   string // "publish definitions"; may be empty
	Err  error
}

// E makes an Error from a message.
func E(kind Kind, op, message string) *Error {
	return &Error{Kind: kind, Op: op, Err: errors.New(message)}
}

// Error gives "op: cause".
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain, Internal when
// there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
