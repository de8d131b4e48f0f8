package pipeline_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// home is a machine over a journal on paper that is stopped and started again.
type home struct {
	*testing.T
	dir   string
	clock *wall
	j     *paper
	house *shelf
	shard *pipeline.Shard
	stop  func()
	at    map[string]cx.CustomerID // by device
}

func newHome(t *testing.T, devices ...string) *home {
	t.Helper()
	h := &home{T: t, dir: t.TempDir(), clock: &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}, house: new(shelf), at: map[string]cx.CustomerID{}}
	h.j = newPaper(h.clock)
	h.start()
	for i, device := range devices {
		h.at[device] = cx.NewCustomerID(say(t, h.j, added(device, i), h.clock.now()))
	}
	return h
}

func (h *home) start() {
	h.shard, h.stop = live(h.T, h.j, filepath.Join(h.dir, "state.db"), h.house, pipeline.Options{})
}

func (h *home) restart() {
	h.Helper()
	h.save()
	h.stop()
	h.start()
}

func (h *home) save() {
	h.Helper()
	if err := h.shard.Flush(h.Context()); err != nil {
		h.Fatal(err)
	}
}

func (h *home) command(kind cx.CommandKind, body []byte) error {
	_, err := h.shard.Command(h.Context(), &cx.Command{Kind: kind, Workspace: "demo", Body: body})
	return err
}

func (h *home) merge(a, b cx.CustomerID) error {
	return h.command(cx.CommandMerge, cx.AppendPair(nil, a, b))
}

// compare holds the machine, recovered, against one that was never stopped.
func (h *home) compare() {
	h.Helper()
	h.stop()
	want := run(h.T, h.j, filepath.Join(h.dir, "plain.db"), new(shelf), pipeline.Options{Workers: 1})
	got := run(h.T, h.j, filepath.Join(h.dir, "state.db"), h.house, pipeline.Options{Workers: 3})
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("another state (-plain +recovered):\n%s", diff)
	}
}

// Who was erased is merged with nobody, also before a checkpoint knows of it.
func TestErasedIsMergedWithNobody(t *testing.T) {
	h := newHome(t, "tv", "car", "phone")
	if err := h.command(cx.CommandErase, cx.AppendErase(nil, h.at["tv"])); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]cx.CustomerID{{h.at["tv"], h.at["car"]}, {h.at["car"], h.at["tv"]}, {h.at["car"], 99}} {
		if err := h.merge(pair[0], pair[1]); cx.KindOf(err) != cx.NotFound {
			t.Errorf("merging %s and %s gives %v", pair[0], pair[1], err)
		}
	}
	h.restart()
	if err := h.merge(h.at["car"], h.at["phone"]); err != nil {
		t.Errorf("merging two who are there: %v", err)
	}
	h.compare()
}

// Whom an operator made one again are not kept apart after a restart.
func TestLiftedPairStaysLifted(t *testing.T) {
	h := newHome(t, "tv", "car", "phone")
	if err := h.merge(h.at["car"], h.at["tv"]); err != nil {
		t.Fatal(err)
	}
	if _, err := h.shard.Unmerge(t.Context(), h.house, pipeline.ToUnmerge{Workspace: "demo", Customer: h.at["car"]}); err != nil {
		t.Fatal(err)
	}
	h.save()
	if err := h.merge(h.at["car"], h.at["tv"]); err != nil {
		t.Fatal(err)
	}
	h.restart()
	if err := h.command(cx.CommandErase, cx.AppendErase(nil, h.at["phone"])); err != nil {
		t.Fatal(err) // what is kept apart is saved anew
	}
	h.save()
	h.compare()
}

// The customer of a value in quarantine is there, under that value, before any
// event tells of it.
func TestQuarantinedValueHasItsCustomer(t *testing.T) {
	h := newHome(t, "kiosk", "tv")
	for i := range 7 {
		h.clock.pass(time.Minute)
		say(t, h.j, cx.Event{
			Type: cx.Identify, Name: cx.Identified, KeyKind: cx.ServerKey, Flags: cx.Verified, AnonymousID: "kiosk", UserID: fmt.Sprint("u", i), MessageID: fmt.Sprint("login", i),
		}, h.clock.now())
	}
	h.save()
	all := h.shard.Quarantined("demo")
	if len(all) != 1 {
		t.Fatalf("in quarantine: %+v", all)
	}
	names := func(when string) {
		t.Helper()
		err := h.shard.Inspect(t.Context(), all[0].Own, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
			if len(c.Identities) != 1 || c.Identities[0].Value != "kiosk" {
				t.Errorf("%s it has %v", when, c.Identities)
			}
		})
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	names("in quarantine")
	if err := h.merge(all[0].Own, h.at["tv"]); err != nil {
		t.Fatal(err)
	}
	if _, err := h.shard.Unmerge(t.Context(), h.house, pipeline.ToUnmerge{Workspace: "demo", Customer: all[0].Own}); err != nil {
		t.Fatal(err)
	}
	h.restart()
	names("un-merged and restarted")
	h.compare()
}
