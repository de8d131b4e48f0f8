package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/channel/channeltest"
)

// sendMoments are those at which a crash hurts sends most, with how often the
// program may pass one before it dies.
var sendMoments = []struct {
	name   string
	passes int
}{
	{"send.before", 60},
	{"send.before", 60},
	{"send.inside", 60},
	{"send.inside", 60},
	{"send.after", 20},
	{"fate.before", 2},
	{"fate.after", 2},
	{"checkpoint.before", 2},
	{"checkpoint.inside", 8},
	{"checkpoint.after", 2},
	{"tick.inside", 2},
}

// sendDefinitions send each order four times: what is marketing and what is owed,
// to a receiver that can tell a repetition and to one that cannot.
const sendDefinitions = `kind: workspace
name: shop
time_zone: Asia/Tokyo
currency: JPY
consent: {allowed: [marketing, transactional]}
---
kind: destination
name: able
url: %s/hooks
---
kind: destination
name: unable
url: %s/hooks
idempotent: false
`

const sendAction = `---
kind: action
name: %s-%s
purpose: %[1]s
channel: webhook
destination: %[2]s
place: %[1]s-%[2]s
trigger: [{event: Order Completed}]
variables: {order: {value: event.properties.order_id}}
body: {order: "{{ order }}"}
`

// TestChaosSends kills the program at moments inside sends and checkpoints, while
// orders come in and receivers are busy now and then. In the end:
//
//   - every delivery that was decided has one fate, in the warehouse, once;
//   - the receiver that can tell has accepted each of them once;
//   - the receiver that cannot has been given no marketing twice, and what it was
//     never given is among what stands as unknown;
//   - it has been given everything that is owed at least once;
//   - and the state is the one computed from the journal alone.
//
// A round is one kill. CHAOS_ROUNDS says how many there are, 30 unless given;
// CHAOS_SEED repeats the moments.
func TestChaosSends(t *testing.T) {
	if testing.Short() {
		t.Skip("thirty kills are not short")
	}
	rounds, err := strconv.Atoi(os.Getenv("CHAOS_ROUNDS"))
	if err != nil {
		rounds = 30
	}
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("seed %d, %d rounds", seed, rounds)
	w := newSendTrial(t)
	r, kills, began := rand.New(rand.NewPCG(seed, 0)), map[string]int{}, time.Now()
	w.serve("")
	w.publish()
	unload := w.orders(2)
	defer unload()
	w.stop()
	for round := 1; round <= rounds; round++ {
		m := sendMoments[r.IntN(len(sendMoments))]
		fault := fmt.Sprintf("%s:%d", m.name, 1+r.IntN(m.passes))
		w.serve(fault)
		if !w.awaitDeath(60 * time.Second) {
			t.Fatalf("round %d: the moment %s did not come within a minute\n%s", round, fault, w.server.log)
		}
		kills[m.name]++
	}
	w.serve("")
	unload()
	w.settle()
	w.audit()
	w.stop()
	w.verifyReplay("2")
	for _, name := range slices.Sorted(maps.Keys(kills)) {
		t.Logf("killed at %-18s %3d times", name, kills[name])
	}
	t.Logf("%d kills in %v; %d orders acknowledged", rounds, time.Since(began).Round(time.Second), w.acked.Load())
}

// sendTrial is a trial with two receivers.
type sendTrial struct {
	*trial
	able, unable *channeltest.Recorder
	urls         [2]string
}

func newSendTrial(t *testing.T) *sendTrial {
	t.Helper()
	w := &sendTrial{trial: newTrial(t), able: new(channeltest.Recorder), unable: new(channeltest.Recorder)}
	w.able.Idempotent = true
	w.settings = append(w.settings, "sends.commit_within=100ms", "sends.first_retry=100ms", "sends.longest_retry=1s", "webhook.allow_networks=127.0.0.1", "sql.max_rows=1000000")
	for i, r := range []*channeltest.Recorder{w.able, w.unable} {
		server := httptest.NewServer(busyNowAndThen(r))
		t.Cleanup(server.Close)
		w.urls[i] = server.URL
	}
	return w
}

// busyNowAndThen answers every tenth request or so with 503, untaken.
func busyNowAndThen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rand.IntN(10) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve starts the program, to be killed at a moment.
func (w *sendTrial) serve(fault string) {
	w.t.Helper()
	server, err := launch(w.command("serve", fault))
	if err != nil && fault != "" && strings.Contains(err.Error(), errEnded.Error()) {
		w.server = nil
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { server.end(syscall.SIGKILL) })
	w.server = server
	if server.key != "" {
		w.key = server.key
	}
	w.address.Store(&server.address)
}

// publish makes the workspace and puts its definitions in force.
func (w *sendTrial) publish() {
	w.t.Helper()
	text := fmt.Sprintf(sendDefinitions, w.urls[0], w.urls[1])
	for _, purpose := range []string{"marketing", "transactional"} {
		for _, to := range []string{"able", "unable"} {
			text += fmt.Sprintf(sendAction, purpose, to)
		}
	}
	file := filepath.Join(w.t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	for _, args := range [][]string{{"workspace", "create", "shop"}, {"key", "create", "browser", "--workspace", "shop", "--text", "web-key"}, {"apply", "-f", filepath.Dir(file)}} {
		command := exec.Command(w.binary, args...)
		command.Env = append(os.Environ(), "KIKUBARI_SERVER="+*w.address.Load(), "KIKUBARI_KEY="+w.key)
		if out, err := command.CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
}

// orders lets n clients order until the returned function is called, each order
// until it is acknowledged.
func (w *sendTrial) orders(n int) (unload func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var clients sync.WaitGroup
	for client := range n {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("%d-%d", client, i)
				body := fmt.Sprintf(`{"writeKey":"web-key","messageId":"m-%s","anonymousId":"a-%d-%d","event":"Order Completed","properties":{"order_id":"o-%s"}}`, id, client, i/3, id)
				for whole := context.WithoutCancel(ctx); !w.order(whole, body); {
					pause(whole, 50*time.Millisecond)
				}
				w.acked.Add(1)
				pause(ctx, 60*time.Millisecond)
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		clients.Wait()
	})
}

func (w *sendTrial) order(ctx context.Context, body string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *w.address.Load()+"/v1/track", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// settle waits until everything that was decided has a fate.
func (w *sendTrial) settle() {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; pause(w.t.Context(), 200*time.Millisecond) {
		events := w.query("select count(*) from events") // before the others: what it counts, they see
		decided, told := len(w.decisions()), len(w.fates())
		if int64(events[0][0].(float64)) == w.acked.Load() && decided == told {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d deliveries were decided, %d have a fate\n%s", decided, told, w.server.log)
		}
	}
}

// decisions returns the key of every delivery that was decided, with its action.
func (w *sendTrial) decisions() map[string]string {
	out := map[string]string{}
	for _, row := range w.query("select winner.action, winner.content->'data'->>'id' from (select unnest(winners) as winner from decisions) where winner.channel = 'webhook'") {
		out[row[1].(string)] = row[0].(string)
	}
	return out
}

// fates returns how each delivery ended; two rows for one are an error.
func (w *sendTrial) fates() map[string]string {
	out := map[string]string{}
	for _, row := range w.query("select delivery, fate from deliveries") {
		if _, twice := out[row[0].(string)]; twice {
			w.t.Errorf("the fate of %v is stored twice", row[0])
		}
		out[row[0].(string)] = row[1].(string)
	}
	return out
}

// audit compares what was decided with what arrived and with what we know of it.
func (w *sendTrial) audit() {
	w.t.Helper()
	decided, fates := w.decisions(), w.fates()
	arrived := map[string]map[string]int{"able": {}, "unable": {}}
	attempts := map[string]int{}
	for name, r := range map[string]*channeltest.Recorder{"able": w.able, "unable": w.unable} {
		for _, a := range r.Arrivals() {
			attempts[name]++
			var sent struct {
				Data struct{ ID string }
			}
			if err := json.Unmarshal([]byte(a.Payload), &sent); err != nil || sent.Data.ID != a.Key {
				w.t.Errorf("%s was sent with key %s", a.Payload, a.Key)
			}
		}
		arrived[name] = r.Accepted()
		for key := range arrived[name] {
			if _, ok := decided[key]; !ok {
				w.t.Errorf("%s was sent to %s and never decided", key, name)
			}
		}
	}
	missing, unknown, again := 0, 0, 0
	for key, action := range decided {
		purpose, to, _ := strings.Cut(action, "-")
		n, fate := arrived[to][key], fates[key]
		if fate == "unknown" {
			unknown++
		}
		switch {
		case to == "able" && (n != 1 || fate != "sent"):
			w.t.Errorf("%s %s: accepted %d times, its fate is %q", action, key, n, fate)
		case purpose == "marketing" && (n > 1 || n == 0 && fate != "unknown" || fate != "sent" && fate != "unknown"):
			w.t.Errorf("%s %s: arrived %d times, its fate is %q", action, key, n, fate)
		case purpose == "transactional" && (n == 0 || fate != "sent"):
			w.t.Errorf("%s %s: arrived %d times, its fate is %q", action, key, n, fate)
		}
		if n == 0 {
			missing++
		}
		if n > 1 {
			again++
		}
	}
	w.t.Logf("%d deliveries decided; the receiver that can tell got %d attempts and accepted %d, none twice", len(decided), attempts["able"], len(arrived["able"]))
	w.t.Logf("the one that cannot got %d attempts at %d; no marketing twice, %d of what is owed twice; %d stand as unknown, %d of them never arrived", attempts["unable"], len(arrived["unable"]), again, unknown, missing)
	if want := 4 * int(w.acked.Load()); len(decided) != want {
		w.t.Errorf("%d deliveries were decided for %d orders, want %d", len(decided), w.acked.Load(), want)
	}
}
