package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// victim names the file that a child process writes until it is killed.
const victim = "KIKUBARI_TEST_STATE"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		if err := writeUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const crashPeople = 3_000

// writeUntilKilled commits checkpoints in which everything carries the
// checkpoint's number, and prints the number after each.
func writeUntilKilled(path string) error {
	s, err := OpenState(ctx, StateOptions{Path: path})
	if err != nil {
		return err
	}
	r, err := s.Recover(ctx)
	if err != nil {
		return err
	}
	for at := r.Position; ; at++ {
		if err := s.Checkpoint(ctx, numbered(r.Epoch, at)); err != nil {
			return err
		}
		fmt.Println(uint64(at + 1))
	}
}

func numbered(epoch uint64, previous cx.Position) *pipeline.Checkpoint {
	n := binary.BigEndian.AppendUint64(make([]byte, 0, 500), uint64(previous+1))
	c := &pipeline.Checkpoint{Epoch: epoch, Previous: previous, Position: previous + 1, Shared: n}
	for id := range cx.CustomerID(crashPeople) {
		c.Customers = append(c.Customers, pipeline.CustomerRow{ID: id << 50, Workspace: "demo", Due: cx.Instant(previous + 1), Blob: n[:500]})
	}
	for i := range 50 {
		c.Identities = append(c.Identities, pipeline.IdentityRow{
			Workspace: "demo", Customer: cx.CustomerID(i), Identity: cx.Identity{Namespace: cx.Mail, Value: fmt.Sprint(i), Since: cx.Instant(previous + 1)},
		})
	}
	return c
}

func TestKilledAtAnyMoment(t *testing.T) {
	const rounds = 6
	path := filepath.Join(t.TempDir(), "state.db")
	last := uint64(0)
	for round := range rounds {
		acked := runUntilKilled(t, path, time.Duration(150+round*37)*time.Millisecond)
		if acked <= last {
			t.Fatalf("round %d: no checkpoint after %d was committed before the kill", round, last)
		}
		last = check(t, path, acked)
	}
}

// runUntilKilled lets a child write for d after its first success and returns the last number it
// said was committed.
func runUntilKilled(t *testing.T, path string, d time.Duration) (acked uint64) {
	t.Helper()
	killed, kill := context.WithCancel(ctx)
	defer kill()
	cmd := exec.CommandContext(killed, os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+path)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			continue
		}
		if acked == 0 {
			defer time.AfterFunc(d, kill).Stop()
		}
		acked = n
	}
	if err := cmd.Wait(); killed.Err() == nil {
		t.Fatalf("the child ended by itself: %v: %s", err, &problems)
	}
	return acked
}

// check opens what the child left: the last acknowledged checkpoint or the one
// after it, whole.
func check(t *testing.T, path string, acked uint64) uint64 {
	t.Helper()
	s, err := OpenState(ctx, StateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.Recover(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(r.Position)
	if n != acked && n != acked+1 {
		t.Errorf("recovered to checkpoint %d, %d was acknowledged", n, acked)
	}
	if len(r.Shared) != 8 || binary.BigEndian.Uint64(r.Shared) != n {
		t.Errorf("shared state %x at checkpoint %d", r.Shared, n)
	}
	people := 0
	whole := func(_ cx.CustomerID, blob []byte) error {
		if people++; binary.BigEndian.Uint64(blob) != n {
			return fmt.Errorf("a customer of checkpoint %d in checkpoint %d", binary.BigEndian.Uint64(blob), n)
		}
		return nil
	}
	links := 0
	linked := func(r pipeline.IdentityRow) error {
		if links++; uint64(r.Identity.Since) != n {
			return fmt.Errorf("an identity of checkpoint %d in checkpoint %d", r.Identity.Since, n)
		}
		return nil
	}
	if err := s.EachCustomer(ctx, whole); err != nil || people != crashPeople {
		t.Errorf("%d customers: %v", people, err)
	}
	if err := s.EachIdentity(ctx, linked); err != nil || links != 50 {
		t.Errorf("%d identities: %v", links, err)
	}
	return n
}
