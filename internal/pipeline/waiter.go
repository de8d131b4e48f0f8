package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Answer is what came of one event, for whoever sent it.
type Answer struct {
	Position   cx.Position
	Treatments []cx.Treatment // Content is ready JSON
	Withdraw   []string       // "d_…/action-name": take it off the screen
}

// Waiter is where one request waits for the answers to its events. It travels
// through the journal as the tag of the request's entries; index i of Answer
// and Wait is the entry's index in that append, also where the append was cut
// into several records.
//
// One goroutine makes and waits; any may answer. When some events are never
// answered, Wait ends by its context.
type Waiter struct {
	mu      sync.Mutex
	answers []Answer
	given   []bool
	left    int // answers still to come
	closed  bool
	done    chan struct{}

	// Room for a single event.
	answer [1]Answer
	gave   [1]bool
}

// NewWaiter returns a Waiter for n events.
func NewWaiter(n int) *Waiter {
	w := &Waiter{left: n, done: make(chan struct{})}
	switch n {
	case 0:
		close(w.done)
	case 1:
		w.answers, w.given = w.answer[:], w.gave[:]
	default:
		w.answers, w.given = make([]Answer, n), make([]bool, n)
	}
	return w
}

// Answer gives the answer to event i. What a must not be changed afterwards.
// A second answer to the same event, one out of range, and one that comes
// after Wait has returned are dropped.
func (w *Waiter) Answer(i int, a Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || i < 0 || i >= len(w.answers) || w.given[i] {
		return
	}
	w.answers[i], w.given[i] = a, true
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// Wait returns the answers once all have come, and complete; or, when ctx ends
// first, those that have come so far: the others are zero Answers. It may be
// called once.
func (w *Waiter) Wait(ctx context.Context) (answers []Answer, complete bool) {
	return w.WaitUntil(ctx, nil)
}

// WaitUntil is Wait that also ends when late gives a time: a timer, which its
// owner can use again, costs less than a context with a deadline.
func (w *Waiter) WaitUntil(ctx context.Context, late <-chan time.Time) (answers []Answer, complete bool) {
	select {
	case <-w.done:
	case <-ctx.Done():
	case <-late:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return w.answers, w.left == 0
}
