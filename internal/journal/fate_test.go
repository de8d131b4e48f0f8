package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// TestRecordOfUnknownFateIsFollowed loses an acknowledgement: the record is
// stored and nobody was told. After the engine has been opened anew the
// follower gets it, once and in its place, without a tag.
func TestRecordOfUnknownFateIsFollowed(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	records := followLive(t, j)
	before, _ := j.Last()
	journal.StoreUnacknowledged(j, "in doubt")
	journal.CrashEngine(j)
	if _, err := j.Append(t.Context(), events("refused"), nil); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("append to a dead engine: %v, want kind unavailable", err)
	}
	doubt := <-records
	if doubt.Sequence != before+1 || string(doubt.Entries[0].Payload) != "in doubt" || doubt.Tags != nil {
		t.Errorf("the follower got %+v", doubt)
	}
	at := mustAppend(t, j, "next")
	next := <-records
	if at.Sequence() != before+2 || next.Sequence != before+2 || next.Previous != before+1 || string(next.Entries[0].Payload) != "next" {
		t.Errorf("appended at %v, followed %+v", at, next)
	}
}

// TestStorageThatCannotBeOpened takes the storage's directory away after a fault:
// appends are refused at once and in words, not kept waiting, and are taken again
// when the directory is back.
func TestStorageThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	mustAppend(t, j, "first")
	store, aside := filepath.Join(dir, "stream"), filepath.Join(dir, "aside")
	journal.CrashEngine(j)
	if err := os.Rename(store, aside); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), events("notices"), nil); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("append to a dead engine: %v", err)
	}
	eventually(t, func() bool {
		_, err := j.Append(t.Context(), events("refused"), nil)
		return cx.KindOf(err) == cx.Unavailable && strings.Contains(err.Error(), "cannot be opened again yet") && strings.Contains(err.Error(), "not a directory")
	})
	if err := j.Trouble(); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("the journal says of itself: %v", err)
	}
	if err := os.Remove(store); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, store); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return j.Trouble() == nil })
	mustAppend(t, j, "last")
	if payloads, _ := stored(t, j); fmt.Sprint(payloads) != "[first last]" || j.Opens() != 2 {
		t.Errorf("stored %q after %d openings", payloads, j.Opens())
	}
}

// eventually waits until something is true.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not become true")
		}
	}
}

// TestDeadlineDuringTheCommit lets a caller's time run out while its record is
// being written. The answer says that the outcome is not known, and the record
// may well be there.
func TestDeadlineDuringTheCommit(t *testing.T) {
	var armed atomic.Bool
	var asked atomic.Int32
	reached, let := make(chan struct{}), make(chan struct{})
	j := open(t, journal.Options{Dir: t.TempDir(), Now: func() time.Time {
		// The committer asks first for the disk, then for the record's time.
		if armed.Load() && asked.Add(1) == 2 {
			close(reached)
			<-let
		}
		return time.Now()
	}})
	mustAppend(t, j, "first")
	armed.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := j.Append(ctx, events("slow"), nil)
		answer <- err
	}()
	<-reached
	cancel()
	err := <-answer
	if cx.KindOf(err) != cx.Unavailable || !strings.Contains(err.Error(), "not known to be durable") || !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	close(let)
	mustAppend(t, j, "last")
	if payloads, _ := stored(t, j); fmt.Sprint(payloads) != "[first slow last]" {
		t.Errorf("stored %q", payloads)
	}
}

// TestReaderSurvivesAReopening replaces the engine under a reader.
func TestReaderSurvivesAReopening(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	const records = 60
	for range records {
		mustAppend(t, j, noise(50_000))
	}
	want := uint64(1)
	err := j.Read(t.Context(), 0, 0, func(r *journal.Record) error {
		if r.Sequence != want {
			return fmt.Errorf("record %d, want %d", r.Sequence, want)
		}
		if want++; r.Sequence == 3 {
			journal.CrashEngine(j)
			if _, err := j.Append(t.Context(), events("wakes the committer"), nil); err == nil {
				return errors.New("a dead engine takes an append")
			}
		}
		return nil
	})
	if err != nil || want != records+1 {
		t.Errorf("read up to %d: %v", want-1, err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	for range 5 {
		mustAppend(t, j, "x")
	}
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := 0
	err := j.Read(ctx, 0, 0, func(*journal.Record) error {
		if calls++; calls == 2 {
			cancel(stop)
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 2 {
		t.Errorf("after %d records: %v", calls, err)
	}
}
