package main

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// An erasure that was begun, and that the program did not live to carry out, is
// carried out at the next start.
func TestErasureGoesOnAfterACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs are not short")
	}
	data := filepath.Join(t.TempDir(), "data")
	server := serveRelease(t, data)
	admin := server.key
	releaseCommand(t, server.address, admin, "workspace", "create", "shop")
	releaseCommand(t, server.address, admin, "key", "create", "browser", "--workspace", "shop", "--text", "web-key")
	visit(t, server.address, `{"writeKey":"web-key","messageId":"m-1","type":"track","event":"Looked","anonymousId":"leaves"}`)
	visit(t, server.address, `{"writeKey":"web-key","messageId":"m-2","type":"track","event":"Looked","anonymousId":"stays"}`)
	who := strings.Fields(releaseCommand(t, server.address, admin, "customer", "show", "--anonymous", "leaves", "--workspace", "shop"))[0]
	id, ok := cx.ParseCustomerID(who)
	if !ok {
		t.Fatalf("%q is no customer", who)
	}
	server.end(syscall.SIGKILL)
	control, err := sqlite.OpenControl(t.Context(), filepath.Join(data, "control.db"))
	if err != nil {
		t.Fatal(err)
	}
	err = control.AddErasure(t.Context(), &sqlite.Erasure{ID: "e_begun", Workspace: "shop", Customers: []cx.CustomerID{id}, AskedAt: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Close(); err != nil {
		t.Fatal(err)
	}
	server = serveRelease(t, data)
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out := releaseCommand(t, server.address, admin, "erasures", "e_begun", "--workspace", "shop")
		if strings.Contains(out, `"state": "erased"`) {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("it is not carried out: %s\n%s", out, server.log)
		}
	}
	if out := releaseCommand(t, server.address, admin, "sql", "--workspace", "shop", "--format", "csv", "select message_id from events"); out != "message_id\nm-2\n" {
		t.Errorf("events are %q", out)
	}
}

// Who is one customer, in what a backup has brought back, with somebody who was not
// erased is left alone until the two are told apart, and the program says so.
func TestErasingAgainWaitsUntilTheyAreApart(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs are not short")
	}
	data := filepath.Join(t.TempDir(), "data")
	server := serveRelease(t, data)
	admin := server.key
	show := func(device string) string {
		return strings.Fields(releaseCommand(t, server.address, admin, "customer", "show", "--anonymous", device, "--workspace", "shop"))[0]
	}
	releaseCommand(t, server.address, admin, "workspace", "create", "shop")
	releaseCommand(t, server.address, admin, "key", "create", "browser", "--workspace", "shop", "--text", "web-key")
	visit(t, server.address, `{"messageId":"m-1","type":"track","event":"Looked","anonymousId":"stays"}`)
	visit(t, server.address, `{"messageId":"m-2","type":"track","event":"Looked","anonymousId":"leaves"}`)
	stays, leaves := show("stays"), show("leaves")
	releaseCommand(t, server.address, admin, "customer", "merge", stays, leaves, "--why", "a mistake", "--workspace", "shop")
	if !server.end(syscall.SIGTERM) {
		t.Fatal("the server does not stop")
	}
	id, _ := cx.ParseCustomerID(leaves)
	control, err := sqlite.OpenControl(t.Context(), filepath.Join(data, "control.db"))
	if err != nil {
		t.Fatal(err)
	}
	again := &sqlite.Erasure{ID: "e_again", Workspace: "shop", Customers: []cx.CustomerID{id}, AskedAt: 1, Again: true}
	if err := errors.Join(control.AddErasure(t.Context(), again, nil), control.Close()); err != nil {
		t.Fatal(err)
	}
	server = serveRelease(t, data, "erase.within=0s")
	await := func(what string, done func() bool) {
		t.Helper()
		for limit := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s: it does not come to that\n%s", what, server.log)
			}
		}
	}
	await("it says why", func() bool { return strings.Contains(get(t, server.address+"/readyz"), "un-merge the two") })
	if late := get(t, server.address+"/metrics"); !strings.Contains(late, "kikubari_erasures_late 1") {
		t.Error("nobody is counted as late")
	}
	if show("leaves") != stays {
		t.Error("somebody who was not erased is gone")
	}
	releaseCommand(t, server.address, admin, "customer", "unmerge", stays, "--why", "it was one", "--workspace", "shop", "--yes")
	await("it goes on", func() bool {
		return strings.Contains(releaseCommand(t, server.address, admin, "erasures", "e_again", "--workspace", "shop"), `"completed_at"`)
	})
	if out := releaseCommand(t, server.address, admin, "sql", "--workspace", "shop", "--format", "csv", "select message_id from events"); out != "message_id\nm-1\n" {
		t.Errorf("events are %q", out)
	}
	await("it is content", func() bool { return strings.Contains(get(t, server.address+"/metrics"), "kikubari_erasures_late 0") })
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
