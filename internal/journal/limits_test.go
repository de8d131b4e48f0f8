package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// TestFullJournalRefusesUntilReleased fills a journal to its limit: it refuses
// and drops nothing, and takes appends again once records were released.
func TestFullJournalRefusesUntilReleased(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir, MaxBytes: 1 << 20})
	payload := noise(100_000)
	var err error
	stored := uint64(0)
	for err == nil {
		if _, err = j.Append(t.Context(), events(payload), nil); err == nil {
			stored++
		}
	}
	if cx.KindOf(err) != cx.Unavailable || !strings.Contains(err.Error(), "full") || stored != 10 {
		t.Fatalf("after %d records: %v, want kind unavailable and full after 10", stored, err)
	}
	if s, err := j.Stat(t.Context()); err != nil || s.First != 1 || s.Last != 10 || s.Opens != 1 {
		t.Fatalf("%+v, %v: want records 1 to 10 and the engine as it was", s, err)
	}
	if err := j.Trouble(); err == nil || !strings.Contains(err.Error(), "raise journal.max_mb") {
		t.Errorf("a full journal says of itself: %v", err)
	}
	if n, err := j.Release(t.Context(), 4); err != nil || n != 3 {
		t.Fatalf("released %d records, %v, want 3", n, err)
	}
	if err := j.Trouble(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if at := mustAppend(t, j, payload); at.Sequence() != 11 {
		t.Errorf("the append after the release is at %v", at)
	}
	mustClose(t, j)
	j = open(t, journal.Options{Dir: dir, MaxBytes: 1 << 19})
	if s, err := j.Stat(t.Context()); err != nil || s.First != 4 || s.Last != 11 {
		t.Errorf("with half the room: %+v, %v, want records 4 to 11", s, err)
	}
	if _, err := j.Append(t.Context(), events("x"), nil); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("an append over the lowered limit: %v", err)
	}
}

// TestReserveOfFreeSpace stops before the disk is full, says so, and goes on by
// itself when there is room again.
func TestReserveOfFreeSpace(t *testing.T) {
	var free atomic.Uint64
	var clock atomic.Int64
	o := journal.Options{
		Dir: t.TempDir(), ReserveBytes: 100 << 20,
		Now: func() time.Time { return time.Unix(1_800_000_000+clock.Add(1), 0) },
	}
	journal.FreeSpace(&o, free.Load)
	j := open(t, o)
	for _, c := range []struct {
		free    uint64
		refused bool
	}{{200 << 20, false}, {99 << 20, true}, {0, true}, {101 << 20, false}} {
		free.Store(c.free)
		if err := j.Trouble(); (err != nil) != c.refused {
			t.Errorf("with %d MB free the journal says of itself: %v", c.free>>20, err)
		}
		_, err := j.Append(t.Context(), events("x"), nil)
		if refused := err != nil; refused != c.refused || refused && (cx.KindOf(err) != cx.Unavailable || !strings.Contains(err.Error(), "disk is nearly full")) {
			t.Errorf("with %d MB free: %v", c.free>>20, err)
		}
	}
	if last, _ := j.Last(); last != 2 {
		t.Errorf("%d records are stored, want 2", last)
	}
}

// TestFreeSpaceIsAskedAgainAfterMuchWriting writes faster than the answer of
// the file system grows old.
func TestFreeSpaceIsAskedAgainAfterMuchWriting(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var free atomic.Uint64
	free.Store(5 << 20)
	o := journal.Options{Dir: t.TempDir(), ReserveBytes: 4 << 20, Now: func() time.Time { return noon }}
	journal.FreeSpace(&o, free.Load)
	j := open(t, o)
	payload := noise(400_000)
	var err error
	for n := 0; err == nil; n++ {
		if n == 4 {
			t.Fatal("1.6 MB were written where 1 MB was free")
		}
		_, err = j.Append(t.Context(), events(payload), nil)
		free.Add(^uint64(400_000 - 1))
	}
	if !strings.Contains(err.Error(), "disk is nearly full") {
		t.Error(err)
	}
}

// blocked starts a follower that has caught up and takes no further record
// until it is let go.
func blocked(t *testing.T, j *journal.Journal) (release func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	let, live, ended := make(chan struct{}), make(chan bool, 1), make(chan error, 1)
	go func() {
		ended <- j.Follow(ctx, 0, func(r *journal.Record) error {
			select {
			case live <- r.Tags != nil:
			default:
			}
			if r.Tags != nil {
				<-let
			}
			return nil
		})
	}()
	for mustAppend(t, j, "live?"); !<-live; {
		mustAppend(t, j, "live?")
	}
	release = sync.OnceFunc(func() { close(let) })
	t.Cleanup(func() {
		cancel()
		release()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return release
}

// TestFollowerThatIsBehindHoldsAppendsBack lets a follower stand still: appends
// first wait, then are refused with the reason, and those that were refused as
// not written are not written later either.
func TestFollowerThatIsBehindHoldsAppendsBack(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir(), MaxBehind: 2, MaxWaiting: 10})
	release := blocked(t, j)
	var refused []string
	for n := 0; len(refused) < 3; n++ {
		name := fmt.Sprintf("try %d", n)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := j.Append(ctx, events(name), nil)
		cancel()
		switch {
		case err == nil || strings.Contains(err.Error(), "not known to be durable"):
		case cx.KindOf(err) == cx.Unavailable && strings.Contains(err.Error(), "the pipeline is behind, send it again later: nothing was written"):
			refused = append(refused, name)
		default:
			t.Fatalf("append: %v", err)
		}
	}
	if s, err := j.Stat(t.Context()); err != nil || s.Behind != 2 {
		t.Errorf("%d records behind, %v, want 2", s.Behind, err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := j.Append(context.Background(), events("waits"), nil)
		waited <- err
	}()
	ten := events("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	if _, err := j.Append(t.Context(), ten, nil); cx.KindOf(err) != cx.Unavailable || err.Error() != "append: the pipeline is behind, send it again later" {
		t.Errorf("more than may wait: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Append(gone, events("x"), nil); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("a caller that has gone: %v", err)
	}
	release()
	if err := <-waited; err != nil {
		t.Errorf("the append that waited: %v", err)
	}
	payloads, _ := stored(t, j)
	for _, name := range append(refused, "x", "0") {
		if slices.Contains(payloads, name) {
			t.Errorf("%q was refused and is stored", name)
		}
	}
	if !slices.Contains(payloads, "waits") {
		t.Errorf("stored %q, want the append that waited among them", payloads)
	}
}

// TestFollowerBehindInBytes bounds the memory of records not taken, not only
// their number.
func TestFollowerBehindInBytes(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir(), MaxBehind: 1000, MaxBehindBytes: 1 << 20})
	release := blocked(t, j)
	defer release()
	write := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := j.Append(ctx, events(strings.Repeat("x", 300_000)), nil)
		return err
	}
	for i := range 4 {
		if err := write(30 * time.Second); err != nil {
			t.Fatalf("record %d of 300 kB: %v", i+1, err)
		}
	}
	if err := write(500 * time.Millisecond); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("a fifth record of 300 kB ahead of the follower: %v", err)
	}
}

// TestLingerFillsRecords has producers append as fast as they can: once that is
// known, commits wait until all of them have.
func TestLingerFillsRecords(t *testing.T) {
	const producers, each = 20, 20
	j := open(t, journal.Options{Dir: t.TempDir(), Linger: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				if _, err := j.Append(context.Background(), events(fmt.Sprint(p, i)), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if last, _ := j.Last(); last > 2*each {
		t.Errorf("%d appends took %d records", producers*each, last)
	}
}

// TestLingerOnlyForCompany keeps appends from waiting that come alone.
func TestLingerOnlyForCompany(t *testing.T) {
	const linger = 2 * time.Millisecond
	for name, c := range map[string]struct {
		linger, every time.Duration
		appends       int
		want          time.Duration // of the last of 100 commits
	}{
		"two thousand a second": {linger, time.Millisecond, 2, 0},
		"ten thousand a second": {linger, time.Millisecond, 10, time.Millisecond},
		"no faster than wanted": {linger, 3 * time.Millisecond, 60, -time.Millisecond},
		"no linger":             {0, time.Millisecond, 100, 0},
	} {
		waits := journal.Waits(c.linger, c.every, c.appends, 100)
		if waits[0] != 0 || waits[99] != c.want {
			t.Errorf("%s: the first commit waits %v, the last %v, want 0 and %v", name, waits[0], waits[99], c.want)
		}
	}
}

// TestReleaseKeepsWhatIsNeeded walks through holds, open readers and the newest
// record.
func TestReleaseKeepsWhatIsNeeded(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	for i := range 20 {
		mustAppend(t, j, fmt.Sprint(i+1))
	}
	release := func(below, want uint64) {
		t.Helper()
		if n, err := j.Release(t.Context(), below); err != nil || n != want {
			t.Errorf("Release(%d) = %d, %v, want %d", below, n, err, want)
		}
	}
	j.Hold("warehouse", 5)
	j.Hold("checkpoint", 8)
	release(100, 4) // the warehouse needs 5
	release(100, 0)
	j.Hold("warehouse", 12)
	release(7, 2)
	j.Unhold("checkpoint")
	release(100, 5)
	err := j.Read(t.Context(), 12, 0, func(r *journal.Record) error {
		if r.Sequence == 12 {
			j.Unhold("warehouse")
			release(100, 0) // the reader is here
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	release(100, 8) // 12 to 19; the newest stays
	if payloads, _ := stored(t, j); !slices.Equal(payloads, []string{"20"}) {
		t.Errorf("stored %q, want the newest", payloads)
	}
	for _, from := range []uint64{1, 19} {
		if err := j.Read(t.Context(), from, 0, nil); cx.KindOf(err) != cx.NotFound {
			t.Errorf("read from %d: %v, want kind not_found", from, err)
		}
	}
	_, before := j.Last()
	mustClose(t, j)
	j = open(t, journal.Options{Dir: dir, Now: func() time.Time { return time.Unix(0, 0) }})
	if last, at := j.Last(); last != 20 || at != before {
		t.Errorf("after reopening the last record is %d at %v, want 20 at %v", last, at, before)
	}
	if at := mustAppend(t, j, "21"); at.Sequence() != 21 {
		t.Errorf("appended at %v", at)
	}
}

// TestReadersAndReleaseRunTogether reads from the oldest record again and again
// while others append and release. No reader ever misses a record.
func TestReadersAndReleaseRunTogether(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	mustAppend(t, j, "x")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, _ = j.Append(ctx, events("x"), nil)
			}
		})
	}
	released := uint64(0)
	wg.Go(func() {
		for ctx.Err() == nil {
			last, _ := j.Last()
			n, err := j.Release(ctx, last)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			released += n
		}
	})
	for range 3 {
		wg.Go(func() {
			defer stop()
			for range 30 {
				after := uint64(0)
				if err := j.Read(t.Context(), 0, 0, func(r *journal.Record) error {
					if after != 0 && r.Sequence != after+1 {
						return fmt.Errorf("record %d after %d", r.Sequence, after)
					}
					after = r.Sequence
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if released == 0 {
		t.Error("nothing was released")
	}
}

func ExampleJournal_Append() {
	dir, remove := exampleDir()
	defer remove()
	ctx := context.Background()
	j, err := journal.Open(ctx, journal.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer func() { _ = j.Close() }()

	at, err := j.Append(ctx, []cx.Entry{
		{Kind: cx.EntryEvent, Payload: []byte("shirt put into the cart")},
		{Kind: cx.EntryEvent, Payload: []byte("socks put into the cart")},
	}, nil)
	fmt.Println("durable from", at, err)

	err = j.Read(ctx, 0, 0, func(r *journal.Record) error {
		for i, e := range r.Entries {
			fmt.Printf("%v %s\n", cx.At(r.Sequence, i), e.Payload)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// durable from 1.0 <nil>
	// 1.0 shirt put into the cart
	// 1.1 socks put into the cart
	// <nil>
}
