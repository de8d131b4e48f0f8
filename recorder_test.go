package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// recorder is a receiver of webhooks, for scripts.
type recorder struct {
	server *httptest.Server

	mu     sync.Mutex
	status int
	seen   strings.Builder
}

// ServeHTTP notes the request and answers with the recorder's status.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.seen, "%s %s\n", req.Method, req.URL.RequestURI())
	names := make([]string, 0, len(req.Header))
	for name := range req.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&r.seen, "%s: %s\n", name, strings.Join(req.Header[name], ", "))
	}
	fmt.Fprintf(&r.seen, "\n%s\n\n", body)
	w.WriteHeader(r.status)
}

func (r *recorder) show() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.String()
}

func (w *world) closeRecorders() {
	for _, r := range w.recorders {
		r.server.Close()
	}
}

func recorderCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := ts.Value("world").(*world)
	if len(args) < 2 {
		ts.Fatalf("usage: recorder start|show|become NAME")
	}
	name := args[1]
	if args[0] == "start" {
		r := &recorder{status: http.StatusOK}
		r.server = httptest.NewServer(r)
		if w.recorders == nil {
			w.recorders = map[string]*recorder{}
		}
		w.recorders[name] = r
		ts.Setenv("RECORDER_"+strings.ToUpper(name), r.server.URL)
		return
	}
	r := w.recorders[name]
	if r == nil {
		ts.Fatalf("there is no recorder %s", name)
	}
	switch args[0] {
	case "show":
		w.last = r.show()
		fmt.Fprint(ts.Stdout(), w.last)
	case "become":
		status, err := strconv.Atoi(args[2])
		ts.Check(err)
		r.mu.Lock()
		r.status = status
		r.mu.Unlock()
	default:
		ts.Fatalf("usage: recorder start|show|become NAME")
	}
}

// expandCmd fills the environment's values into a file.
func expandCmd(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
