package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// open opens a journal that the test's end closes.
func open(tb testing.TB, o journal.Options) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, j) })
	return j
}

func mustClose(tb testing.TB, j *journal.Journal) {
	tb.Helper()
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

// events makes entries with the payloads given.
func events(payloads ...string) []cx.Entry {
	entries := make([]cx.Entry, len(payloads))
	for i, p := range payloads {
		entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: []byte(p)}
	}
	return entries
}

// noise is a text that does not compress: so many letters, the same for the same
// number.
func noise(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	random := rand.New(rand.NewPCG(uint64(n), 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

func mustAppend(tb testing.TB, j *journal.Journal, payloads ...string) cx.Position {
	tb.Helper()
	at, err := j.Append(tb.Context(), events(payloads...), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

// stored reads all payloads of a journal, keyed and ordered by position.
func stored(tb testing.TB, j *journal.Journal) (payloads []string, positions []cx.Position) {
	tb.Helper()
	err := j.Read(tb.Context(), 0, 0, func(r *journal.Record) error {
		for i, e := range r.Entries {
			payloads = append(payloads, string(e.Payload))
			positions = append(positions, cx.At(r.Sequence, i))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return payloads, positions
}

func TestAppendedIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	first := mustAppend(t, j, "a", "b")
	second := mustAppend(t, j, "c")
	mustClose(t, j)

	j = open(t, journal.Options{Dir: dir})
	payloads, positions := stored(t, j)
	if want := []string{"a", "b", "c"}; !slices.Equal(payloads, want) {
		t.Errorf("stored %q, want %q", payloads, want)
	}
	if want := []cx.Position{first, first + 1, second}; !slices.Equal(positions, want) {
		t.Errorf("at %v, want %v", positions, want)
	}
	if third := mustAppend(t, j, "d"); third.Sequence() != second.Sequence()+1 {
		t.Errorf("the append after reopening is at %v, after %v", third, second)
	}
}

func TestConcurrentAppendsKeepTheirOrderAndTellTheirPlace(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	const producers, rounds = 16, 40
	var mu sync.Mutex
	told := map[cx.Position]string{}
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(p)))
			for round := range rounds {
				payloads := make([]string, 1+random.IntN(20))
				for i := range payloads {
					payloads[i] = fmt.Sprintf("%d/%d/%d %0*d", p, round, i, random.IntN(2000), 0)
				}
				at, err := j.Append(t.Context(), events(payloads...), nil)
				if err != nil {
					t.Errorf("producer %d: %v", p, err)
					return
				}
				mu.Lock()
				for i, payload := range payloads {
					told[at+cx.Position(i)] = payload
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	payloads, positions := stored(t, j)
	if len(payloads) != len(told) {
		t.Fatalf("%d entries are stored, %d were acknowledged", len(payloads), len(told))
	}
	for i, at := range positions {
		if told[at] != payloads[i] {
			t.Fatalf("at %v is %.20q, the append was told %.20q", at, payloads[i], told[at])
		}
	}
}

// TestAppendLargerThanARecord spreads one append over several records and is
// acknowledged when the last of them is durable.
func TestAppendLargerThanARecord(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	entries := make([]cx.Entry, 1500)
	for i := range entries {
		entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: fmt.Appendf(nil, "%01000d", i)}
	}
	records := followLive(t, j)
	if _, err := j.Append(t.Context(), entries, "big"); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for n := 1; seen < len(entries); n++ {
		r := <-records
		size := len(journal.AppendRecord(nil, r))
		last := seen+len(r.Entries) == len(entries)
		if want := (journal.Tag{Count: len(r.Entries), More: !last, Value: "big"}); len(r.Tags) != 1 || r.Tags[0] != want {
			t.Errorf("record %d has tags %v, want %v", n, r.Tags, want)
		}
		if size > journal.MaxRecord || !last && size < journal.MaxRecord-1100 {
			t.Errorf("record %d has %d bytes of %d", n, size, journal.MaxRecord)
		}
		for i, e := range r.Entries {
			if want := fmt.Sprintf("%01000d", seen+i); string(e.Payload) != want {
				t.Fatalf("entry %d is not itself", seen+i)
			}
		}
		seen += len(r.Entries)
	}
	if payloads, _ := stored(t, j); len(payloads) < len(entries) || payloads[len(payloads)-1] != string(entries[len(entries)-1].Payload) {
		t.Errorf("%d entries are stored, want %d and more", len(payloads), len(entries))
	}
}

func TestAppendOfTheLargestEntry(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	largest := make([]byte, journal.MaxPayload+1)
	_, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryEvent, Payload: largest}}, nil)
	if cx.KindOf(err) != cx.Invalid {
		t.Errorf("one byte too many: %v, want kind invalid", err)
	}
	if _, err = j.Append(t.Context(), nil, nil); cx.KindOf(err) != cx.Invalid {
		t.Errorf("no entries: %v, want kind invalid", err)
	}
	largest = largest[1:]
	if _, err = j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryEvent, Payload: largest}}, nil); err != nil {
		t.Fatal(err)
	}
	if payloads, _ := stored(t, j); len(payloads) != 1 || payloads[0] != string(largest) {
		t.Error("the largest entry is not stored as it was")
	}
}

func TestMoreEntriesThanARecordTakes(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	ticks := make([]cx.Entry, cx.MaxEntries+10)
	for i := range ticks {
		ticks[i].Kind = cx.EntryTick
	}
	if _, err := j.Append(t.Context(), ticks, nil); err != nil {
		t.Fatal(err)
	}
	if _, positions := stored(t, j); len(positions) != len(ticks) {
		t.Errorf("%d entries are stored, want %d", len(positions), len(ticks))
	}
}

// TestLogTimeNeverGoesBack sets the clock back while the journal is open and
// again while it is closed.
func TestLogTimeNeverGoesBack(t *testing.T) {
	dir := t.TempDir()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	clock := noon
	o := journal.Options{Dir: dir, Now: func() time.Time { return clock }}
	j := open(t, o)
	mustAppend(t, j, "noon")
	clock = noon.Add(-time.Hour)
	mustAppend(t, j, "eleven")
	mustClose(t, j)
	clock = noon.Add(-2 * time.Hour)
	j = open(t, o)
	mustAppend(t, j, "ten")
	clock = noon.Add(time.Hour)
	mustAppend(t, j, "one")

	var times []time.Time
	if err := j.Read(t.Context(), 0, 0, func(r *journal.Record) error {
		times = append(times, r.Time.Time())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{noon, noon, noon, noon.Add(time.Hour)}; !slices.Equal(times, want) {
		t.Errorf("log times %v, want %v", times, want)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	if _, err := journal.Open(t.Context(), journal.Options{Dir: dir}); cx.KindOf(err) != cx.Conflict {
		t.Errorf("a second opening: %v, want kind conflict", err)
	}
	mustClose(t, j)
	open(t, journal.Options{Dir: dir})
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	j, err := journal.Open(t.Context(), journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- j.Follow(context.Background(), 0, func(*journal.Record) error { return nil }) }()
	mustAppend(t, j, "a")
	if payloads, _ := stored(t, j); len(payloads) != 1 {
		t.Errorf("stored %q", payloads)
	}
	mustClose(t, j)
	mustClose(t, j)
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		t.Errorf("the follower ends with %v, want ErrClosed", err)
	}
	if _, err := j.Append(t.Context(), events("b"), nil); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("an append after closing: %v, want ErrClosed", err)
	}
}

// TestCloseCommitsWhatIsWaiting closes in the middle of many appends: each is
// either acknowledged and stored, or refused and not stored.
func TestCloseCommitsWhatIsWaiting(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	var mu sync.Mutex
	var acked []string
	var wg sync.WaitGroup
	for p := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d/%d", p, i)
				if _, err := j.Append(context.Background(), events(name), nil); err != nil {
					if !errors.Is(err, journal.ErrClosed) {
						t.Errorf("append: %v, want ErrClosed", err)
					}
					return
				}
				mu.Lock()
				acked = append(acked, name)
				if len(acked) == 500 {
					wg.Go(func() { mustClose(t, j) })
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	payloads, _ := stored(t, open(t, journal.Options{Dir: dir}))
	slices.Sort(payloads)
	slices.Sort(acked)
	if !slices.Equal(payloads, acked) {
		t.Errorf("%d entries are stored, %d were acknowledged", len(payloads), len(acked))
	}
}

func TestStat(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	j := open(t, journal.Options{Dir: t.TempDir(), Now: func() time.Time { return noon }})
	for range 3 {
		mustAppend(t, j, "x")
	}
	s, err := j.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.First != 1 || s.Last != 3 || s.Time != cx.InstantOf(noon) || s.Opens != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if s.Bytes < 3*35 || s.Bytes > 3*200 || s.Free == 0 {
		t.Errorf("%d bytes stored, %d free", s.Bytes, s.Free)
	}
	if last, at := j.Last(); last != 3 || at != cx.InstantOf(noon) {
		t.Errorf("the last record is %d at %v", last, at)
	}
}

func TestOpenNeedsADirectory(t *testing.T) {
	if _, err := journal.Open(t.Context(), journal.Options{}); cx.KindOf(err) != cx.Invalid {
		t.Errorf("no directory: %v, want kind invalid", err)
	}
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	mustAppend(t, open(t, journal.Options{Dir: dir}), "a")
}
