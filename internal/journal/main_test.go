package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// The test binary runs itself as a child that may be killed, or that works
// under limits a test process should not have.
const (
	childVariable = "JOURNAL_TEST_CHILD" // the child's task
	dirVariable   = "JOURNAL_TEST_DIR"   // the journal's directory
	nameVariable  = "JOURNAL_TEST_NAME"  // a word for its payloads
)

var tasks = map[string]func(j *journal.Journal, name string) error{
	"append":  appendForEver,
	"release": releaseForEver,
	"renew":   renewForEver,
	"limit":   appendPastTheLimit,
}

func TestMain(m *testing.M) {
	task := tasks[os.Getenv(childVariable)]
	if task == nil {
		os.Exit(m.Run())
	}
	if err := runTask(task); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runTask(task func(*journal.Journal, string) error) error {
	j, err := journal.Open(context.Background(), journal.Options{
		Dir: os.Getenv(dirVariable), CommitTimeout: 500 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if err := task(j, os.Getenv(nameVariable)); err != nil {
		return err
	}
	return j.Close()
}

// child prepares the test binary to run a task.
func child(t *testing.T, task, dir, name string, env ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childVariable+"="+task, dirVariable+"="+dir, nameVariable+"="+name)
	c.Env = append(c.Env, env...)
	c.Stderr = t.Output()
	return c
}

// acks are what a child says has been acknowledged: a position and a payload
// for each entry.
type acks map[cx.Position]string

// read takes a child's lines until they end, or until there have been stop of
// them, when it calls kill once and goes on to the end.
func (a acks) read(out *bufio.Scanner, stop int, kill func()) error {
	for n := 1; out.Scan(); n++ {
		var sequence uint64
		var index int
		var payload string
		if _, err := fmt.Sscanf(out.Text(), "%d %d %s", &sequence, &index, &payload); err != nil {
			return fmt.Errorf("line %q: %w", out.Text(), err)
		}
		a[cx.At(sequence, index)] = payload
		if n == stop {
			kill()
		}
	}
	return out.Err()
}

// printAcks prints entries acknowledged at a position. One write makes whole
// lines that a kill cannot cut apart.
func printAcks(at cx.Position, entries []cx.Entry) error {
	var lines strings.Builder
	for i, e := range entries {
		fmt.Fprintf(&lines, "%d %d %s\n", at.Sequence(), at.Index()+i, e.Payload)
	}
	_, err := os.Stdout.WriteString(lines.String())
	return err
}

// appendForEver appends from several goroutines until it is killed.
func appendForEver(j *journal.Journal, name string) error {
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for p := range cap(failed) {
		wg.Go(func() {
			for i := 0; ; i++ {
				entries := events(fmt.Sprintf("%s/%d/%d/a", name, p, i), fmt.Sprintf("%s/%d/%d/%0*d", name, p, i, 1+i*37%900, 0))
				at, err := j.Append(context.Background(), entries, nil)
				if err == nil {
					err = printAcks(at, entries)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-failed
}

// releaseBehind is how many records releaseForEver leaves before the newest one
// that it knows.
const releaseBehind = 30

// releaseForEver appends like appendForEver and releases old records meanwhile.
func releaseForEver(j *journal.Journal, name string) error {
	failed := make(chan error, 1)
	go func() {
		for done := uint64(0); ; {
			last, _ := j.Last()
			if last < done+releaseBehind+60 {
				// An append takes as long as a commit, so this does not spin.
				if _, err := j.Append(context.Background(), []cx.Entry{{Kind: cx.EntryTick, Payload: fmt.Append(nil, name, last)}}, nil); err != nil {
					failed <- err
					return
				}
				continue
			}
			done = last - releaseBehind
			if _, err := j.Release(context.Background(), done); err != nil {
				failed <- err
				return
			}
		}
	}()
	go func() { failed <- appendForEver(j, name) }()
	return <-failed
}

// renewForEver appends, releases old records and has the files written anew, again
// and again.
func renewForEver(j *journal.Journal, name string) error {
	for i := 0; ; i++ {
		entries := events(fmt.Sprintf("%s/%d", name, i))
		at, err := j.Append(context.Background(), entries, nil)
		if err == nil {
			err = printAcks(at, entries)
		}
		if last := at.Sequence(); err == nil && i%10 == 9 && last > releaseBehind {
			if _, err = j.Release(context.Background(), last-releaseBehind); err == nil {
				err = j.Renew(context.Background())
			}
		}
		if err != nil {
			return err
		}
	}
}

// appendPastTheLimit lets files grow to 2 MB only, appends until that fails,
// lifts the limit and appends on.
func appendPastTheLimit(j *journal.Journal, name string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	small := syscall.Rlimit{Cur: 2 << 20, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	filler, refused := noise(100_000), 0
	for i, acked, after := 0, 0, 0; after < 20; i++ {
		entries := events(fmt.Sprintf("%s/%d/%s", name, i, filler))
		at, err := j.Append(context.Background(), entries, nil)
		switch {
		case err == nil:
			if err := printAcks(at, entries); err != nil {
				return err
			}
			if acked++; refused > 0 {
				after++
			}
		case cx.KindOf(err) != cx.Unavailable:
			return fmt.Errorf("append %d: %w", i, err)
		case acked >= 10: // before that only a slow disk can be the cause
			if refused++; refused == 2 {
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
					return err
				}
			}
		}
		if i == 200 {
			return fmt.Errorf("after %d appends %d were refused", i, refused)
		}
	}
	s, err := j.Stat(context.Background())
	if err == nil && s.Opens < 2 {
		err = fmt.Errorf("the engine was opened %d times, want it opened anew", s.Opens)
	}
	return err
}

// exampleDir makes a directory for an example, which has no test to make one.
func exampleDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		panic(err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}
