package pipeline_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// sluggish is a shelf that takes its first rows when it is told to.
type sluggish struct {
	shelf
	begun func()
	wait  <-chan struct{}
}

func (s *sluggish) Append(ctx context.Context, b *pipeline.Batch) error {
	s.begun()
	<-s.wait
	return s.shelf.Append(ctx, b)
}

// A machine that is stopped while its warehouse is behind leaves out the last
// rows, never some before them: the next run brings what is missing.
func TestStoppingLeavesNoGapInTheWarehouse(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	var entries []cx.Entry
	const events = 400
	for n := range events {
		ev := added("device", n)
		ev.Workspace, ev.Key, ev.KeyKind, ev.Type = "demo", "k_demo", cx.BrowserKey, cx.Track
		entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)}, cx.Entry{Kind: cx.EntryTick})
	}
	if _, err := j.Append(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: filepath.Join(dir, "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	begun, wait := make(chan struct{}), make(chan struct{})
	house := &sluggish{begun: sync.OnceFunc(func() { close(begun) }), wait: wait}
	s, err := pipeline.Open(t.Context(), pipeline.Options{Journal: j, Store: state, Warehouse: house, Passive: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-begun
	stop()
	close(wait)
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	state.Close()
	taken := len(house.batch.Events)
	afterwards(t, j, clock)
	got := run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	if rows := len(house.batch.Events); rows != events {
		t.Errorf("%d rows of %d events, %d of them before the machine was stopped", rows, events, taken)
	}
	want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), pipeline.Options{})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +stopped):\n%s", diff)
	}
}
