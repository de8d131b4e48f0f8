package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
)

// fillers are those that run, or whose stores are still needed, by number.
type fillers struct {
	opening sync.Mutex // held while one is started, so that none is started twice
	mu      sync.Mutex
	by      map[uint64]*filler
	looking sync.RWMutex // held by those who look into a store, and while one is removed
}

func (f *fillers) get(number uint64) *filler {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.by[number]
}

// validAt returns the filler of a workspace whose statistics became known at a
// position, nil when it is not there.
func (f *fillers) validAt(name cx.Workspace, at cx.Position) *filler {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range f.by {
		if valid, ok := fl.valid(); ok && valid == at && fl.about == name {
			return fl
		}
	}
	return nil
}

// filler returns the filler of f, started if need be: at the record from, or
// wherever it can be when that is 0.
func (s *Shard) filler(ctx context.Context, w *workspace, f *backfill, from uint64) (*filler, error) {
	s.fillers.opening.Lock()
	defer s.fillers.opening.Unlock()
	if fl := s.fillers.get(f.number); fl != nil {
		return fl, nil
	}
	fl, err := s.openFiller(ctx, w, f, from)
	if err != nil {
		return nil, err
	}
	s.fillers.mu.Lock()
	defer s.fillers.mu.Unlock()
	if s.fillers.by == nil {
		s.fillers.by = map[uint64]*filler{}
	}
	s.fillers.by[f.number] = fl
	return fl, nil
}

// dismiss stops a filler, if there is one, and forgets it.
func (f *fillers) dismiss(number uint64) error {
	f.mu.Lock()
	fl := f.by[number]
	delete(f.by, number)
	f.mu.Unlock()
	if fl == nil {
		return nil
	}
	return fl.close()
}

// numbers lists the fillers there are.
func (f *fillers) numbers() []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.by))
}

// close stops all fillers.
func (f *fillers) close() error {
	var errs []error
	for _, number := range f.numbers() {
		errs = append(errs, f.dismiss(number))
	}
	return errors.Join(errs...)
}

// historyOf returns what a back-fill that is open has folded.
func (s *Shard) historyOf(number uint64) ScratchStore { return s.fillers.get(number).store }

// folded waits until the filler of f, which began at the record from, stands at
// its command, whose position is at.
func (s *Shard) folded(ctx context.Context, w *workspace, f *backfill, from uint64, at cx.Position) error {
	fl, err := s.filler(ctx, w, f, from)
	if err != nil {
		return err
	}
	select {
	case <-fl.ended:
		if is := fl.shard.checkpointed(); fl.err == nil && is != at {
			return fmt.Errorf("the filler stopped at %v and not at the command at %v", is, at)
		}
		return fl.err
	case <-s.failed:
		return s.failure
	case <-s.stopping:
		return context.Canceled
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reopen makes ready what customers have still to take over, before the first
// entry is taken.
func (s *Shard) reopen(ctx context.Context) error {
	for _, name := range s.state.names() {
		w := s.state.workspaces[name]
		for _, f := range w.open {
			if err := s.folded(ctx, w, f, f.from, f.valid); err != nil {
				return fmt.Errorf("back-fill %d of workspace %s: %w", f.number, name, err)
			}
		}
	}
	return nil
}

// commandBackfill ends a back-fill: from here on its statistics are valid.
func (s *Shard) commandBackfill(at cx.Position, c *cx.Command) error {
	s.stirWorkspace(c.Workspace) // an un-merge that was worked out before does not have what becomes known here
	b, err := cx.DecodeBackfill(c.Body)
	if err != nil {
		return fmt.Errorf("command at %v: %w", at, err)
	}
	if r := s.opts.reduced; r != nil {
		if r.number == b.Number {
			return s.finish(at)
		}
		return nil
	}
	done := Commanded{Position: at, At: s.now}
	w := s.state.workspace(c.Workspace)
	if len(w.filling) == 0 || w.filling[0].number != b.Number {
		done.Err = cx.E(cx.Conflict, "back-fill", fmt.Sprintf("no back-fill %d is due in workspace %s", b.Number, c.Workspace))
		s.outcomes.give(at, done)
		return nil
	}
	s.send()
	if b.From != 0 {
		s.aside(func() { err = s.folded(s.work, w, w.filling[0], b.From, at) })
		if err != nil {
			return fmt.Errorf("back-fill %d, which ends at %v: %w", b.Number, at, err)
		}
	}
	s.becomeValid(w.name, at, b)
	s.outcomes.give(at, done)
	return nil
}

// nextFilling returns the oldest back-fill that is not complete, nil when there
// is none.
func (s *shared) nextFilling() (w *workspace, oldest *backfill) {
	for _, name := range s.names() {
		if ws := s.workspaces[name]; len(ws.filling) > 0 && (oldest == nil || ws.filling[0].number < oldest.number) {
			w, oldest = ws, ws.filling[0]
		}
	}
	return w, oldest
}

// fill sees to it that back-fills get done, one at a time, until ctx ends.
func (s *Shard) fill(ctx context.Context) {
	for ctx.Err() == nil {
		w, f := s.published.Load().nextFilling()
		if f == nil {
			select {
			case <-s.moved:
			case <-ctx.Done():
			}
			continue
		}
		err := s.fillOne(ctx, w, f)
		if _, now := s.published.Load().nextFilling(); err != nil && ctx.Err() == nil && now != nil && now.number == f.number {
			again := s.fillers.dismiss(f.number)
			if cx.KindOf(err) == cx.NotFound && again == nil { // what it had still to read was dropped meanwhile
				again = s.opts.Scratch.Remove(f.number)
			}
			s.stuck(doingFill, errors.Join(err, again))
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
			}
			continue
		}
		s.unstuck(doingFill)
	}
}

const doingFill = "back-fill statistics"

// fillOne runs one back-fill until its statistics are valid, or it is not wanted
// any more.
func (s *Shard) fillOne(ctx context.Context, w *workspace, f *backfill) error {
	fl, err := s.filler(s.work, w, f, 0) //nolint:contextcheck // it may be needed after ctx has ended, until Run ends
	if err != nil {
		return err
	}
	if o := fl.origin; o.Since != 0 {
		s.opts.Log.InfoContext(ctx, "the beginning of the log is not kept: new statistics count from the oldest kept checkpoint on",
			slog.String("workspace", string(w.name)), slog.String("since", o.Since.String()))
	}
	if near, err := s.nearEnd(ctx, f, fl); err != nil || !near {
		return err
	}
	// What the command has to wait for is what the filler has not saved by then.
	for range 5 {
		begun := time.Now()
		flushing, cancel := context.WithTimeout(ctx, 30*time.Second)
		err := fl.shard.Flush(flushing)
		cancel()
		if err != nil {
			return err
		}
		if time.Since(begun) < 200*time.Millisecond {
			break
		}
	}
	return s.endFill(ctx, w, cx.Backfill{Number: f.number, From: fl.origin.From, Since: fl.origin.Since})
}

// nearEnd waits until the filler has nearly come to the end of the log; near is
// false when it has come to its command, or is not wanted any more.
func (s *Shard) nearEnd(ctx context.Context, f *backfill, fl *filler) (near bool, err error) {
	for {
		last, _ := s.opts.History.Last()
		if fl.shard.Progress().Applied.Sequence()+nearby >= last {
			return true, nil
		}
		if _, now := s.published.Load().nextFilling(); now == nil || now.number != f.number {
			return false, nil
		}
		select {
		case <-fl.ended:
			return false, fl.err
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// nearby is how many records before the end of the log a filler has nearly
// arrived.
const nearby = 64

// endFill appends the command that ends a back-fill and waits until it has taken
// effect.
func (s *Shard) endFill(ctx context.Context, w *workspace, b cx.Backfill) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fault.Point("backfill.before")
	_, err := s.Command(ctx, &cx.Command{Kind: cx.CommandBackfill, Workspace: w.name, Body: cx.AppendBackfill(nil, b)})
	if cx.KindOf(err) == cx.Conflict {
		return nil // it was ended by an earlier command, or a newer set does not want it
	}
	return err
}

// needs reports whether the filler of a back-fill is still of use.
func (s *shared) needs(number uint64) bool {
	is := func(f *backfill) bool { return f.number == number }
	for _, w := range s.workspaces {
		if slices.ContainsFunc(w.filling, is) || slices.ContainsFunc(w.open, is) {
			return true
		}
	}
	return false
}
