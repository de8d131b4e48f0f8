package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// builds is where tests put programs that they build.
var builds string

// TestMain lets the scripts run this very program under the name kikubari.
func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"kikubari": main})
}

type suite struct{ *testing.M }

// Run runs every test of the package.
func (s suite) Run() int {
	var err error
	if builds, err = os.MkdirTemp("", "kikubari-test-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(builds)
	return s.M.Run()
}

// TestScripts runs the whole-program stories in testdata/script. Besides the
// usual commands they know
//
//	server start DIR [ARG...]   start "kikubari serve", wait until it is ready, set KIKUBARI_SERVER and,
//	                            at the first start, KIKUBARI_KEY
//	server faulty FAULT DIR [ARG...] the same with the chaos build and KIKUBARI_FAULT
//	server stop | server kill   end it gently, or as a crash would
//	post PATH FILE [KEY]        POST the file and print status and body
//	get PATH [KEY]              the same with GET
//	capture NAME REGEXP         set NAME to the first group of REGEXP in the last output
//	until SECONDS REGEXP CMD... repeat CMD until its output matches
//	expand FROM TO              write a file with its ${NAMES} filled in
//	recorder start NAME         start a receiver of webhooks and set RECORDER_NAME to its address
//	recorder show NAME          print what it was sent: request line, headers and body of each request
//	recorder become NAME STATUS answer with this status from now on
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("whole-program stories are not short")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values["world"] = &world{}
			e.Defer(func() { e.Values["world"].(*world).end(syscall.SIGKILL) })
			e.Defer(func() { e.Values["world"].(*world).closeRecorders() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": serverCmd, "post": httpCmd(http.MethodPost), "get": httpCmd(http.MethodGet),
			"capture": captureCmd, "until": untilCmd, "recorder": recorderCmd, "expand": expandCmd,
		},
	})
}

// world is what one script has running and has seen.
type world struct {
	server *instance
	last   string // output of the last post, get or until

	recorders map[string]*recorder
}

func (w *world) end(signal os.Signal) bool {
	server := w.server
	w.server = nil
	return server.end(signal)
}

func serverCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := ts.Value("world").(*world)
	switch args[0] {
	case "stop":
		if !w.end(syscall.SIGTERM) {
			ts.Fatalf("the server does not stop")
		}
	case "kill":
		w.end(syscall.SIGKILL)
	case "start", "faulty":
		start, fault := ourselves, ""
		if args[0] == "faulty" {
			fault, args, start = args[1], args[1:], faulty
		}
		command, err := start(append([]string{"serve", "--data", ts.MkAbs(args[1]), "--listen", "127.0.0.1:0"}, args[2:]...)...)
		ts.Check(err)
		if fault != "" {
			command.Env = append(os.Environ(), "KIKUBARI_FAULT="+fault)
		}
		w.server, err = launch(command)
		ts.Check(err)
		ts.Setenv("KIKUBARI_SERVER", w.server.address)
		if w.server.key != "" {
			ts.Setenv("KIKUBARI_KEY", w.server.key)
		}
		ts.Check(w.server.awaitReady(30 * time.Second))
	default:
		ts.Fatalf("usage: server start|faulty|stop|kill")
	}
}

func httpCmd(method string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		text, err := request(ts, method, args)
		ts.Check(err)
		ts.Value("world").(*world).last = text
		fmt.Fprint(ts.Stdout(), text)
	}
}

// request sends one request and returns status and body.
func request(ts *testscript.TestScript, method string, args []string) (string, error) {
	var body io.Reader
	path, args := args[0], args[1:]
	if method == http.MethodPost {
		body, args = strings.NewReader(ts.ReadFile(args[0])), args[1:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, ts.Getenv("KIKUBARI_SERVER")+path, body)
	if err != nil {
		return "", err
	}
	if len(args) > 0 {
		req.SetBasicAuth(args[0], "")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", fmt.Sprint(time.Now().UnixNano()))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return fmt.Sprintf("%d\n%s\n", res.StatusCode, bytes.TrimSpace(b)), err
}

func captureCmd(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.Value("world").(*world).last + ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("no %s in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func untilCmd(ts *testscript.TestScript, _ bool, args []string) {
	patience, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	want := regexp.MustCompile(args[1])
	w := ts.Value("world").(*world)
	for end := time.Now().Add(patience); ; {
		switch args[2] {
		case "get":
			w.last, err = request(ts, http.MethodGet, args[3:])
		case "recorder":
			if r := w.recorders[args[4]]; r != nil {
				w.last = r.show()
			}
		case "exec":
			if err = ts.Exec(args[3], args[4:]...); err == nil {
				w.last = ts.ReadFile("stdout")
			}
		default:
			ts.Fatalf("until can repeat get, recorder show and exec")
		}
		if err == nil && want.MatchString(w.last) {
			fmt.Fprint(ts.Stdout(), w.last)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no %s within %v: %v\n%s", want, patience, err, w.last)
		}
		tick := time.NewTimer(100 * time.Millisecond)
		<-tick.C
	}
}
