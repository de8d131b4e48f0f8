//go:build chaos

package fault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv("FAULT_CHILD") != "" {
		for i := 1; i <= 5; i++ {
			Point("elsewhere")
			fmt.Println("pass", i)
			Point("here")
		}
		return
	}
	os.Exit(m.Run())
}

func TestPointKillsAtThePass(t *testing.T) {
	for pass, want := range map[string]string{"here:1": "pass 1\n", "here:3": "pass 1\npass 2\npass 3\n", "nowhere:1,here:delay=1ms,here:1": "pass 1\n"} {
		out, err := child(t, pass)
		if string(out) != want {
			t.Errorf("at %s the child wrote %q, want %q", pass, out, want)
		}
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("at %s the child ended with %v, want SIGKILL", pass, err)
		}
	}
}

func TestPointLetsOthersLive(t *testing.T) {
	for _, fault := range []string{"", "here:6", "nowhere:1", "here:6,nowhere:1", "here:delay=1ms"} {
		out, err := child(t, fault)
		if err != nil || strings.Count(string(out), "pass") != 5 {
			t.Errorf("with fault %q the child ended with %v after %q", fault, err, out)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"here", "here:", "here:0", "here:x", ":3", "here:-1", "here:delay=", "here:delay=0s", "here:delay=3", "here:until=", ":until=x", "here:delay=1s*x", "here:delay=1s*", ":delay=1s", "here:3,", "here:3,there"} {
		if _, err := parse(s); err == nil {
			t.Errorf("parse(%q) is accepted", s)
		}
	}
}

// TestDelaysAddUp waits at every pass.
func TestDelaysAddUp(t *testing.T) {
	began := time.Now()
	if out, err := child(t, "here:delay=20ms,elsewhere:delay=25ms*2"); err != nil || strings.Count(string(out), "pass") != 5 {
		t.Errorf("the child ended with %v after %q", err, out)
	}
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("five passes took %v, want 20 ms each and 50 ms at least", took)
	}
}

// TestWaitsForAFile goes on when the file is there.
func TestWaitsForAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go")
	ended := make(chan error, 1)
	go func() {
		_, err := child(t, "here:until="+file)
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestClockJumps moves the clock by a file.
func TestClockJumps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	for _, jump := range []string{"-1h", "24h", "0s"} {
		if err := os.WriteFile(file, []byte(jump+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		readClock(file)
		want, _ := time.ParseDuration(jump)
		if off := time.Until(Now()) - want; off.Abs() > time.Minute {
			t.Errorf("after a jump by %s the clock is wrong by %v more", jump, off)
		}
	}
}

func child(t *testing.T, fault string) ([]byte, error) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "FAULT_CHILD=1", Variable+"="+fault)
	return c.Output()
}
