package journal_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// A restored journal holds the same records under the same sequences, goes on
// behind them, and takes the same releases. What was missing stays missing.
func TestRestore(t *testing.T) {
	event := func(s string) []cx.Entry { return []cx.Entry{{Kind: cx.EntryEvent, Payload: []byte(s)}} }
	records := []*journal.Record{
		{Sequence: 41, Previous: 40, Time: 1000, Entries: event("a")},
		{Sequence: 42, Previous: 41, Time: 1000, Entries: append(event("b"), cx.Entry{Kind: cx.EntryTick})},
		{Sequence: 45, Previous: 42, Time: 2000, Entries: event(string(make([]byte, 20_000)))},
		{Sequence: 46, Previous: 45, Time: 3000, Entries: event("d")},
	}
	o := journal.Options{Dir: filepath.Join(t.TempDir(), "journal"), ReserveBytes: -1}
	each := func(put func(*journal.Record) error) error {
		for _, r := range records {
			if err := put(r); err != nil {
				return err
			}
		}
		return nil
	}
	if err := journal.Restore(t.Context(), o, each); err != nil {
		t.Fatal(err)
	}
	if err := journal.Restore(t.Context(), o, each); cx.KindOf(err) != cx.Conflict {
		t.Errorf("restored over a journal: %v", err)
	}
	for round := range 2 {
		j, err := journal.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []*journal.Record
		if err := j.Read(t.Context(), 0, 46, func(r *journal.Record) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(records, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", round, diff)
		}
		at, err := j.Append(t.Context(), event("more"), nil)
		if want := cx.At(47+uint64(round), 0); err != nil || at != want {
			t.Errorf("appended at %v, want %v (%v)", at, want, err)
		}
		if round == 1 {
			if n, err := j.Release(t.Context(), 45); err != nil || n != 4 {
				t.Errorf("released %d (%v)", n, err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
