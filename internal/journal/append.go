package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kikubari/kikubari/internal/cx"
)

// Append adds entries to the journal, in order and with no other append's
// entries between them, and returns the position of the first once all are
// durable. tag travels with the live records that hold them.
//
// It gives up when ctx ends, with kind Unavailable. Unless the error says that
// nothing was written, the entries may be durable then, or become so: append
// them again and let de-duplication sort it out. It refuses at once, with kind
// Limited or Unavailable, when too much is waiting already, and with kind
// Invalid when there are no entries or one is longer than MaxPayload.
//
// After a return without error the journal keeps neither entries nor payloads.
// After an error it may still be reading them: they must not be changed.
func (j *Journal) Append(ctx context.Context, entries []cx.Entry, tag any) (first cx.Position, err error) {
	if err := ctx.Err(); err != nil {
		return 0, j.notWritten(err)
	}
	w, err := newWaiter(entries, tag)
	if err != nil {
		return 0, err
	}
	if err := j.queue.put(w); err != nil {
		return 0, j.refusal(err)
	}
	select {
	case err := <-w.done:
		first := w.first
		w.recycle()
		return first, err
	case <-ctx.Done():
		if w.withdraw() {
			return 0, j.notWritten(context.Cause(ctx))
		}
		return j.outcome(ctx, w)
	}
}

// outcome is the answer of an append that was being committed when ctx ended.
func (j *Journal) outcome(ctx context.Context, w *waiter) (first cx.Position, err error) {
	select {
	case err := <-w.done:
		first := w.first
		w.recycle()
		return first, err
	default:
		return 0, unavailable("append", fmt.Errorf("not known to be durable, send it again: %w", context.Cause(ctx)))
	}
}

var (
	errBehind  = errors.New("the pipeline is behind, send it again later")
	errCrowded = errors.New("too much is waiting to be written, send it again later")
)

// refusal says why the queue does not take an append.
func (j *Journal) refusal(err error) error {
	if !errors.Is(err, errCrowded) {
		return err
	}
	if j.behind.Load() {
		return unavailable("append", errBehind)
	}
	return &cx.Error{Kind: cx.Limited, Op: "append", Err: err}
}

func (j *Journal) notWritten(cause error) error {
	if j.behind.Load() {
		return unavailable("append", fmt.Errorf("%w: nothing was written: %w", errBehind, cause))
	}
	return unavailable("append", fmt.Errorf("nothing was written, send it again: %w", cause))
}

// waiter is one call of Append.
type waiter struct {
	entries []cx.Entry
	tag     any
	size    int // bytes that the entries take in records
	fate    atomic.Uint32
	done    chan error // holds one

	// The committer's own.
	packed int         // entries that are in records already
	first  cx.Position // of the first entry; the caller reads it after done
}

// A waiter is waiting until the committer takes it or its caller withdraws it.
const (
	waiting uint32 = iota
	taken
	withdrawn
)

var waiters = sync.Pool{New: func() any { return &waiter{done: make(chan error, 1)} }}

func newWaiter(entries []cx.Entry, tag any) (*waiter, error) {
	if len(entries) == 0 {
		return nil, cx.E(cx.Invalid, "append", "there is nothing to append")
	}
	size := 0
	for i := range entries {
		n := len(entries[i].Payload)
		if n > MaxPayload {
			return nil, cx.E(cx.Invalid, "append", fmt.Sprintf("entry %d has %d bytes, more than the %d of a record", i, n, MaxPayload))
		}
		size += entrySize(n)
	}
	w := waiters.Get().(*waiter)
	w.entries, w.tag, w.size = entries, tag, size
	return w, nil
}

// recycle gives w back. Only a caller that has received from done may do so.
func (w *waiter) recycle() {
	w.entries, w.tag, w.packed, w.first = nil, nil, 0, 0
	w.fate.Store(waiting)
	waiters.Put(w)
}

// withdraw reports whether the committer will pass w over.
func (w *waiter) withdraw() bool { return w.fate.CompareAndSwap(waiting, withdrawn) }

// take reports whether w is still wanted.
func (w *waiter) take() bool {
	return w.fate.Load() == taken || w.fate.CompareAndSwap(waiting, taken)
}

// queue holds the waiters that are in no record yet, in order of arrival.
type queue struct {
	wake chan struct{} // holds one; filled when there is something to take
	full chan struct{} // holds one; filled when there is enough for a record

	mu         sync.Mutex
	items      []*waiter
	entries    int // of all waiters not settled, taken out or not
	bytes      int
	untaken    int // bytes of items
	maxEntries int
	maxBytes   int
	closed     bool
	refusing   error // what put answers while there is no storage, nil while there is
}

func newQueue(maxEntries, maxBytes int) queue {
	return queue{wake: make(chan struct{}, 1), full: make(chan struct{}, 1), maxEntries: maxEntries, maxBytes: maxBytes}
}

// put queues w, or fails with errCrowded or ErrClosed. One append, however
// large, always finds room when nothing else is waiting.
func (q *queue) put(w *waiter) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.refusing != nil:
		return q.refusing
	case q.entries > 0 && (q.entries+len(w.entries) > q.maxEntries || q.bytes+w.size > q.maxBytes):
		return errCrowded
	}
	q.items = append(q.items, w)
	q.entries += len(w.entries)
	q.bytes += w.size
	if q.untaken += w.size; q.untaken >= MaxRecord {
		signal(q.full)
	}
	if len(q.items) == 1 {
		signal(q.wake)
	}
	return nil
}

// drain moves all waiters to the end of dst. They count as waiting until they
// are settled.
func (q *queue) drain(dst []*waiter) []*waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	dst = append(dst, q.items...)
	clear(q.items)
	q.items, q.untaken = q.items[:0], 0
	return dst
}

// settle takes waiters of so many entries and bytes out of the count.
func (q *queue) settle(entries, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.entries -= entries
	q.bytes -= bytes
}

func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.entries
}

// refuse makes put fail with err, until it is called with nil.
func (q *queue) refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusing = err
}

// trouble is why put fails, nil when it does not or only for want of room.
func (q *queue) trouble() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	return q.refusing
}

// close makes put fail from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// signal fills a channel that holds one, unless it is full.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
