package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// chaosBuild builds the program that faults can be put into, once for all
// tests, in a directory that TestMain removes.
var chaosBuild = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(builds, "kikubari-chaos")
	if out, err := exec.Command("go", "build", "-tags", "chaos", "-o", binary, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

// faulty is the chaos build with arguments.
func faulty(args ...string) (*exec.Cmd, error) {
	binary, err := chaosBuild()
	return exec.Command(binary, args...), err
}

// trial is the chaos build of the demo under load: how to run it, what its
// clients know, and what must be true in the end. Clients do what clients do:
// they send again what was not acknowledged.
type trial struct {
	t        *testing.T
	binary   string
	data     string    // the data directory
	settings []string  // KEY=VALUE for the program
	environ  []string  // NAME=VALUE for the program
	server   *instance // nil when it died while it started

	pace     time.Duration // how long a client waits between two events
	patience time.Duration // how long it waits for an answer
	clients  int           // so many there were

	key     string
	address atomic.Pointer[string]
	acked   atomic.Int64

	mu       sync.Mutex
	ids      []string          // acknowledged
	waiting  []string          // bodies that clients gave up on when the load ended
	refused  map[int]int       // how often each status was answered to an event
	why      string            // the last refusal's words
	said     []saying          // every action of every answer
	decided  map[string]string // decision and action -> content, as answered to the event that was judged
	verified int               // of ids, so many were found stored
}

// saying is one action of the answer to one message.
type saying struct{ message, decision, action, content string }

func newTrial(t *testing.T) *trial {
	t.Helper()
	binary, err := chaosBuild()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() {
		kept := filepath.Join(os.TempDir(), fmt.Sprintf("kikubari-failed-%d", time.Now().Unix()))
		if t.Failed() && os.Rename(data, kept) == nil {
			t.Logf("the data directory is kept as %s", kept)
		}
	})
	return &trial{
		t: t, binary: binary, pace: 5 * time.Millisecond, patience: 5 * time.Second, data: data, settings: []string{"checkpoint.every=300ms"},
		refused: map[int]int{}, decided: map[string]string{},
	}
}

// start runs the program with a fault in it, to be killed at a moment or slowed
// down. That moment may come while it starts.
func (c *trial) start(fault string) {
	c.t.Helper()
	server, err := launch(c.command("demo", fault))
	if fault != "" && errors.Is(err, errEnded) {
		c.server = nil
		return
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { server.end(syscall.SIGKILL) })
	c.server, c.key = server, server.key
	c.address.Store(&server.address)
}

// command is the program on the trial's data directory.
func (c *trial) command(what, fault string) *exec.Cmd {
	args := []string{what, "--data", c.data, "--listen", "127.0.0.1:0"}
	for _, s := range c.settings {
		args = append(args, "--set", s)
	}
	command := exec.Command(c.binary, args...)
	command.Env = append(os.Environ(), "KIKUBARI_FAULT="+fault, "GOMAXPROCS=2")
	command.Env = append(command.Env, c.environ...)
	return command
}

// awaitDeath reports whether the program died within d.
func (c *trial) awaitDeath(d time.Duration) bool { return c.server == nil || c.server.awaitEnd(d) }

// stop ends the program gently.
func (c *trial) stop() {
	c.t.Helper()
	if !c.server.end(syscall.SIGTERM) {
		c.t.Fatalf("the program does not stop:\n%s", c.server.log)
	}
}

// load lets n clients send until the returned function is called. It returns
// when they have given up.
func (c *trial) load(seed uint64, n int) (unload func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var clients sync.WaitGroup
	for range n {
		i := c.clients
		c.clients++
		clients.Go(func() { c.client(ctx, i, rand.New(rand.NewPCG(seed, uint64(i+1)))) })
	}
	return sync.OnceFunc(func() {
		cancel()
		clients.Wait()
	})
}

// awaitAcked waits until n more events are acknowledged.
func (c *trial) awaitAcked(n int64, patience time.Duration) {
	c.t.Helper()
	want := c.acked.Load() + n
	for deadline := time.Now().Add(patience); c.acked.Load() < want; pause(c.t.Context(), 10*time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("%d of %d events are acknowledged after %v; the last refusal was: %s\n%s", c.acked.Load(), want, patience, c.lastRefusal(), c.server.log)
		}
	}
}

// lastRefusal is how the last event that was not acknowledged was answered.
func (c *trial) lastRefusal() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// audits are what must be true at the end of a trial, when every event has been
// acknowledged and the program still runs.
var audits = []func(*trial){
	func(c *trial) { c.verifyStored(true) },
	(*trial).ownDecisions,
}

// conclude ends the load, has everything acknowledged, audits, stops the
// program, and replays on one core and on two.
func (c *trial) conclude(unload func()) {
	c.t.Helper()
	unload()
	c.resend()
	for _, audit := range audits {
		audit(c)
	}
	c.stop()
	for _, cores := range []string{"1", "2"} {
		c.verifyReplay(cores)
	}
}

// client sends events of a few people one after the other, each until it is
// acknowledged.
func (c *trial) client(ctx context.Context, n int, r *rand.Rand) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("c%d-%d", n, i)
		body := chaosEvent(r, n, id, i)
		for !c.send(ctx, id, body) {
			if ctx.Err() != nil {
				c.mu.Lock()
				c.waiting = append(c.waiting, id+"\n"+body)
				c.mu.Unlock()
				return
			}
		}
		pause(ctx, c.pace)
	}
}

// chaosEvent is the i-th event of client n: of one of a few people who come and
// go, on one of three devices each. Logins make their devices meet. No two
// clients speak of the same person, so an answer that was lost can be given again
// word for word.
func chaosEvent(r *rand.Rand, n int, id string, i int) string {
	person := (n+1)*1_000_000 + i/10*5 + r.IntN(10)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	e := map[string]any{
		"writeKey": "demo", "messageId": id, "anonymousId": fmt.Sprintf("d-%d-%d", person, r.IntN(3)),
		"timestamp": now, "sentAt": now, "context": map[string]any{"locale": "en"},
	}
	price := 500 * (1 + r.IntN(8))
	switch r.IntN(8) {
	case 0, 1:
		e["type"], e["userId"], e["traits"] = "identify", fmt.Sprintf("u-%d", person), map[string]any{"plan": "gold"}
	case 2:
		e["type"] = "page"
	case 3:
		e["type"], e["event"], e["properties"] = "track", "Order Completed", map[string]any{"subtotal": price, "currency": "JPY"}
	default:
		e["type"], e["event"], e["properties"] = "track", "Product Added", map[string]any{"price": price, "quantity": 1, "currency": "JPY"}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// send sends one event once and notes what was answered. It reports whether it
// was acknowledged.
func (c *trial) send(ctx context.Context, id, body string) bool {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	var in struct{ Type string }
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		panic(err)
	}
	address := c.address.Load()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *address+"/v1/"+in.Type+"?actions=1", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		pause(ctx, 20*time.Millisecond)
		return false
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		if err == nil && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests {
			c.t.Errorf("a good event was refused: %d %s", res.StatusCode, b)
		}
		c.note(res, b)
		pause(ctx, 20*time.Millisecond)
		return false
	}
	var out struct {
		Actions []json.RawMessage `json:"actions"`
	}
	if err := json.Unmarshal(b, &out); err != nil {
		c.t.Errorf("the answer is no JSON: %v: %s", err, b)
	}
	c.acked.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, id)
	for _, a := range out.Actions {
		var said struct {
			Decision, Action string
			Update           bool
		}
		if err := json.Unmarshal(a, &said); err != nil {
			c.t.Errorf("an action is no JSON: %v: %s", err, a)
		}
		if !said.Update {
			c.said = append(c.said, saying{id, said.Decision, said.Action, string(a)})
		}
	}
	return true
}

// note keeps how an event was refused.
func (c *trial) note(res *http.Response, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[res.StatusCode]++
	c.why = fmt.Sprintf("%d (Retry-After %s) %s", res.StatusCode, res.Header.Get("Retry-After"), body)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// resend sends what was not acknowledged when the load ended.
func (c *trial) resend() {
	for _, w := range c.waiting {
		id, body, _ := strings.Cut(w, "\n")
		for try := 0; !c.send(c.t.Context(), id, body); try++ {
			if try > 100 {
				c.t.Fatalf("event %s is never acknowledged", id)
			}
		}
	}
	c.waiting = nil
}

// verifyStored checks that each acknowledged event is stored once. While
// clients go on, more may be stored than was acknowledged when we looked.
func (c *trial) verifyStored(quiet bool) {
	c.t.Helper()
	c.mu.Lock()
	acked := c.ids[c.verified:len(c.ids):len(c.ids)]
	total := len(c.ids)
	c.mu.Unlock()
	missing := len(acked)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && missing > 0; pause(c.t.Context(), 200*time.Millisecond) {
		missing = 0
		for start := 0; start < len(acked); start += 500 {
			part := acked[start:min(start+500, len(acked))]
			rows := c.query("select count(*) from events where message_id in ('" + strings.Join(part, "','") + "')")
			missing += len(part) - int(rows[0][0].(float64))
		}
	}
	if missing > 0 {
		c.t.Fatalf("%d of %d acknowledged events are not stored", missing, len(acked))
	}
	c.verified = total
	if rows := c.query("select message_id, count(*) from events group by 1 having count(*) > 1 limit 10"); len(rows) > 0 {
		c.t.Fatalf("events are stored twice: %v", rows)
	}
	if rows := c.query("select count(*) from events"); quiet && int(rows[0][0].(float64)) != total {
		c.t.Errorf("%v events are stored, %d were acknowledged", rows[0][0], total)
	}
}

// ownDecisions keeps, of all that was said, what was decided on the very event
// that was answered. The rest was decided before and carried by a later answer,
// perhaps in new words.
func (c *trial) ownDecisions() {
	judged := map[string]string{} // decision -> message
	for start := 0; start < len(c.said); start += 500 {
		var ids []string
		for _, s := range c.said[start:min(start+500, len(c.said))] {
			ids = append(ids, s.decision)
		}
		for _, row := range c.query("select decision, message_id from decisions join events using (position) where decision in ('" + strings.Join(ids, "','") + "')") {
			judged[row[0].(string)] = row[1].(string)
		}
	}
	for _, s := range c.said {
		if judged[s.decision] == s.message {
			c.decided[s.decision+"/"+s.action] = withoutExpiry(s.content)
		}
	}
}

// withoutExpiry takes out how many seconds a treatment may still be shown: an
// answer that is given again after a restart has less time left.
func withoutExpiry(content string) string { return expiry.ReplaceAllString(content, "") }

var expiry = regexp.MustCompile(`"expires_in":\d+`)

// query asks the warehouse.
func (c *trial) query(sql string) [][]any {
	c.t.Helper()
	b, err := json.Marshal(map[string]string{"query": sql})
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, *c.address.Load()+"/api/v1/sql", bytes.NewReader(b))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", strconv.FormatInt(time.Now().UnixNano(), 36))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	out := struct{ Rows [][]any }{}
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 || json.Unmarshal(text, &out) != nil {
		c.t.Fatalf("%s: %d %s", sql, res.StatusCode, text)
	}
	return out.Rows
}

// verifyReplay computes the state again and compares it, and the decisions,
// with what was recovered and answered.
func (c *trial) verifyReplay(cores string) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "decisions")
	cmd := exec.CommandContext(c.t.Context(), c.binary, "replay", "--data", c.data, "--decisions", file)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+cores)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Errorf("replay on %s cores: %v\n%s", cores, err, out)
		return
	}
	replayed := map[string]string{}
	f, err := os.Open(file)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var d struct{ Decision, Content string }
		if err := json.Unmarshal(s.Bytes(), &d); err != nil {
			c.t.Fatal(err)
		}
		replayed[d.Decision] = withoutExpiry(d.Content)
	}
	for name, content := range c.decided {
		id, _, _ := strings.Cut(name, "/")
		if !strings.Contains(replayed[id], content+"\n") {
			c.t.Errorf("on %s cores %s was answered with\n%s\nbut replayed as\n%s", cores, name, content, replayed[id])
		}
	}
}
