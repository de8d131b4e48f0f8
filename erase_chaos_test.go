package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/fault"
)

// The moments inside an erasure at which the program is killed: between the stores,
// between a command and the note of it, inside a file of the archive, between
// archive and journal, while files are replaced.
var erasingMoments = []string{
	"erase.begun:1", "erase.commanded:1", "erase.saved:1", "erase.unsent:1", "erase.after:1",
	"blank.begun:1", "archive.rewriting:1", "blank.inside:1", "blank.inside:2", "archive.rewriting:3", "blank.after:1",
	"renew.before:1", "renew.inside:1", "renew.after:1", "blank.released:1",
	"warehouse.renewed:1",
}

// Wherever the program is killed, at the next start the erasure goes on and ends:
// no byte is left, and the log computes the same state.
func TestErasingGoesOnAfterAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs are not short")
	}
	for _, moment := range erasingMoments {
		t.Run(moment, func(t *testing.T) { eraseWithAKill(t, moment) })
	}
}

func eraseWithAKill(t *testing.T, moment string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	server := serveFaulty(t, data, moment)
	admin := server.key
	releaseCommand(t, server.address, admin, "workspace", "create", "shop")
	releaseCommand(t, server.address, admin, "key", "create", "browser", "--workspace", "shop", "--text", "web-key")
	for n := range 4 { // a file of the archive for each
		arrive(t, server.address)
		makeNoise(t, server.address, n)
		releaseCommand(t, server.address, admin, "journal", "archive")
	}
	command, err := ourselves("erase", "--anonymous", "leaving-device", "--workspace", "shop", "--yes")
	if err != nil {
		t.Fatal(err)
	}
	command.Env = append(command.Env, "KIKUBARI_SERVER="+server.address, "KIKUBARI_KEY="+admin)
	if out, err := command.CombinedOutput(); err != nil {
		t.Logf("the command: %v %s", err, out)
	}
	if !server.awaitEnd(30 * time.Second) {
		t.Fatalf("the moment did not come\n%s", server.log)
	}
	server = serveFaulty(t, data, "")
	receipt := receiptID.FindString(releaseCommand(t, server.address, admin, "erasures", "--workspace", "shop"))
	awaitClean(t, server, admin, receipt)
	if found := find(t, data, "leaving-"); len(found) > 0 {
		t.Errorf("something is left in %v", found)
	}
	if !server.end(syscall.SIGTERM) {
		t.Error("the server does not stop")
	}
	verifyLog(t, data)
	if all, err := filepath.Glob(filepath.Join(data, "*", "*.tmp")); err != nil || len(all) > 0 {
		t.Errorf("half-written files are left: %v (%v)", all, err)
	}
}

// serveFaulty starts the chaos build on a data directory.
func serveFaulty(t *testing.T, data, moment string) *instance {
	t.Helper()
	command, err := faulty("serve", "--data", data, "--listen", "127.0.0.1:0", "--set", "erase.within=0s")
	if err != nil {
		t.Fatal(err)
	}
	command.Env = append(os.Environ(), fault.Variable+"="+moment)
	server, err := launch(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.end(syscall.SIGKILL) })
	if err := server.awaitReady(30 * time.Second); err != nil && !strings.Contains(err.Error(), errEnded.Error()) {
		t.Fatal(err)
	}
	return server
}
