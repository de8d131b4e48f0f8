package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

func openJournal(tb testing.TB) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(tb.Context(), journal.Options{Dir: tb.TempDir(), ReserveBytes: -1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { j.Close() })
	return j
}

func appendTo(ctx context.Context, j *journal.Journal, text string) error {
	_, err := j.Append(ctx, []cx.Entry{{Kind: cx.EntryEvent, Payload: []byte(text)}}, "tag")
	return err
}

// TestLogIsTheJournalNeverTrimmed appends, archives and releases at random, and
// compares the log with a journal from which nothing was ever released.
func TestLogIsTheJournalNeverTrimmed(t *testing.T) {
	j := openJournal(t)
	var whole shelf
	step := 0
	rapid.Check(t, func(rt *rapid.T) {
		a := open(t, t.TempDir())
		log := &archive.Log{Archive: a, Journal: j}
		st, err := j.Stat(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		begin := st.First
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "archive", "release", "read"}).Draw(rt, "act") {
			case "append":
				for range rapid.IntRange(1, 8).Draw(rt, "appends") {
					step++
					if err := appendTo(t.Context(), j, fmt.Sprint("entry ", step)); err != nil {
						rt.Fatal(err)
					}
				}
				next := uint64(1)
				if len(whole) > 0 {
					next = whole[len(whole)-1].Sequence + 1
				}
				if err := j.Read(t.Context(), next, 0, func(r *journal.Record) error { whole = append(whole, r); return nil }); err != nil {
					rt.Fatal(err)
				}
			case "archive":
				last, _ := j.Last()
				if _, err := a.Add(t.Context(), j, rapid.Uint64Range(0, last+2).Draw(rt, "upto"), archive.Hurried); err != nil {
					rt.Fatal(err)
				}
			case "release":
				if _, err := j.Release(t.Context(), rapid.Uint64Range(0, a.Last()+1).Draw(rt, "below")); err != nil {
					rt.Fatal(err)
				}
			case "read":
				last, _ := j.Last()
				if begin == 0 {
					continue
				}
				from := rapid.Uint64Range(begin, last+1).Draw(rt, "from")
				to := rapid.SampledFrom([]uint64{0, from, from + 3, last}).Draw(rt, "to")
				var got shelf
				if err := log.Read(t.Context(), from, to, func(r *journal.Record) error { got = append(got, r); return nil }); err != nil {
					rt.Fatal(err)
				}
				var want shelf
				_ = whole.Read(t.Context(), from, to, func(r *journal.Record) error { want = append(want, r); return nil })
				if !bytes.Equal(encoded(got), encoded(want)) {
					rt.Fatalf("from %d to %d the log gives %d records, want %d", from, to, len(got), len(want))
				}
			}
			if begin == 0 && len(whole) > 0 {
				begin = whole[0].Sequence
			}
		}
		if begin > 0 {
			if first, at, err := log.First(t.Context()); err != nil || first != begin || at == 0 {
				rt.Fatalf("the log begins at %d (%v), want %d: %v", first, at, begin, err)
			}
		}
		// The next round has an archive of its own: it begins where this journal does.
	})
}

// TestFollowersSeeEveryRecordOnce lets readers follow from several places, one of
// them as the machine does, while others append, archive and release.
func TestFollowersSeeEveryRecordOnce(t *testing.T) {
	j := openJournal(t)
	a := open(t, t.TempDir())
	log := &archive.Log{Archive: a, Journal: j}
	for i := range 60 {
		if err := appendTo(t.Context(), j, fmt.Sprint("old ", i)); err != nil {
			t.Fatal(err)
		}
	}
	mustAdd(t, a, j, 40)
	if _, err := j.Release(t.Context(), 35); err != nil {
		t.Fatal(err)
	}
	const enough = 1500
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var others, followers sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for ctx.Err() == nil {
				_ = appendTo(ctx, j, "live")
			}
		})
	}
	others.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			last, _ := j.Last()
			if _, err := a.Add(ctx, j, last-uint64(r.IntN(10)), archive.Steady); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			if _, err := j.Release(ctx, a.Last()-uint64(r.IntN(5))); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	var live atomic.Int64
	follow := func(from uint64, follow func(context.Context, uint64, func(*journal.Record) error) error) {
		followers.Go(func() {
			want := max(from, 1)
			errDone := errors.New("done")
			err := follow(ctx, from, func(r *journal.Record) error {
				if r.Sequence != want || r.Previous != want-1 {
					return fmt.Errorf("from %d: record %d after %d, want %d", from, r.Sequence, r.Previous, want)
				}
				want++
				if r.Tags != nil {
					live.Add(1)
				}
				if want > enough {
					return errDone
				}
				return nil
			})
			if !errors.Is(err, errDone) {
				t.Errorf("from %d: %v", from, err)
			}
		})
	}
	for _, from := range []uint64{0, 1, 30, 41, 55} {
		follow(from, log.Follow)
	}
	follow(1, archive.Live{Log: log}.Follow)
	followers.Wait()
	stop()
	others.Wait()
	if live.Load() == 0 {
		t.Error("the machine's follower got no live record")
	}
	if len(a.Files()) < 3 {
		t.Errorf("%d files: too few to prove anything", len(a.Files()))
	}
}

// TestFollowDoesNotHoldBack lets a follower stand still while others append.
func TestFollowDoesNotHoldBack(t *testing.T) {
	j := openJournal(t)
	log := &archive.Log{Archive: open(t, t.TempDir()), Journal: j}
	ctx, stop := context.WithCancel(t.Context())
	standing, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- log.Follow(ctx, 0, func(*journal.Record) error {
			close(standing)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	if err := appendTo(t.Context(), j, "first"); err != nil {
		t.Fatal(err)
	}
	<-standing
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 600 { // more than a follower of the journal may be behind
		if err := appendTo(deadline, j, fmt.Sprint("behind ", i)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNotKept(t *testing.T) {
	j := openJournal(t)
	a := open(t, t.TempDir())
	log := &archive.Log{Archive: a, Journal: j}
	if first, at, err := log.First(t.Context()); first != 0 || at != 0 || err != nil {
		t.Errorf("an empty log begins at %d: %v", first, err)
	}
	for i := range 50 {
		if err := appendTo(t.Context(), j, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Release(t.Context(), 20); err != nil { // before anything was archived
		t.Fatal(err)
	}
	mustAdd(t, a, j, 30)
	nothing := func(*journal.Record) error { t.Error("a record is given"); return nil }
	for _, from := range []uint64{1, 19} {
		if err := log.Read(t.Context(), from, 0, nothing); cx.KindOf(err) != cx.NotFound {
			t.Errorf("from %d: %v", from, err)
		}
	}
	if err := log.Read(t.Context(), 60, 0, nothing); cx.KindOf(err) != cx.Conflict {
		t.Errorf("behind the end: %v", err)
	}
	own := cx.E(cx.NotFound, "", "our own")
	if err := log.Read(t.Context(), 0, 0, func(*journal.Record) error { return own }); !errors.Is(err, own) {
		t.Errorf("fn's own error became %v", err)
	}
}
