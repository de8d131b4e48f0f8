//go:build chaos

package journal_test

import (
	"bufio"
	"fmt"
	"syscall"
	"testing"

	"github.com/kikubari/kikubari/internal/fault"
)

// TestKilledAroundTheCommit ends the process right before and right after a
// record is made durable, five times each, on the same journal.
func TestKilledAroundTheCommit(t *testing.T) {
	killedAt(t, "append", []string{"append.before", "append.after"}, 1, 2, 17, 60, 203)
}

// TestKilledWhileRenewing does the same at every step of writing the files anew.
func TestKilledWhileRenewing(t *testing.T) {
	killedAt(t, "renew", []string{"renew.before", "renew.inside", "renew.after"}, 1, 2, 3)
}

func killedAt(t *testing.T, task string, points []string, passes ...int) {
	t.Helper()
	dir, acked := t.TempDir(), acks{}
	for _, pass := range passes {
		for _, point := range points {
			spot := fmt.Sprintf("%s:%d", point, pass)
			c := child(t, task, dir, spot, fault.Variable+"="+spot)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if err := acked.read(bufio.NewScanner(out), 0, nil); err != nil {
				t.Fatal(err)
			}
			err = c.Wait()
			if c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("%s: the child ended with %v, want it killed", spot, err)
			}
			checkStored(t, dir, acked)
		}
	}
	t.Logf("%d entries were acknowledged", len(acked))
}
