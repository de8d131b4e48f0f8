package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpenSaysWhatIsWrong opens a data directory whose state is no database: the
// error names the file, and nothing stays open.
func TestOpenSaysWhatIsWrong(t *testing.T) {
	c, err := LoadConfig("", nil, map[string]string{"data": t.TempDir(), "listen": "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Data, "state.db"), []byte("this is no database, although it is long enough"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first attempt has let go of the journal
		if _, err := Open(t.Context(), c, Hooks{}); err == nil || !strings.Contains(err.Error(), "state.db") || strings.Contains(err.Error(), "another") {
			t.Errorf("open: %v", err)
		}
	}
}

// TestLagsSurviveAJumpingClock is behind for a minute while the wall clock says
// that it is a day, or that it has not even begun.
func TestLagsSurviveAJumpingClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lags
		want := func(what string, got, want time.Duration) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %v behind, want %v", what, got, want)
			}
		}
		want("not behind", l.lag("lanes", 1, false, time.Hour), 0)
		want("behind since now", l.lag("lanes", 1, true, 24*time.Hour), 0)
		time.Sleep(time.Minute)
		want("the clock is a day ahead", l.lag("lanes", 1, true, 24*time.Hour), time.Minute)
		want("by the clock", l.lag("lanes", 1, true, 10*time.Second), 10*time.Second)
		want("the clock is behind, and it stands still", l.lag("lanes", 1, true, -time.Hour), time.Minute)
		want("the clock is behind, and it moves", l.lag("lanes", 2, true, -time.Hour), 0)
		want("it has caught up", l.lag("lanes", 2, false, -time.Hour), 0)
		time.Sleep(time.Minute)
		want("behind again", l.lag("lanes", 2, true, -time.Hour), 0)
	})
}
