package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/kikubari/kikubari/internal/cx"
)

// Restore makes a journal in o.Dir out of records that were read from another
// one: they get the sequences they had. each must call put with them in order,
// at least one. Where a sequence is missing it stays missing. The journal is
// durable when Restore returns, and is not open; after an error o.Dir is to be
// removed. It fails with kind Conflict when there is a journal in o.Dir already.
func Restore(ctx context.Context, o Options, each func(put func(*Record) error) error) (err error) {
	o = o.withDefaults()
	lock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	j := &Journal{o: o}
	switch _, err := os.Stat(j.storeDir()); {
	case err == nil:
		return cx.E(cx.Conflict, "restore the journal", "there is a journal in "+o.Dir+" already")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	r := &restoring{ctx: ctx, o: o, dir: j.storeDir()}
	err = each(r.put)
	if err == nil && r.engine == nil {
		err = cx.E(cx.Invalid, "restore the journal", "there are no records")
	}
	if r.engine != nil {
		r.engine.stop()
	}
	if err != nil {
		return err
	}
	return syncTree(o.Dir)
}

// restoring writes the records of a journal that is being restored.
type restoring struct {
	ctx     context.Context
	o       Options
	dir     string
	engine  *engine // nil before the first record
	last    uint64  // sequence of the newest record
	buffer  []byte
	shorten compressor
}

func (r *restoring) put(record *Record) error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if r.engine == nil {
		if err := r.begin(record.Sequence); err != nil {
			return err
		}
		r.last = record.Sequence - 1
	}
	if record.Sequence <= r.last {
		return fmt.Errorf("restore the journal: record %d comes after %d", record.Sequence, r.last)
	}
	for r.last+1 < record.Sequence {
		if err := r.leaveOut(r.last + 1); err != nil {
			return err
		}
		r.last++
	}
	r.buffer = AppendRecord(r.buffer[:0], record)
	if err := r.store(r.shorten.compress(r.buffer), record.Sequence); err != nil {
		return err
	}
	r.last = record.Sequence
	return nil
}

// begin starts an engine whose stream begins at a sequence. It may lose all it
// has when the power fails, and is much faster for it; syncTree comes at the end.
func (r *restoring) begin(first uint64) (err error) {
	options := serverOptions(r.dir)
	options.SyncAlways = false
	config := streamConfig(0)
	config.FirstSeq = first
	config.DenyDelete = false // until the journal is opened
	r.engine, err = startEngineAs(r.ctx, r.o, options, config)
	return err
}

func (r *restoring) store(record []byte, want uint64) error {
	got, err := r.engine.publish(record)
	if err == nil && got != want {
		err = fmt.Errorf("record %d was stored as %d", want, got)
	}
	if err != nil {
		return fmt.Errorf("restore the journal: %w", err)
	}
	return nil
}

// leaveOut uses up a sequence.
func (r *restoring) leaveOut(sequence uint64) error {
	if err := r.store([]byte("-"), sequence); err != nil {
		return err
	}
	if err := r.engine.stream.DeleteMsg(r.ctx, sequence); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("restore the journal: leave out record %d: %w", sequence, err)
	}
	return nil
}

// syncTree makes every file and name below dir durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
