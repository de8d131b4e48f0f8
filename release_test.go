package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/kikubari/kikubari/internal/app"
)

// testdata/release has, for each release, a data directory that it wrote
// (data.tar.zst) and what is in it (want.txt). A fixture is made once, by the
// release itself, and never changed:
//
//	MAKE_RELEASE=v0.1.0 go test -run TestMakeRelease .

// The questions whose answers stand in want.txt.
var releaseQuestions = []string{
	"select position, customer, name, type, session, message_id, anonymous_id, user_id, properties from events order by position",
	"select position, customer, decision, event, winners from decisions order by position, customer",
	"select position, customer, action, place, fate from exposures order by position",
	"select position, customer, segment, entered from segment_moves where not by_time order by position, customer, segment",
	"select position, winner, loser, reason from merges order by position, loser",
}

// TestReleases opens the data directory of every release with this version: as it
// is, and computed again from its log by this version. Both ways everything is
// there, and it goes on. Byte for byte equal are only states that one version
// made.
func TestReleases(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs are not short")
	}
	all, err := filepath.Glob("testdata/release/*/data.tar.zst")
	if err != nil || len(all) == 0 {
		t.Fatalf("there are no fixtures: %v", err)
	}
	for _, fixture := range all {
		release := filepath.Base(filepath.Dir(fixture))
		t.Run(release+"/as it is", func(t *testing.T) { openRelease(t, fixture, false) })
		t.Run(release+"/computed again", func(t *testing.T) { openRelease(t, fixture, true) })
	}
}

func openRelease(t *testing.T, fixture string, again bool) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	unpack(t, fixture, data)
	key, err := os.ReadFile(filepath.Join(data, "key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(filepath.Dir(fixture), "want.txt"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := app.LoadConfig("", nil, map[string]string{"data": data})
	if err != nil {
		t.Fatal(err)
	}
	if again {
		if _, err := app.Rebuild(t.Context(), config, app.RebuildOptions{Warehouse: true, Write: true}, t.Output()); err != nil {
			t.Fatal(err)
		}
	}
	server := serveRelease(t, data)
	if diff := cmp.Diff(string(want), contents(t, server.address, string(key))); diff != "" {
		t.Errorf("something else is in it (-want +got):\n%s", diff)
	}
	visit(t, server.address, `{"writeKey":"web-key","messageId":"after","type":"track","event":"Product Added","anonymousId":"device-1","properties":{"price":900}}`)
	if !server.end(syscall.SIGTERM) {
		t.Fatal("the server does not stop")
	}
	r, err := app.Replay(t.Context(), config, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Same() {
		t.Errorf("the state that would be recovered differs from the computed one: %+v", r.Computation)
	}
}

func serveRelease(t *testing.T, data string, settings ...string) *instance {
	t.Helper()
	args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0"}
	for _, s := range settings {
		args = append(args, "--set", s)
	}
	command, err := ourselves(args...)
	if err != nil {
		t.Fatal(err)
	}
	server, err := launch(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.end(syscall.SIGKILL) })
	if err := server.awaitReady(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	return server
}

// releaseCommand runs one command against a server and returns what it printed.
func releaseCommand(t *testing.T, address, key string, args ...string) string {
	t.Helper()
	c, err := ourselves(args...)
	if err != nil {
		t.Fatal(err)
	}
	c.Env = append(c.Env, "KIKUBARI_SERVER="+address, "KIKUBARI_KEY="+key)
	out, err := c.Output()
	if err != nil {
		if said, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Logf("%s", said.Stderr)
		}
		t.Fatalf("kikubari %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// contents lists what is in a data directory. Customers are found by their
// events, so that all are asked for.
func contents(t *testing.T, address, key string) string {
	t.Helper()
	var out strings.Builder
	for _, q := range releaseQuestions {
		fmt.Fprintf(&out, "## %s\n%s\n", q, releaseCommand(t, address, key, "sql", "--workspace", "shop", "--format", "csv", q))
	}
	ids := releaseCommand(t, address, key, "sql", "--workspace", "shop", "--format", "csv",
		"select distinct customer from events where customer not in (select loser from merges) order by customer")
	for _, id := range strings.Fields(ids)[1:] {
		fmt.Fprintf(&out, "## %s\n%s\n", id, answerTo(t, address+"/api/v1/customers/"+id+"?workspace=shop", key))
	}
	return out.String()
}

// answerTo says what is known of one customer.
func answerTo(t *testing.T, url, key string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, res.StatusCode, body, err)
	}
	var c struct { // what does not depend on the time of asking
		CreatedAt  string           `json:"created_at"`
		Identities []map[string]any `json:"identities"`
		Traits     []map[string]any `json:"traits"`
		Statistics []struct {
			Statistic string
			Value     any
		} `json:"statistics"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	kept := c.Statistics[:0]
	for _, s := range c.Statistics {
		if strings.Contains(s.Statistic, `"all"`) {
			kept = append(kept, s)
		}
	}
	c.Statistics = kept
	out, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func visit(t *testing.T, address, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1/batch?actions=1", strings.NewReader(`{"writeKey":"web-key","batch":[`+body+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", body, res.StatusCode, b, err)
	}
}

// unpack writes the files of a fixture below dir.
func unpack(t *testing.T, fixture, dir string) {
	t.Helper()
	packed, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	inflated, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer inflated.Close()
	for files := tar.NewReader(inflated); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestMakeRelease makes the fixture of the release that MAKE_RELEASE names.
func TestMakeRelease(t *testing.T) {
	name := os.Getenv("MAKE_RELEASE")
	if name == "" {
		t.Skip("MAKE_RELEASE names no release")
	}
	dir := filepath.Join("testdata", "release", name)
	if _, err := os.Stat(dir); err == nil {
		t.Fatalf("%s is there already, and a fixture never changes", dir)
	}
	data := filepath.Join(t.TempDir(), "data")
	server := serveRelease(t, data, "archive.every=1s", "archive.every_mb=1")
	admin := server.key
	for _, args := range [][]string{
		{"workspace", "create", "shop", "--name", "A shop"},
		{"key", "create", "browser", "--workspace", "shop", "--text", "web-key"},
		{"apply", "-f", "testdata/release/definitions", "--why", "a fixture"},
	} {
		releaseCommand(t, server.address, admin, args...)
	}
	for person := 1; person <= 20; person++ {
		device := fmt.Sprintf(`"anonymousId":"device-%d"`, person)
		for i := 1; i <= 10; i++ {
			visit(t, server.address, fmt.Sprintf(`{"messageId":"m-%d-%d","type":"track","event":"Product Added",%s,"context":{"locale":"ja"},"properties":{"product_id":"shirt-%d","price":%d,"quantity":1,"currency":"JPY","name":"麻のシャツ"}}`, person, i, device, i, 250*i))
		}
		if person%2 == 0 { // one user on two devices: a merge
			visit(t, server.address, fmt.Sprintf(`{"messageId":"i-%d","type":"identify",%s,"userId":"user-%d","traits":{"plan":"gold","name":"客 %d"}}`, person, device, person/4, person))
		}
		if person%5 == 0 {
			visit(t, server.address, fmt.Sprintf(`{"messageId":"o-%d","type":"track","event":"Order Completed",%s,"properties":{"subtotal":4000.25,"currency":"JPY"}}`, person, device))
		}
	}
	orders := new(strings.Builder)
	fmt.Fprintln(orders, "id,user,at,total")
	for i := range 30 {
		fmt.Fprintf(orders, "old-%d,user-%d,2024-05-%02dT10:00:00Z,%d\n", i, i%4, i%28+1, 1000+i)
	}
	file := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(file, []byte(orders.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	key := releaseKey(t, server.address, admin)
	releaseCommand(t, server.address, key, "import", file, "--map", "testdata/release/orders.yaml", "--job", "old-orders")
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(data, "archive", "*.kka"))
		if err != nil || time.Now().After(limit) {
			t.Fatalf("nothing was archived: %v", err)
		}
		if len(found) > 0 {
			break
		}
	}
	if !server.end(syscall.SIGTERM) {
		t.Fatal("the server does not stop")
	}
	if err := os.WriteFile(filepath.Join(data, "key.txt"), []byte(admin), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pack(t, data, filepath.Join(dir, "data.tar.zst"))
	server = serveRelease(t, data)
	if err := os.WriteFile(filepath.Join(dir, "want.txt"), []byte(contents(t, server.address, admin)), 0o644); err != nil {
		t.Fatal(err)
	}
	server.end(syscall.SIGTERM)
}

func releaseKey(t *testing.T, address, admin string) string {
	t.Helper()
	out := releaseCommand(t, address, admin, "key", "create", "server", "--workspace", "shop")
	_, rest, ok := strings.Cut(out, `"text": "`)
	key, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		t.Fatalf("no key in %s", out)
	}
	return key
}

// pack writes the files below dir into a fixture.
func pack(t *testing.T, dir, fixture string) {
	t.Helper()
	var packed bytes.Buffer
	small, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewWriter(small)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := files.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = files.Write(content)
		return err
	})
	if err = errors.Join(err, files.Close(), small.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixture, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s has %d bytes", fixture, packed.Len())
}
