package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// openRecords makes a log of n records of two events each, the first half of it
// archived and released: one of workspace "shop", or at some records of "rare",
// and one of "shop". A tick stands at the end of record ticked.
func openRecords(t *testing.T, n, ticked int, rare map[int]bool) *archive.Log {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: t.TempDir(), ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	a, err := archive.Open(archive.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		var entries []cx.Entry
		for k := range 2 {
			ev := cx.Event{Workspace: "shop", Type: cx.Track, Name: "Seen", MessageID: fmt.Sprintf("m-%d-%d", i, k), ReceivedAt: cx.Instant(i), Properties: []byte(`{}`)}
			if k == 0 && rare[i] {
				ev.Workspace = "rare"
			}
			entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
		}
		if i == ticked {
			entries = append(entries, cx.Entry{Kind: cx.EntryTick})
		}
		if _, err := j.Append(t.Context(), entries, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Add(t.Context(), j, uint64(n/2), archive.Hurried); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Release(t.Context(), uint64(n/2)); err != nil {
		t.Fatal(err)
	}
	return &archive.Log{Archive: a, Journal: j}
}

func TestLastTick(t *testing.T) {
	for _, c := range []struct{ records, tick int }{{0, 0}, {1, 0}, {1, 1}, {300, 0}, {300, 1}, {300, 300}, {600, 340}} {
		want := cx.Position(0)
		if c.tick > 0 {
			want = cx.At(uint64(c.tick), 2)
		}
		if at, err := lastTick(t.Context(), openRecords(t, c.records, c.tick, nil)); at != want || err != nil {
			t.Errorf("of %d records, of which %d has the tick: %v, %v", c.records, c.tick, at, err)
		}
	}
}

func TestNewest(t *testing.T) {
	rare := map[int]bool{2: true, 90: true, 140: true, 200: true}
	book := &Logbook{log: openRecords(t, 400, 400, rare)}
	for _, c := range []struct {
		w    cx.Workspace
		n    int
		want []string
	}{
		{"shop", 1, []string{"400.1"}},
		{access.Everywhere, 4, []string{"399.1", "400.0", "400.1", "400.2"}},
		{"rare", 1, []string{"200.0"}},
		{"rare", 3, []string{"90.0", "140.0", "200.0"}},
		{"rare", 1000, []string{"2.0", "90.0", "140.0", "200.0"}},
		{"nobody", 5, nil},
	} {
		got, err := book.Newest(t.Context(), api.EntriesAsked{Workspace: c.w, Limit: c.n})
		if err != nil {
			t.Fatal(err)
		}
		if text := positions(got.Entries); text != fmt.Sprint(c.want) {
			t.Errorf("the newest %d of %s: %s, want %s", c.n, c.w, text, c.want)
		}
	}
	if all, err := book.Newest(t.Context(), api.EntriesAsked{Workspace: access.Everywhere, Limit: 5000}); err != nil || len(all.Entries) != 801 {
		t.Errorf("%d entries in all, %v", len(all.Entries), err)
	}
}

func positions(entries []api.LogEntry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Position)
	}
	return fmt.Sprint(out)
}

// TestEntriesLeadOn reads all of a log page by page, and then what comes.
func TestEntriesLeadOn(t *testing.T) {
	l := openRecords(t, 100, 100, map[int]bool{7: true, 60: true})
	book := &Logbook{log: l}
	pages := func(w cx.Workspace, limit int) (seen int, after cx.Position) {
		last := cx.Position(0)
		for {
			page, err := book.Entries(t.Context(), api.EntriesAsked{Workspace: w, After: after, Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			next, ok := cx.ParsePosition(page.Next)
			if !ok || next < after {
				t.Fatalf("after %v it leads on to %q", after, page.Next)
			}
			for _, e := range page.Entries {
				at, _ := cx.ParsePosition(e.Position)
				if at <= last {
					t.Fatalf("%v comes after %v", at, last)
				}
				last, seen = at, seen+1
			}
			if next == after {
				return seen, after
			}
			after = next
		}
	}
	if n, _ := pages("rare", 1); n != 2 {
		t.Errorf("%d entries of rare", n)
	}
	n, end := pages(access.Everywhere, 7)
	if n != 201 {
		t.Errorf("%d entries of all", n)
	}
	came := make(chan api.LogEntries)
	go func() {
		page, err := book.Entries(t.Context(), api.EntriesAsked{Workspace: access.Everywhere, After: end, Limit: 10, Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		came <- page
	}()
	if _, err := l.Append(t.Context(), []cx.Entry{{Kind: cx.EntryTick}}, nil); err != nil {
		t.Fatal(err)
	}
	if page := <-came; positions(page.Entries) != "[101.0]" || page.Entries[0].Kind != "tick" {
		t.Errorf("what came: %+v", page)
	}
	if page, err := book.Entries(t.Context(), api.EntriesAsked{Workspace: access.Everywhere, After: cx.At(101, cx.MaxEntries-1), Limit: 10, Wait: time.Millisecond}); err != nil || len(page.Entries) != 0 {
		t.Errorf("nothing came: %+v, %v", page, err)
	}
}
