package main

import (
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
