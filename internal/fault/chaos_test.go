//go:build chaos

package fault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
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
	for pass, want := range map[int]string{1: "pass 1\n", 3: "pass 1\npass 2\npass 3\n"} {
		out, err := child(t, fmt.Sprintf("here:%d", pass))
		if string(out) != want {
			t.Errorf("at pass %d the child wrote %q, want %q", pass, out, want)
		}
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("at pass %d the child ended with %v, want SIGKILL", pass, err)
		}
	}
}

func TestPointLetsOthersLive(t *testing.T) {
	for _, fault := range []string{"", "here:6", "nowhere:1"} {
		out, err := child(t, fault)
		if err != nil || strings.Count(string(out), "pass") != 5 {
			t.Errorf("with fault %q the child ended with %v after %q", fault, err, out)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"here", "here:", "here:0", "here:x", ":3", "here:-1"} {
		if _, err := parse(s); err == nil {
			t.Errorf("parse(%q) is accepted", s)
		}
	}
}

func child(t *testing.T, fault string) ([]byte, error) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "FAULT_CHILD=1", Variable+"="+fault)
	return c.Output()
}
