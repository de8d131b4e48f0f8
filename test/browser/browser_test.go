// Package browser runs the tests in *.test.mjs: real Chromium and Segment's own
// clients against the real program with the demo workspace. They are written in
// JavaScript because that is what drives a browser best; node, npm and Chromium
// are needed.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	fileLimit  = 5 * time.Minute // for one file of tests
	startLimit = time.Minute     // for the program to serve
	stopLimit  = 30 * time.Second
)

func TestBrowser(t *testing.T) {
	needBrowser(t)
	needModules(t)
	needSDK(t)
	files, err := filepath.Glob("*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no *.test.mjs here: %v", err)
	}
	p := start(t, build(t))
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".test.mjs"), func(t *testing.T) { p.run(t, file) })
	}
	p.stop(t)
}

// needBrowser lets the project's own script install Chromium where it may.
func needBrowser(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "../../scripts/setup.sh").CombinedOutput(); err != nil {
		t.Skipf("no Chromium and it cannot be installed here:\n%s", out)
	}
}

// needModules installs what package-lock.json names unless that was done since
// the lock last changed.
func needModules(t *testing.T) {
	t.Helper()
	done, err := os.Stat("node_modules/.package-lock.json")
	lock, lockErr := os.Stat("package-lock.json")
	if err == nil && lockErr == nil && !done.ModTime().Before(lock.ModTime()) {
		return
	}
	if out, err := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	now := time.Now()
	_ = os.Chtimes("node_modules/.package-lock.json", now, now) // or it is done again next time
}

// needSDK fails where the script that is to be tested has not been built.
func needSDK(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("../../sdk/js/dist/cx.js"); err != nil {
		t.Fatalf("the SDK has not been built, run make build: %v", err)
	}
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kikubari")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// program is a running demo.
type program struct {
	cmd  *exec.Cmd
	url  string
	key  string // may read
	said *output
	done chan error
}

// addresses is where the demo says that its status page is, and the key to it.
var addresses = regexp.MustCompile(`(http://\S+)/status#key=(\S+)`)

// start runs the demo on a free port and a fresh directory until it has printed
// its addresses. It is killed when the test ends, unless stop ended it before.
func start(t *testing.T, path string) *program {
	t.Helper()
	p := &program{said: &output{}, done: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, "demo", "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	p.cmd.Stderr = p.said
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	found := make(chan []string, 1)
	go p.listen(stdout, found)
	select {
	case m := <-found:
		p.url, p.key = m[1], m[2]
	case err := <-p.done:
		t.Fatalf("the program ended: %v\n%s", err, p.said)
	case <-time.After(startLimit):
		t.Fatalf("the program printed no addresses within %s\n%s", startLimit, p.said)
	}
	return p
}

// listen reads what the program prints to its end, which is the program's.
func (p *program) listen(stdout io.Reader, found chan<- []string) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fmt.Fprintln(p.said, lines.Text())
		if m := addresses.FindStringSubmatch(lines.Text()); m != nil {
			found <- m
		}
	}
	p.done <- p.cmd.Wait()
}

// run runs one file of tests and shows what it printed when one failed.
func (p *program) run(t *testing.T, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fileLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "BASE_URL="+p.url, "READ_KEY="+p.key)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s\nThe program said:\n%s", file, err, out, p.said)
	}
}

// stop asks the program to end and fails when it does not end well.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("the program is gone: %v\n%s", err, p.said)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("the program ended badly: %v\n%s", err, p.said)
		}
	case <-time.After(stopLimit):
		t.Errorf("the program had not ended %s after SIGINT\n%s", stopLimit, p.said)
	}
}

// output keeps the end of what was written; it may be written to and read from
// several goroutines.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const outputLimit = 64 << 10 // bytes kept at least

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() > 2*outputLimit {
		o.buf.Next(outputLimit)
	}
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
