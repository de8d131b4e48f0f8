package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// StateOptions says how the state file is opened.
type StateOptions struct {
	Path    string // of the file, in a directory that exists
	Readers int    // how many look-ups may run at the same time; 0 means 2
}

// State keeps checkpoints in one SQLite file. It implements pipeline.Store: one
// goroutine calls Recover and Checkpoint, any number call the others.
//
// Checkpoints are written by one connection, a few rows at a time between
// requests. Its COMMIT runs on a thread of low priority, and so does another
// connection that copies, in the background, what checkpoints leave in the
// write-ahead log into the file. Rows are not written there: Go code on a thread
// that gets no processor would hold up goroutines that do. Look-ups have
// connections of their own and never wait for either.
type State struct {
	path    string
	writer  writer
	readers []*reader
	idle    chan *reader // those of readers that nobody uses
	copier  *copier
	closing func() error
}

var _ pipeline.Store = (*State)(nil)

// OpenState opens the state file, creating it when there is none and bringing
// its schema up to date. A file written by a newer program is refused with kind
// Invalid. The caller closes the State.
func OpenState(ctx context.Context, o StateOptions) (_ *State, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Readers <= 0 {
		o.Readers = 2
	}
	s := &State{path: o.Path, writer: writer{low: nice.NewThread()}, idle: make(chan *reader, o.Readers)}
	s.closing = sync.OnceValue(s.close)
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.writer.open(o.Path); err != nil {
		return nil, err
	}
	for range o.Readers {
		r, err := openReader(o.Path)
		if err != nil {
			return nil, err
		}
		s.readers = append(s.readers, r)
		s.idle <- r
	}
	s.copier, err = startCopier(o.Path)
	return s, err
}

// Close waits for look-ups under way and closes the file. It may be called more
// than once; nothing else may be called after it.
func (s *State) Close() error { return s.closing() }

func (s *State) close() error {
	var errs []error
	if s.copier != nil {
		errs = append(errs, s.copier.stop())
	}
	for range s.readers {
		errs = append(errs, (<-s.idle).close())
	}
	errs = append(errs, s.writer.close())
	s.writer.low.Close()
	return errors.Join(errs...)
}

// reading runs f with a reader that nobody else uses meanwhile.
func (s *State) reading(ctx context.Context, op string, f func(r *reader) error) error {
	select {
	case r := <-s.idle:
		defer func() { s.idle <- r }()
		if err := f(r); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
