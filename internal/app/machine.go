package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// openLog opens the archive and the journal of a data directory on which no
// program runs.
func openLog(ctx context.Context, c Config, log io.Writer) (*archive.Log, error) {
	if _, err := checkFormat(c.Data); err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.path("journal")); errors.Is(err, fs.ErrNotExist) {
		return nil, cx.E(cx.NotFound, "open journal", "there is no journal in "+c.Data+": --data names the data directory of a server")
	}
	logger := newLogger(c, log)
	j, err := journal.Open(ctx, journal.Options{Dir: c.path("journal"), Log: logger, ReserveBytes: -1})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	a, err := openArchive(c, logger)
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	l := &archive.Log{Archive: a, Journal: j}
	if err := fitting(l); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return l, nil
}

// origins calls compute with a state at path with which a computation over all of
// the log begins, and the kept checkpoint that it is: nothing and nil when the log
// has its beginning, the oldest checkpoint from which it goes on otherwise. When
// that one needs what is gone, such as a back-fill that began before it and ended
// behind it, compute is called again with the next.
func origins(ctx context.Context, l *archive.Log, path string, compute func(from *archive.Checkpoint) error) error {
	first, _, err := l.First(ctx)
	for err == nil {
		var from *archive.Checkpoint
		if from, err = origin(l, first, path); err != nil {
			break
		}
		err = compute(from)
		if from == nil || cx.KindOf(err) != cx.NotFound {
			break
		}
		next := from.Position.Sequence() + 1
		if _, more := keptFrom(l, next); !more {
			break
		}
		first, err = next, removeComputed(path)
	}
	return err
}

// removeComputed removes a computed file with all that belongs to it, as far as it is
// there.
func removeComputed(path string) error {
	var errs []error
	for _, suffix := range [...]string{"", "-wal", "-shm", ".wal", ".backfill"} {
		errs = append(errs, os.RemoveAll(path+suffix))
	}
	return errors.Join(errs...)
}

func origin(l *archive.Log, first uint64, path string) (*archive.Checkpoint, error) {
	if first <= 1 {
		return nil, nil
	}
	if c, ok := keptFrom(l, first); ok {
		return &c, l.Archive.Restore(c, path)
	}
	return nil, cx.E(cx.NotFound, "compute the state", fmt.Sprintf("the log begins at record %d, and no checkpoint from there on is kept: what came before is gone, so the state cannot be computed", first))
}

// lastTick returns the position of the newest tick, 0 when there is none. It
// looks at more and more of the log's end.
func lastTick(ctx context.Context, l *archive.Log) (at cx.Position, err error) {
	last, _ := l.Last()
	first, _, err := l.First(ctx)
	if err != nil || first == 0 {
		return 0, err
	}
	for back := uint64(256); at == 0; back *= 16 {
		from := first
		if last-first > back {
			from = last - back
		}
		err := l.Read(ctx, from, last, func(r *journal.Record) error {
			for i := range r.Entries {
				if r.Entries[i].Kind == cx.EntryTick {
					at = cx.At(r.Sequence, i)
				}
			}
			return nil
		})
		if err != nil || from == first {
			return at, err
		}
	}
	return at, nil
}

// machine lets a machine that sends nothing and writes nothing to the log take
// all of it, from where the state at path stands, and sums its state up. When
// saveAt is a tick behind that, the file holds the state as of it in the end.
func machine(ctx context.Context, c Config, l *archive.Log, path string, house pipeline.Warehouse, saveAt cx.Position, each func(cx.CustomerID, [32]byte)) (f pipeline.Fingerprint, events int, err error) {
	state, err := sqlite.OpenState(ctx, sqlite.StateOptions{Path: path})
	if err != nil {
		return f, 0, err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	s, err := pipeline.Open(ctx, pipeline.Options{
		Journal: l, Store: state, Warehouse: house, Passive: true, CutAt: saveAt, Log: nil,
		Workers: c.Workers, CacheBytes: int64(c.CustomersCacheMB) << 20,
		History: past{l, nil}, Scratch: sqlite.Scratch{Dir: path + ".backfill"},
	})
	if err != nil {
		return f, 0, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	last, _ := l.Last()
	for p := s.Progress(); p.Applied.Sequence() < last || p.Checkpoint < saveAt; p = s.Progress() {
		select {
		case err := <-ended:
			return f, 0, errors.Join(err, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		return f, 0, err
	}
	f, err = s.Fingerprint(ctx, each)
	s.Counts(func(_ cx.Workspace, c *pipeline.Counts) { events += int(c.Events.Load()) })
	return f, events, err
}

// recovered lets a machine take the log from the last checkpoint on, in a copy of
// the state in dir, as a start of the program does. house says how far the
// warehouse is.
func recovered(ctx context.Context, c Config, l *archive.Log, dir string, each func(cx.CustomerID, [32]byte)) (f pipeline.Fingerprint, err error) {
	path := dir + "/recovered.db"
	for _, suffix := range [...]string{"", "-wal"} {
		if err := copyFile(c.path("state.db"+suffix), path+suffix); err != nil {
			return f, fmt.Errorf("copy the state: %w", err)
		}
	}
	f, _, err = machine(ctx, c, l, path, everything(), 0, each)
	if err != nil {
		return f, fmt.Errorf("recover: %w", err)
	}
	return f, nil
}

// sink takes rows and keeps the decisions only.
type sink struct {
	at        cx.Position
	decisions map[cx.DecisionID]string
}

// everything is a warehouse that has every row already.
func everything() *sink { return &sink{at: ^cx.Position(0)} }

// Position makes sink a pipeline.Warehouse.
func (s *sink) Position(context.Context) (cx.Position, error) { return s.at, nil }

// Append makes sink a pipeline.Warehouse.
func (s *sink) Append(_ context.Context, b *pipeline.Batch) error {
	for i := range b.Decisions {
		if s.decisions == nil {
			break
		}
		var text strings.Builder
		for _, w := range b.Decisions[i].Winners {
			text.WriteString(string(w.Content) + "\n")
		}
		s.decisions[b.Decisions[i].ID] = text.String()
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
