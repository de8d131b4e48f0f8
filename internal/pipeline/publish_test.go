package pipeline_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// fromStore is a journal whose follower is always in the first moment after a
// start: records come from the store, and nobody knows who appended them.
type fromStore struct{ *journal.Journal }

func (j fromStore) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return j.Journal.Follow(ctx, from, func(r *journal.Record) error {
		stored := *r
		stored.Tags = nil
		return fn(&stored)
	})
}

// TestPublishEndsWhereverTheEntryIsReadFrom publishes twice, and each call
// learns of its own set.
func TestPublishEndsWhereverTheEntryIsReadFrom(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, filepath.Join(dir, "journal"), &wall{at: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)})
	store, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: filepath.Join(dir, "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := pipeline.Open(t.Context(), pipeline.Options{Journal: fromStore{j}, Store: store, Warehouse: new(shelf), Passive: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	docs, err := definition.ParseCanonical(demoDocuments(t))
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for want := range uint64(2) {
		p, set, problems, err := s.Publish(soon, pipeline.Publication{Workspace: "demo", Why: "a test"}, docs, pipeline.Review{})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		if p.Sequence != want+1 || p.Position == 0 || p.At == 0 || set.Sequence != want+1 {
			t.Errorf("the set was published as %d at %v, %v; as built it is %d; want %d", p.Sequence, p.Position, p.At, set.Sequence, want+1)
		}
	}
}
