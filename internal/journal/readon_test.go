package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kikubari/kikubari/internal/journal"
)

// TestReadOnSeesEveryRecordOnce lets readers go on from several places while
// appends and a crash of the engine go on.
func TestReadOnSeesEveryRecordOnce(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	for i := range 20 {
		mustAppend(t, j, fmt.Sprint(i))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var appenders, readers sync.WaitGroup
	for range 3 {
		appenders.Go(func() {
			for ctx.Err() == nil {
				_, _ = j.Append(ctx, events("more"), "tag")
			}
		})
	}
	errDone := errors.New("done")
	for _, from := range []uint64{0, 1, 13, 21} {
		readers.Go(func() {
			want := max(from, 1)
			err := j.ReadOn(ctx, from, func(r *journal.Record) error {
				if r.Sequence != want || r.Previous != want-1 {
					return fmt.Errorf("record %d after %d, want %d", r.Sequence, r.Previous, want)
				}
				if want++; want > 300 {
					return errDone
				}
				if want == 100 && from == 13 {
					journal.CrashEngine(j)
				}
				return nil
			})
			if !errors.Is(err, errDone) {
				t.Errorf("from %d: %v", from, err)
			}
		})
	}
	readers.Wait()
	stop()
	appenders.Wait()
}

func TestReadOnEnds(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.ReadOn(ctx, 0, func(*journal.Record) error { return nil }) }()
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("when its context ends: %v", err)
	}
	mustAppend(t, j, "one")
	reading := make(chan struct{})
	go func() { ended <- j.ReadOn(t.Context(), 0, func(*journal.Record) error { close(reading); return nil }) }()
	<-reading
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		t.Errorf("when the journal is closed: %v", err)
	}
}
