package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// instance is one run of "kikubari serve" or "kikubari demo" in a process of its
// own.
type instance struct {
	address string // http://host:port
	key     string // the admin key that serve says at the first start, the read key that demo says; else ""
	log     *transcript
	ended   chan struct{} // closed when the process has ended
	process *os.Process
}

var (
	// saysKey comes before saysAddress, or on the same line.
	saysKey     = regexp.MustCompile(`ck_(?:admin|read)_[0-9a-z]+`)
	saysAddress = regexp.MustCompile(`(?:serves on|API)\s+(http://[^/\s]+)`)

	errEnded = errors.New("the program ended by itself")
)

// ourselves is this very program under the name kikubari; see TestMain.
func ourselves(args ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(program, args...)
	c.Args[0] = "kikubari"
	c.Env = append(os.Environ(), "TESTSCRIPT_COMMAND=kikubari")
	return c, nil
}

// launch starts the command and returns when it says where it serves. The
// caller ends the instance. It fails with errEnded, and what the program logged,
// when the program ends before.
func launch(command *exec.Cmd) (*instance, error) {
	s := &instance{log: new(transcript), ended: make(chan struct{})}
	command.Stderr = s.log
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s.process = command.Process
	serves := make(chan struct{})
	go func() {
		defer close(s.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if s.address != "" {
				continue // the rest is read and thrown away
			}
			if key := saysKey.FindString(lines.Text()); key != "" {
				s.key = key
			}
			if m := saysAddress.FindStringSubmatch(lines.Text()); m != nil {
				s.address = m[1]
				close(serves)
			}
		}
		_ = command.Wait() // how it ended is in the log
	}()
	select {
	case <-serves:
		return s, nil
	case <-s.ended:
		return nil, fmt.Errorf("%w:\n%s", errEnded, s.log)
	case <-time.After(time.Minute):
		s.end(syscall.SIGKILL)
		return nil, fmt.Errorf("the program does not say where it serves:\n%s", s.log)
	}
}

// awaitReady waits until the instance says that it is ready.
func (s *instance) awaitReady(patience time.Duration) error {
	client := http.Client{Timeout: patience}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		code := 0
		if res, err := client.Get(s.address + "/readyz"); err == nil {
			code = res.StatusCode
			_ = res.Body.Close()
		}
		switch {
		case code == http.StatusOK:
			return nil
		case s.awaitEnd(0):
			return fmt.Errorf("%w:\n%s", errEnded, s.log)
		case time.Now().After(deadline):
			return fmt.Errorf("not ready within %v:\n%s", patience, s.log)
		}
	}
}

// awaitEnd reports whether the process ended within d.
func (s *instance) awaitEnd(d time.Duration) bool {
	select {
	case <-s.ended:
		return true
	case <-time.After(d):
		return false
	}
}

// end sends the signal and waits until the process has ended. It reports false
// when half a minute was not enough; then the process was killed. It may be called
// for one that has ended, and for none.
func (s *instance) end(signal os.Signal) bool {
	if s == nil {
		return true
	}
	_ = s.process.Signal(signal)
	if s.awaitEnd(30 * time.Second) {
		return true
	}
	_ = s.process.Kill()
	<-s.ended
	return false
}

// transcript is what a process wrote, to be read while it goes on writing.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
