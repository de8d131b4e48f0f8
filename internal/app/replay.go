package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// ReplayReport compares the state that the program would recover with the state
// computed from the whole journal.
type ReplayReport struct {
	Recovered pipeline.Fingerprint
	Computed  pipeline.Fingerprint
	Events    int // folded by the computation from the beginning
	Decisions map[cx.DecisionID]string
	Differ    []cx.CustomerID // customers whose states differ, at most 20
	Took      time.Duration   // of the computation from the beginning
}

// Same reports whether both states are equal, byte for byte.
func (r *ReplayReport) Same() bool { return r.Recovered == r.Computed }

// Replay computes the state of a data directory from its journal alone, on
// copies, and compares it with what recovery gives. The directory is not
// changed; no program may run on it. With purged records it fails, because the
// beginning is missing.
func Replay(ctx context.Context, c Config, log io.Writer) (*ReplayReport, error) {
	j, err := journal.Open(ctx, journal.Options{Dir: filepath.Join(c.Data, "journal"), Log: newLogger(c, log), ReserveBytes: -1})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	defer j.Close()
	tmp, err := os.MkdirTemp("", "kikubari-replay-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	for _, suffix := range [...]string{"", "-wal"} {
		if err := copyFile(filepath.Join(c.Data, "state.db"+suffix), filepath.Join(tmp, "recovered.db"+suffix)); err != nil {
			return nil, fmt.Errorf("copy the state: %w", err)
		}
	}
	if st, err := j.Stat(ctx); err != nil {
		return nil, err
	} else if st.First > 1 {
		return nil, cx.E(cx.Invalid, "replay", fmt.Sprintf("the journal begins at record %d: what came before was dropped to make room, so the state cannot be computed from the beginning", st.First))
	}
	r := &ReplayReport{Decisions: map[cx.DecisionID]string{}}
	recovered := map[cx.CustomerID][32]byte{}
	r.Recovered, _, err = machine(ctx, c, j, filepath.Join(tmp, "recovered.db"), &sink{at: math.MaxUint64}, func(id cx.CustomerID, sum [32]byte) { recovered[id] = sum })
	if err != nil {
		return nil, fmt.Errorf("recover: %w", err)
	}
	start := time.Now()
	found := func(id cx.CustomerID, sum [32]byte) {
		if other, ok := recovered[id]; (!ok || other != sum) && len(r.Differ) < 20 {
			r.Differ = append(r.Differ, id)
		}
	}
	all := &sink{decisions: r.Decisions}
	r.Computed, r.Events, err = machine(ctx, c, j, filepath.Join(tmp, "computed.db"), all, found)
	r.Took = time.Since(start)
	if err != nil {
		return nil, fmt.Errorf("compute: %w", err)
	}
	return r, nil
}

// machine lets a machine take the journal to its end and sums its state up.
func machine(ctx context.Context, c Config, j *journal.Journal, path string, house pipeline.Warehouse, each func(cx.CustomerID, [32]byte)) (f pipeline.Fingerprint, events int, err error) {
	state, err := sqlite.OpenState(ctx, sqlite.StateOptions{Path: path})
	if err != nil {
		return f, 0, err
	}
	defer state.Close()
	s, err := pipeline.Open(ctx, pipeline.Options{
		Journal: j, Store: state, Warehouse: house, Passive: true, Workers: c.Workers, CacheBytes: int64(c.CustomersCacheMB) << 20,
	})
	if err != nil {
		return f, 0, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	last, _ := j.Last()
	for s.Progress().Applied.Sequence() < last {
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

// sink takes rows and keeps the decisions only.
type sink struct {
	at        cx.Position
	decisions map[cx.DecisionID]string
}

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
