package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// follow sends the records of a follower to a channel until the test ends.
func follow(tb testing.TB, j *journal.Journal, from uint64) <-chan *journal.Record {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	records, ended := make(chan *journal.Record), make(chan struct{})
	go func() {
		defer close(ended)
		err := j.Follow(ctx, from, func(r *journal.Record) error {
			select {
			case records <- r:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if !errors.Is(err, context.Canceled) && !errors.Is(err, journal.ErrClosed) {
			tb.Errorf("follow: %v", err)
		}
	}()
	tb.Cleanup(func() { cancel(); <-ended })
	return records
}

// followLive is follow from the end on; it returns when the follower has caught
// up, so that every further record is a live one.
func followLive(tb testing.TB, j *journal.Journal) <-chan *journal.Record {
	tb.Helper()
	last, _ := j.Last()
	records := follow(tb, j, last+1)
	for {
		mustAppend(tb, j, "live?")
		if r := <-records; r.Tags != nil {
			return records
		}
	}
}

// TestFollowSeesEveryRecordOnce starts followers at different places while
// appends go on, and checks that each sees all from there on, in order and
// once, over the border between stored and live.
func TestFollowSeesEveryRecordOnce(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	for i := range 50 {
		mustAppend(t, j, fmt.Sprint(i))
	}
	for _, from := range []uint64{0, 1, 17, 51} {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = j.Append(ctx, events("live"), "tag")
					}
				})
			}
			want, live := max(from, 1), 0
			err := j.Follow(ctx, from, func(r *journal.Record) error {
				if r.Sequence != want || r.Previous != want-1 {
					return fmt.Errorf("record %d after %d, want %d", r.Sequence, r.Previous, want)
				}
				want++
				if r.Tags != nil {
					live++
				}
				if live == 200 {
					stop()
				}
				return nil
			})
			stop()
			wg.Wait()
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// TestTagsSayWhoAppendedWhat joins live records with what the producers did.
func TestTagsSayWhoAppendedWhat(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	records := followLive(t, j)
	const producers, each = 8, 50
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				tag := fmt.Sprintf("%d/%d", p, i)
				entries := events(tag, tag, tag)[:1+i%3]
				if _, err := j.Append(t.Context(), entries, tag); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for seen := 0; seen < producers*each; {
		r := <-records
		next := 0
		for _, tag := range r.Tags {
			if tag.First != next || tag.Count == 0 || tag.More {
				t.Fatalf("tag %+v begins where %d should", tag, next)
			}
			for _, e := range r.Entries[tag.First : tag.First+tag.Count] {
				if string(e.Payload) != tag.Value {
					t.Fatalf("entry %q has the tag %v", e.Payload, tag.Value)
				}
			}
			next += tag.Count
			seen++
		}
		if next != len(r.Entries) {
			t.Fatalf("the tags cover %d of %d entries", next, len(r.Entries))
		}
	}
	wg.Wait()
}

// TestAppendersMayReuseTheirMemory changes entries and payloads right after they
// were acknowledged; the follower sees what was appended.
func TestAppendersMayReuseTheirMemory(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	records := followLive(t, j)
	entries := events("first", "second")
	if _, err := j.Append(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
	copy(entries[0].Payload, "XXXXX")
	entries[1] = cx.Entry{Kind: cx.EntryTick}
	r := <-records
	if len(r.Entries) != 2 || string(r.Entries[0].Payload) != "first" || string(r.Entries[1].Payload) != "second" || r.Entries[1].Kind != cx.EntryEvent {
		t.Errorf("the follower got %q", r.Entries)
	}
}

func TestFollowEndsWithItsCallersError(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	for range 3 {
		mustAppend(t, j, "x")
	}
	stop := errors.New("stop")
	calls := 0
	err := j.Follow(t.Context(), 1, func(*journal.Record) error {
		if calls++; calls == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 2 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	if at := mustAppend(t, j, "y"); at.Sequence() != 4 {
		t.Errorf("the append after the follower is at %v", at)
	}
}

func TestOneFollowerAtATime(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	records := follow(t, j, 0)
	mustAppend(t, j, "x")
	<-records
	err := j.Follow(t.Context(), 0, func(*journal.Record) error { return nil })
	if cx.KindOf(err) != cx.Conflict {
		t.Errorf("a second follower: %v, want kind conflict", err)
	}
}

func TestFollowFromBeyondTheEnd(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	mustAppend(t, j, "x")
	err := j.Follow(t.Context(), 3, func(*journal.Record) error { return nil })
	if cx.KindOf(err) != cx.Conflict {
		t.Errorf("from 3 of 1: %v, want kind conflict", err)
	}
}

func TestReadARange(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	for i := range 100 {
		mustAppend(t, j, fmt.Sprint(i+1))
	}
	for _, c := range []struct{ from, to, first, last uint64 }{
		{0, 0, 1, 100}, {1, 1, 1, 1}, {5, 70, 5, 70}, {16, 17, 16, 17}, {100, 0, 100, 100}, {99, 1000, 99, 100},
	} {
		want := c.first
		err := j.Read(t.Context(), c.from, c.to, func(r *journal.Record) error {
			if r.Sequence != want || string(r.Entries[0].Payload) != fmt.Sprint(want) || r.Tags != nil {
				return fmt.Errorf("record %d, want %d", r.Sequence, want)
			}
			want++
			return nil
		})
		if err != nil || want != c.last+1 {
			t.Errorf("from %d to %d: ended before %d: %v", c.from, c.to, want, err)
		}
	}
	for _, c := range []struct{ from, to uint64 }{{101, 0}, {50, 49}} {
		if err := j.Read(t.Context(), c.from, c.to, func(r *journal.Record) error {
			return fmt.Errorf("record %d is in the empty range from %d to %d", r.Sequence, c.from, c.to)
		}); err != nil {
			t.Error(err)
		}
	}
}
