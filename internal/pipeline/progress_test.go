package pipeline_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// halfway is a history in which a reader comes behind a record only when it is let.
type halfway struct {
	trimmed
	record uint64
	letGo  chan struct{}
}

func (j halfway) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return j.trimmed.Follow(ctx, from, func(r *journal.Record) error {
		if r.Sequence > j.record {
			select {
			case <-j.letGo:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return fn(r)
	})
}

// How far a back-fill is, is counted in entries, whatever the sizes of the records
// they came in, from where it began; and it does not fall while the log grows.
func TestBackfillProgress(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 5, 100)
	kept, path := keep(t, j, dir)
	many := func(n int) (entries []cx.Entry) {
		for i := range n {
			ev := added("tv", i)
			ev.Workspace, ev.Key, ev.KeyKind, ev.Type, ev.ReceivedAt = "demo", "k_demo", cx.BrowserKey, cx.Track, cx.InstantOf(clock.now())
			entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
		}
		return entries
	}
	send := func(entries []cx.Entry) uint64 {
		t.Helper()
		at, err := j.Append(t.Context(), entries, nil)
		if err != nil {
			t.Fatal(err)
		}
		return at.Sequence()
	}
	for range 30 { // a third of the entries is in 30 of 31 records
		send(many(10))
	}
	until := send(many(600)) - 1
	if err := copyState(t, path, filepath.Join(dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	h := halfway{trimmed{fromBeginning{j}, kept}, until, make(chan struct{})}
	s, _ := live(t, j, filepath.Join(dir, "state.db"), &shelf{upto: saved(t, path)}, pipeline.Options{History: h, Scratch: sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}})
	docs, err := definition.ParseCanonical(curious(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, problems, err := s.Publish(t.Context(), pipeline.Publication{Workspace: "demo"}, docs, pipeline.Review{}); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	at := func(folded uint64, percent int) {
		t.Helper()
		var b pipeline.BackfillProgress
		eventually(t, "the filler is where it is let", func() bool {
			all := s.Backfills()
			if len(all) == 1 {
				b = all[0]
			}
			return b.Folded == folded
		})
		if entries := b.Of; b.Percent != percent || entries < 900 || b.Since != kept.Since {
			t.Errorf("%d of %d entries are folded and it says %d %%, want %d %%, since %v", b.Folded, b.Of, b.Percent, percent, b.Since)
		}
	}
	at(300, 33)
	send(many(2000))
	eventually(t, "the machine has taken them", func() bool { b := s.Backfills(); return len(b) == 1 && b[0].Of >= 2900 })
	at(300, 33)
	close(h.letGo)
	eventually(t, "it is known", func() bool { return len(s.Backfills()) == 0 })
}
