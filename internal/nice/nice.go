// Package nice runs work on operating-system threads of low priority, so that
// writing checkpoints and answering reports takes the processor only when
// nobody waits for a decision. On systems other than Linux the work runs at
// ordinary priority.
package nice

import "runtime"

// level is the niceness of the threads; 19 is the lowest priority there is.
const level = 15

// Run calls f on a low-priority thread of its own and returns what f returned.
// Goroutines that f starts do not inherit the priority.
func Run(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		lower()
		done <- f()
	}()
	return <-done
}

// Thread is one low-priority thread that is kept. It is safe for concurrent use
// and does one piece of work at a time.
type Thread struct {
	work chan func()
}

// NewThread starts a thread; Close ends it.
func NewThread() *Thread {
	t := &Thread{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		lower()
		for f := range t.work {
			f()
		}
	}()
	return t
}

// Do calls f on the thread, after the work that was given to it before, and
// returns what f returned.
func (t *Thread) Do(f func() error) error {
	done := make(chan error, 1)
	t.work <- func() { done <- f() }
	return <-done
}

// Close ends the thread after the work in hand. Do must not be called again.
func (t *Thread) Close() { close(t.work) }
