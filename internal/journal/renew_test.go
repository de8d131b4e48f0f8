package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// Once its files are written anew nothing of what was released is in them, however
// little there is; everything else is where it was, and the journal goes on. What is
// appended, read and followed meanwhile is not lost.
func TestRenewedFilesHoldNothingReleased(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir, MaxBytes: 64 << 20})
	const secret = "hana-was-here"
	below := mustAppend(t, j, secret).Sequence() + 1
	for i := range 100 {
		mustAppend(t, j, fmt.Sprint("before ", i))
	}
	if _, err := j.Release(t.Context(), below); err != nil {
		t.Fatal(err)
	}
	if left, err := j.Remains(below); err != nil || left == 0 {
		t.Fatalf("released records are gone at once: nothing has to be written anew (%d, %v)", left, err)
	}
	before, where := stored(t, j)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var followed, readOn []string
	var wg sync.WaitGroup
	take := func(to *[]string) func(r *journal.Record) error {
		return func(r *journal.Record) error {
			for _, e := range r.Entries {
				*to = append(*to, string(e.Payload))
				if string(e.Payload) == "the end" {
					return errEnd
				}
			}
			return nil
		}
	}
	wg.Go(func() {
		if err := j.Follow(ctx, 0, take(&followed)); !errors.Is(err, errEnd) {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := j.ReadOn(ctx, 0, take(&readOn)); !errors.Is(err, errEnd) {
			t.Error(err)
		}
	})
	busy, rest := context.WithCancel(t.Context())
	defer rest()
	acked := make(chan string, 100_000)
	wg.Go(func() {
		for i := 0; busy.Err() == nil; i++ {
			payload := fmt.Sprint("meanwhile ", i)
			if _, err := j.Append(context.WithoutCancel(busy), events(payload), nil); err != nil {
				t.Error(err)
				return
			}
			acked <- payload
		}
	})
	for range 3 {
		within, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := j.Renew(within); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	rest()
	mustAppend(t, j, "the end")
	wg.Wait()
	close(acked)

	if left, err := j.Remains(below); err != nil || left > 0 {
		t.Errorf("%d bytes are left, %v", left, err)
	}
	if found := filesWith(t, dir, secret); len(found) > 0 {
		t.Errorf("it is left in %v", found)
	}
	want := before
	for payload := range acked {
		want = append(want, payload)
	}
	want = append(want, "the end")
	after, at := stored(t, j)
	if !slices.Equal(after, want) || !slices.Equal(at[:len(where)], where) {
		t.Errorf("%d entries are stored, want %d, or they are elsewhere", len(after), len(want))
	}
	if !slices.Equal(followed, want) || !slices.Equal(readOn, want) {
		t.Errorf("%d entries were followed and %d read on, want %d", len(followed), len(readOn), len(want))
	}
	if s, err := j.Stat(t.Context()); err != nil || s.Opens != 1 {
		t.Errorf("writing anew counts as a fault: %+v, %v", s, err)
	}
}

var errEnd = errors.New("the end")

// filesWith lists the files below dir that hold a text.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A journal that holds much is not written anew: appends would wait too long.
func TestALargeJournalIsNotRenewed(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	for range 45 {
		mustAppend(t, j, noise(400_000))
	}
	if err := j.Renew(t.Context()); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("it answers %v", err)
	}
	mustAppend(t, j, "it goes on")
}

// Wherever a crash ends a renewal, the journal opens with the records it had.
func TestRenewalIsSettledAtAnOpening(t *testing.T) {
	type dirs = map[string]string // name: what is in it
	for name, left := range map[string]dirs{
		"while new files were written":            {"stream": "whole", "stream.new": "half"},
		"when the old ones stood aside":           {"stream.old": "whole", "stream.new": "whole"},
		"before the old ones were gone":           {"stream": "whole", "stream.old": "whole"},
		"while the old ones were being taken out": {"stream": "whole", "stream.old": "half"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, journal.Options{Dir: dir})
			mustAppend(t, j, "one")
			mustAppend(t, j, "two")
			mustClose(t, j)
			whole := filepath.Join(dir, "whole")
			if err := os.Rename(filepath.Join(dir, "stream"), whole); err != nil {
				t.Fatal(err)
			}
			for to, what := range left {
				to = filepath.Join(dir, to)
				err := os.CopyFS(to, os.DirFS(whole))
				if what == "half" {
					err = errors.Join(err, os.RemoveAll(filepath.Join(to, "jetstream", "$G", "streams", "JOURNAL", "msgs")))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			j = open(t, journal.Options{Dir: dir})
			if got, _ := stored(t, j); !slices.Equal(got, []string{"one", "two"}) {
				t.Errorf("it holds %q", got)
			}
			for _, name := range []string{"stream.new", "stream.old"} {
				if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is still there (%v)", name, err)
				}
			}
		})
	}
}
