package pipeline_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// A machine over a journal that is archived and trimmed as it grows, and machines
// that compute everything again from what is left, from the beginning or from a
// kept checkpoint, end in the state of one that saw a journal never trimmed.
func TestArchiveIsAsGoodAsTheJournal(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	copied := &wall{at: clock.at}
	never := openJournal(t, filepath.Join(dir, "never-trimmed"), copied)
	past, err := archive.Open(archive.Options{Dir: filepath.Join(dir, "archive"), FileBytes: 50_000})
	if err != nil {
		t.Fatal(err)
	}
	whole := &archive.Log{Archive: past, Journal: j}
	path, trimmed := filepath.Join(dir, "state.db"), new(shelf)
	var got pipeline.Fingerprint
	for round := range uint64(5) {
		visits(t, j, clock, 30+round, 800)
		if round > 2 {
			afterwards(t, j, clock)
		}
		got = run(t, archive.Live{Log: whole}, path, trimmed, pipeline.Options{Workers: 2, CheckpointEvery: time.Millisecond})
		copyRecords(t, j, never, copied)
		trim(t, past, j, path, round == 2)
	}
	if st, err := j.Stat(t.Context()); err != nil || st.First < st.Last/2 || len(past.Files()) < 4 || len(past.Checkpoints()) != 1 {
		t.Fatalf("the journal begins at %d, there are %d archived files and %d kept checkpoints: too little to prove anything (%v)",
			st.First, len(past.Files()), len(past.Checkpoints()), err)
	}
	plain := new(shelf)
	want := run(t, never, filepath.Join(dir, "never.db"), plain, pipeline.Options{Workers: 1, CheckpointEvery: time.Hour})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the machine over the trimmed journal has another state (-never trimmed +trimmed):\n%s", diff)
	}
	if diff := cmp.Diff(plain.decisions(), trimmed.decisions()); diff != "" {
		t.Errorf("other decisions (-never trimmed +trimmed):\n%s", diff)
	}

	again := new(shelf)
	end := run(t, whole, filepath.Join(dir, "again.db"), again, pipeline.Options{Workers: 3})
	if diff := cmp.Diff(want, end); diff != "" {
		t.Errorf("computed from the archive's beginning the state differs (-never trimmed +again):\n%s", diff)
	}
	if diff := cmp.Diff(plain.decisions(), again.decisions()); diff != "" {
		t.Errorf("computed from the archive's beginning decisions differ (-never trimmed +again):\n%s", diff)
	}

	kept := past.Checkpoints()[0]
	from := filepath.Join(dir, "kept.db")
	if err := past.Restore(kept, from); err != nil {
		t.Fatal(err)
	}
	end = run(t, whole, from, &shelf{upto: kept.Position}, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour, CutAt: cx.At(end.Position.Sequence(), 0)})
	if diff := cmp.Diff(want, end); diff != "" {
		t.Errorf("computed from the kept checkpoint the state differs (-never trimmed +kept):\n%s", diff)
	}
	if at := saved(t, from); at != want.Position {
		t.Errorf("the last checkpoint is at %v, want it at the tick at %v", at, want.Position)
	}
}

// trim archives what the checkpoint at path does not need, and releases it; before,
// it keeps the checkpoint if it is to.
func trim(t *testing.T, past *archive.Archive, j *journal.Journal, path string, keep bool) {
	t.Helper()
	sealed := saved(t, path).Sequence()
	if _, err := past.Add(t.Context(), j, sealed-1, archive.Hurried); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Release(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	if !keep {
		return
	}
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if _, err := past.Keep(t.Context(), 0, state.Copy); err != nil {
		t.Fatal(err)
	}
}

// saved returns where the last checkpoint of a state file is.
func saved(t *testing.T, path string) cx.Position {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	r, err := state.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Position
}

// copyRecords appends to one journal what another has and it has not, record by
// record and at the same log times.
func copyRecords(t *testing.T, from, to *journal.Journal, clock *wall) {
	t.Helper()
	last, _ := to.Last()
	err := from.Read(t.Context(), last+1, 0, func(r *journal.Record) error {
		clock.pass(r.Time.Time().Sub(clock.now()))
		_, err := to.Append(t.Context(), r.Entries, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
