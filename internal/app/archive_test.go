package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
)

// TestTrimming lets the journal drop records when the disk is scarce, but none
// that are not archived, and none when it is not.
func TestTrimming(t *testing.T) {
	c, err := LoadConfig("", nil, map[string]string{"data": t.TempDir(), "listen": "127.0.0.1:0", "journal.reserve_mb": "0"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), c, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	machine, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.shard.Run(machine) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i := range 50 {
		ev := cx.Event{Workspace: "shop", Type: cx.Track, Name: "Seen", MessageID: fmt.Sprint(i), AnonymousID: "a", ReceivedAt: now()}
		if _, err := a.journal.Append(t.Context(), []cx.Entry{{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.shard.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	trimmed := func(what string, wanted bool) {
		t.Helper()
		before, err := a.journal.Stat(ctx)
		if err == nil {
			err = a.trimJournal(ctx)
		}
		after, err2 := a.journal.Stat(ctx)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if got := after.First > before.First; got != wanted || after.First > max(a.archive.Last(), before.First)+1 {
			t.Errorf("%s: it begins at %d after %d, and %d is archived", what, after.First, before.First, a.archive.Last())
		}
	}
	a.config.ArchiveEveryMB = 1 << 30
	trimmed("a scarce disk, nothing archived", false)
	if err := a.archiveSealed(ctx, archive.Hurried); err != nil {
		t.Fatal(err)
	}
	trimmed("a scarce disk", true)
	trimmed("a scarce disk still", true)
	a.config.ArchiveEveryMB = 0
	trimmed("an ordinary disk", false)
	a.config.JournalMaxMB = 0
	trimmed("a journal without limit", false)
}
