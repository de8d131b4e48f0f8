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
	dir, acked := t.TempDir(), acks{}
	for _, pass := range []int{1, 2, 17, 60, 203} {
		for _, point := range []string{"append.before", "append.after"} {
			spot := fmt.Sprintf("%s:%d", point, pass)
			c := child(t, "append", dir, spot, fault.Variable+"="+spot)
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
