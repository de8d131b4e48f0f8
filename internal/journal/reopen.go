package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// openEngine starts the storage engine and takes up its end. Only Open and the
// committer call it.
func (j *Journal) openEngine(ctx context.Context) error {
	if err := j.settle(); err != nil {
		return err
	}
	if err := inspect(j.storeDir()); err != nil {
		return err
	}
	e, err := startEngine(ctx, j.storeDir(), j.o)
	if err != nil {
		return err
	}
	if err := j.takeUp(ctx, e); err != nil {
		e.stop()
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.engine, j.opens = e, j.opens+1
	close(j.opened)
	return nil
}

// takeUp sets the tail to what e holds. On a reopening that may be more than
// was acknowledged, never less: a record whose fate was unknown may be there,
// and is then followed like any other.
func (j *Journal) takeUp(ctx context.Context, e *engine) error {
	state, err := e.state(ctx)
	if err != nil {
		return err
	}
	last, err := e.last(ctx)
	if err != nil {
		return err
	}
	found := tail{sequence: state.LastSeq}
	if last != nil {
		found.previous, found.time = last.Sequence, last.Time
	}
	j.mu.Lock()
	known, live := j.tail, j.live
	j.mu.Unlock()
	if found.previous < known.previous {
		return &DamageError{known.previous, -1, "it was durable and is gone"}
	}
	if found.previous < found.sequence {
		j.o.Log.ErrorContext(ctx, "journal_end_lost", slog.Uint64("last_readable", found.previous), slog.Uint64("last_known", found.sequence))
	}
	if ahead := found.time.Sub(cx.InstantOf(j.o.Now())); ahead > time.Minute {
		j.o.Log.WarnContext(ctx, "journal_time_ahead", slog.String("log_time", found.time.String()), slog.Duration("ahead", ahead))
	}
	if live != nil {
		if err := j.adopt(ctx, e, known, found); err != nil {
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.moveTail(found)
	return nil
}

// adopt hands the records that turned out to be stored to the live follower,
// without tags: whoever appended them was told to try again.
func (j *Journal) adopt(ctx context.Context, e *engine, known, found tail) error {
	r, err := openReader(e, known.previous+1)
	if err != nil {
		return err
	}
	defer r.close()
	chain := chain{last: known.previous}
	for chain.last < found.previous {
		records, err := r.next(ctx, found.previous, &chain)
		if err != nil {
			return err
		}
		for _, record := range records {
			if !j.awaitRoom() {
				return ErrClosed
			}
			j.deliver(record)
		}
	}
	return nil
}

// reopen replaces a failed engine, trying until it works or the journal is
// closed. When it does not work at once, appends are refused meanwhile, for
// nobody knows how long it will take. When acknowledged records are gone it gives
// up: nothing may be appended to such a journal before a person has looked at it.
func (c *committer) reopen(ctx context.Context, cause error) {
	j := c.j
	j.o.Log.ErrorContext(ctx, "journal_reopening", slog.Any("error", cause))
	j.dropEngine()
	defer j.queue.refuse(nil)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := j.tryOpen(ctx)
		if err == nil {
			j.o.Log.InfoContext(ctx, "journal_reopened")
			return
		}
		j.o.Log.ErrorContext(ctx, "journal_reopening", slog.Any("error", err))
		down := unavailable("append", fmt.Errorf("nothing was written: the journal's storage has failed and cannot be opened again yet: %w", err))
		j.queue.refuse(down)
		c.pending = j.queue.drain(c.pending)
		c.refuse(down)
		if _, lost := errors.AsType[*DamageError](err); lost {
			j.fail(fmt.Errorf("restore the journal from a copy: %w", err))
			return
		}
		select {
		case <-j.closed:
			return
		case <-time.After(pause):
		}
	}
}

func (j *Journal) tryOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(time.Minute, j.o.CommitTimeout))
	defer cancel()
	return j.openEngine(ctx)
}

// dropEngine stops the engine, if there is one; awaitEngine blocks from then on.
func (j *Journal) dropEngine() {
	j.mu.Lock()
	e := j.engine
	if e != nil {
		j.engine, j.opened = nil, make(chan struct{})
	}
	j.mu.Unlock()
	if e != nil {
		e.stop()
	}
}

// fail refuses everything from now on. There is no engine, and those who wait
// for one learn why.
func (j *Journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = unavailable("journal", err)
	close(j.opened)
}

// awaitEngine returns the engine, waiting while it is being opened anew.
func (j *Journal) awaitEngine(ctx context.Context) (*engine, error) {
	for {
		j.mu.Lock()
		e, opened, broken := j.engine, j.opened, j.broken
		j.mu.Unlock()
		switch {
		case e != nil:
			return e, nil
		case broken != nil:
			return nil, broken
		}
		select {
		case <-opened:
		case <-j.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, unavailable("journal", fmt.Errorf("its storage is being opened anew: %w", context.Cause(ctx)))
		}
	}
}
