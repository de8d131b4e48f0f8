package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a second process of the program, on a directory of its own.
type process struct {
	cmd     *exec.Cmd
	said    *transcript
	exited  chan struct{} // closed when the process has ended
	address string        // host and port
	admin   string        // key, at the first start only
}

// The server says these on its first start, whatever stands around them.
var (
	saysAddress = regexp.MustCompile(`http://([0-9a-zA-Z.\[\]:-]+:[0-9]+)`)
	saysKey     = regexp.MustCompile(`ck_admin_[0-9a-z]+`)
)

const (
	startPatience = 10 * time.Minute // a cold rebuild of a long journal takes a while
	stopPatience  = time.Minute
)

// startServer runs "BINARY serve" on data and waits until it says where it
// listens. Whoever starts it stops it.
func startServer(ctx context.Context, binary, data string, args []string) (*process, error) {
	s := &process{said: newTranscript(), exited: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, args...)...) //nolint:noctx // it outlives ctx so that stop can end it gently
	s.cmd.Env = ownEnvironment()
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	s.cmd.SysProcAttr = dieWithParent()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended does not matter: that it ended while it was needed does
		close(s.exited)
	}()
	if err := s.awaitAddress(ctx); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

// ownEnvironment is ours without settings of the program, so that a measured
// server has the defaults and what the arguments say.
func ownEnvironment() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "KIKUBARI_") {
			out = append(out, kv)
		}
	}
	return out
}

func (s *process) awaitAddress(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		text, more := s.said.read()
		if m := saysAddress.FindStringSubmatch(text); m != nil {
			s.address, s.admin = m[1], saysKey.FindString(text)
			return nil
		}
		select {
		case <-more:
		case <-s.exited:
			return fmt.Errorf("the server ended at once; it said:\n%s", s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("the server does not say where it listens: %w", ctx.Err())
		}
	}
}

// pid is the process's.
func (s *process) pid() int { return s.cmd.Process.Pid }

// stop ends the server gently, or by force when it takes too long.
func (s *process) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop server: %w", err)
	}
	t := time.NewTimer(stopPatience)
	defer t.Stop()
	select {
	case <-s.exited:
		return nil
	case <-t.C:
		s.kill()
		return fmt.Errorf("the server did not stop within %v", stopPatience)
	}
}

// kill ends the server as a crash would.
func (s *process) kill() {
	_ = s.cmd.Process.Kill() // it has ended already, or it ends now
	<-s.exited
}

// lastWords are the last lines the server said, for an error message.
func (s *process) lastWords() string {
	text, _ := s.said.read()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// transcript keeps the first and the last of what a process says.
type transcript struct {
	mu    sync.Mutex
	first bytes.Buffer
	last  []byte
	more  chan struct{}
}

var _ io.Writer = (*transcript)(nil)

const transcriptPart = 64 << 10

func newTranscript() *transcript { return &transcript{more: make(chan struct{}, 1)} }

// Write keeps b.
func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := transcriptPart - t.first.Len(); room > 0 {
		t.first.Write(b[:min(room, len(b))])
	} else {
		t.last = append(t.last, b...)
		t.last = t.last[max(0, len(t.last)-transcriptPart):]
	}
	select {
	case t.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

// read returns what was said; more receives when there is more.
func (t *transcript) read() (text string, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first.String() + string(t.last), t.more
}
