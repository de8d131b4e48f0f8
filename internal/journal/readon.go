package journal

import (
	"context"
	"fmt"
	"time"
)

// gathering is how long a reader that has come to the end lets new records
// gather before it reads on: reading one by one would hold up commits.
const gathering = 10 * time.Millisecond

// ReadOn is Read without an end: behind the newest durable record it waits for
// more, until ctx ends (with its cause), fn fails (with that error) or the journal
// is closed (ErrClosed). Any number may run at once. Unlike Follow it never holds
// appends back: all records come from storage, without tags, and some
// milliseconds late.
func (j *Journal) ReadOn(ctx context.Context, from uint64, fn func(*Record) error) error {
	c, err := j.cursor(ctx, from)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		end, err := j.awaitBehind(ctx, c.after)
		if err != nil {
			return err
		}
		if err := c.readTo(ctx, end, fn); err != nil {
			return err
		}
	}
}

// awaitBehind waits until there is a readable record behind a sequence, and
// returns the newest one's.
func (j *Journal) awaitBehind(ctx context.Context, sequence uint64) (end uint64, err error) {
	for {
		j.mu.Lock()
		end := j.tail.previous
		if j.grown == nil {
			j.grown = make(chan struct{})
		}
		grown := j.grown
		j.mu.Unlock()
		if end > sequence {
			return end, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-j.done:
			return 0, fmt.Errorf("read on: %w", ErrClosed)
		}
		select {
		case <-time.After(gathering):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
