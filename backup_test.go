package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/app"
	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/journal"
)

// installed makes the trial's data directory and returns the installation's
// admin key, which the demo does not say.
func (c *trial) installed() (key string) {
	c.t.Helper()
	server, err := launch(c.command("serve", ""))
	if err != nil {
		c.t.Fatal(err)
	}
	if !server.end(syscall.SIGTERM) || server.key == "" {
		c.t.Fatalf("no first start:\n%s", server.log)
	}
	return server.key
}

// kikubari runs a command with the trial's program, against its server.
func (c *trial) kikubari(key string, args ...string) (string, error) {
	command := exec.CommandContext(c.t.Context(), c.binary, args...)
	command.Env = append(os.Environ(), "KIKUBARI_SERVER="+*c.address.Load(), "KIKUBARI_KEY="+key)
	out, err := command.CombinedOutput()
	return string(out), err
}

// records reads every record of a data directory up to a sequence.
func records(t *testing.T, data string, upto uint64) (out []*journal.Record) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	a, err := archive.Open(archive.Options{Dir: filepath.Join(data, "archive")})
	if err != nil {
		t.Fatal(err)
	}
	l := &archive.Log{Archive: a, Journal: j}
	err = l.Read(t.Context(), 0, upto, func(r *journal.Record) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A backup that is made under load has everything that was acknowledged before it
// began, and the very records of the original; the program goes on from it. A
// program that is killed while it makes a backup has lost nothing, and what it
// wrote is no backup.
func TestBackupUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("six starts under load are not short")
	}
	c := newTrial(t)
	c.settings = append(c.settings, "archive.every=500ms", "archive.every_mb=1")
	admin := c.installed()
	c.start("")
	unload := c.load(11, 8)
	defer unload()
	c.awaitAcked(2000, time.Minute)
	c.mu.Lock()
	before := append([]string(nil), c.ids...)
	c.mu.Unlock()
	dir := filepath.Join(t.TempDir(), "copy")
	out, err := c.kikubari(admin, "backup", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.awaitAcked(200, time.Minute)
	for _, fault := range []string{"backup.inside:1", "backup.between:1", "backup.between:3", "backup.between:4", "backup.between:5"} {
		c.server.end(syscall.SIGKILL)
		c.start(fault)
		c.awaitAcked(100, time.Minute)
		torn := filepath.Join(t.TempDir(), "torn")
		if out, err := c.kikubari(admin, "backup", torn); err == nil {
			t.Fatalf("%s: a backup was made by a program that died: %s", fault, out)
		}
		if !c.awaitDeath(30 * time.Second) {
			t.Fatalf("%s did not come", fault)
		}
		if out, err := c.kikubari(admin, "backup", "verify", torn); err == nil || !strings.Contains(out, "never finished") {
			t.Errorf("%s: what is left is taken for a backup: %v %s", fault, err, out)
		}
	}
	c.start("")
	c.conclude(unload)

	m, err := app.VerifyBackup(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	original := c.data
	c.data = filepath.Join(t.TempDir(), "restored")
	if _, err := app.Restore(t.Context(), app.Config{Data: c.data}, dir, nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	is := records(t, c.data, 0)
	if diff := cmp.Diff(records(t, original, m.Journal.Last), is, cmpopts.IgnoreFields(journal.Record{}, "Tags")); diff != "" {
		t.Errorf("other records (-original +restored): %.2000s", diff)
	}
	if last := is[len(is)-1].Sequence; last != m.Journal.Last {
		t.Errorf("the restored journal ends at %d, the backup at %d", last, m.Journal.Last)
	}
	c.decided = nil // by the original, and behind the backup too
	c.verifyReplay("2")
	c.start("")
	rows := c.query("select count(*), count(distinct message_id) from events where message_id in ('" + strings.Join(before, "','") + "')")
	if fmt.Sprint(rows) != fmt.Sprintf("[[%d %d]]", len(before), len(before)) {
		t.Errorf("%d events were acknowledged before the backup; restored are (all, distinct) %v", len(before), rows)
	}
	unload = c.load(12, 4)
	defer unload()
	c.awaitAcked(500, time.Minute)
	unload()
	c.stop()
	c.decided = nil
	c.verifyReplay("2")
}
