package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
)

// renewMost is how many bytes of records are written anew at most: appends wait
// meanwhile. The engine itself shortens the files of a journal that grows on.
const renewMost = 16 << 20

// Renew writes the journal's files anew: of what was released nothing is in them
// afterwards. Appends wait for it, some tenths of a second; readers and followers
// notice nothing. It fails with kind Unavailable, and has changed nothing, when the
// journal holds more than can be written in that time, or when appends come without
// a pause until ctx ends.
func (j *Journal) Renew(ctx context.Context) error {
	done := make(renewal, 1)
	select {
	case j.renewals <- done:
		return <-done
	case <-j.done:
		return ErrClosed
	case <-ctx.Done():
		return unavailable("write the journal anew", context.Cause(ctx))
	}
}

// renewal is one call of Renew: it takes how that ended, and holds one.
type renewal chan error

// renewTime is how long reading and writing may take, at most.
const renewTime = 10 * time.Second

// renew writes the files anew between two commits. When that fails behind the
// point at which the old files are given up, the engine is opened on what there is,
// as after any fault.
func (c *committer) renew(ctx context.Context, done renewal) {
	j := c.j
	j.releasing.Lock()
	defer j.releasing.Unlock()
	start := time.Now()
	err := j.writeAnew(ctx)
	if err == nil {
		j.dropEngine()
		if err = j.swap(); err == nil {
			err = j.tryOpen(ctx)
		}
		if err != nil {
			c.reopen(ctx, err)
		}
		j.mu.Lock()
		j.opens-- // it was no fault
		j.mu.Unlock()
	}
	if err == nil {
		j.o.Log.InfoContext(ctx, "the journal was written anew", slog.Duration("took", time.Since(start)))
	} else {
		err = fmt.Errorf("write the journal anew: %w", err)
	}
	done <- err
}

// While a journal is written anew its new files stand beside the old ones, which
// stand aside for a moment before they go.
func (j *Journal) newDir() string { return j.storeDir() + ".new" }
func (j *Journal) oldDir() string { return j.storeDir() + ".old" }

// writeAnew writes every stored record into files beside, durably.
func (j *Journal) writeAnew(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	e, err := j.awaitEngine(ctx)
	if err != nil {
		return err
	}
	state, err := e.state(ctx)
	if err != nil {
		return unavailable("", err)
	}
	j.mu.Lock()
	end := j.tail
	j.mu.Unlock()
	if err := j.renewable(state, end); err != nil {
		return err
	}
	if err := os.RemoveAll(j.newDir()); err != nil {
		return err
	}
	r := &restoring{ctx: ctx, o: j.o, dir: j.newDir()}
	err = eachStored(ctx, e, state.FirstSeq, end.previous, r.put)
	if r.engine != nil {
		r.engine.stop()
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(j.newDir()))
	}
	return syncTree(j.newDir())
}

// renewable says why a journal cannot be written anew now.
func (j *Journal) renewable(state jetstream.StreamState, end tail) error {
	switch _, err := j.disk.left(j.o.Now()); {
	case err != nil:
		return unavailable("", err)
	case state.Bytes > renewMost:
		return cx.E(cx.Unavailable, "", fmt.Sprintf("it holds %d MB, and %d at most can be written while appends wait: let it release more first", state.Bytes>>20, renewMost>>20))
	case state.Msgs == 0 || end.previous != end.sequence:
		return cx.E(cx.Unavailable, "", "its newest record cannot be read: append one first")
	}
	return nil
}

// eachStored calls fn for the records of an engine from one sequence to another.
func eachStored(ctx context.Context, e *engine, from, to uint64, fn func(*Record) error) error {
	r, err := openReader(e, from)
	if err != nil {
		return err
	}
	defer r.close()
	chain := chain{open: true}
	for next := from; next <= to; {
		records, err := r.next(ctx, to, &chain)
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := fn(record); err != nil {
				return err
			}
			next = record.Sequence + 1
		}
	}
	return nil
}

// swap puts the new files in the place of the old ones, which are gone afterwards.
// The engine is stopped.
func (j *Journal) swap() error {
	fault.Point("renew.before")
	if err := os.Rename(j.storeDir(), j.oldDir()); err != nil {
		return err
	}
	fault.Point("renew.inside")
	if err := os.Rename(j.newDir(), j.storeDir()); err != nil {
		return err
	}
	if err := syncDir(j.o.Dir); err != nil {
		return err
	}
	fault.Point("renew.after")
	return j.settle()
}

// settle ends what a crash left of a renewal: new files take their place when the
// old ones stand aside already, for they were whole then; else they are not wanted.
func (j *Journal) settle() error {
	_, err := os.Stat(j.storeDir())
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(j.oldDir()); errors.Is(err, fs.ErrNotExist) {
			return nil // there is no journal yet
		}
		if err := os.Rename(j.newDir(), j.storeDir()); err != nil {
			return fmt.Errorf("take up the journal's new files: %w", err)
		}
		err = syncDir(j.o.Dir)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(j.newDir()), os.RemoveAll(j.oldDir()))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
