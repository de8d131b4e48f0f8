package pipeline_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// The fate of a delivery that was decided for two who turned out to be two persons
// is noted with whom it was said to, after a restart too.
func TestFateFindsItsLineAfterUnmerge(t *testing.T) {
	dir, clock := t.TempDir(), &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j, house := newPaper(clock), new(shelf)
	publish := pipeline.EncodePublication(&pipeline.Publication{Workspace: "demo", Canonical: townSets(t)[0]})
	if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryDefinitions, Payload: publish}}, nil); err != nil {
		t.Fatal(err)
	}
	at := map[string]cx.CustomerID{}
	for i, device := range []string{"tv", "car"} {
		at[device] = cx.NewCustomerID(say(t, j, added(device, i), clock.now()))
	}
	path := filepath.Join(dir, "state.db")
	s, stop := live(t, j, path, house, pipeline.Options{})
	if _, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, at["car"], at["tv"])}); err != nil {
		t.Fatal(err)
	}
	decided := map[string]cx.DecisionID{}
	for _, device := range []string{"tv", "car"} {
		ev := added(device, 10)
		ev.Name, ev.Properties = cx.OrderCompleted, []byte(`{"total":100,"currency":"JPY"}`)
		decided[device] = cx.NewDecisionID(say(t, j, ev, clock.now()))
	}
	if _, err := s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"]}); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	s, stop = live(t, j, path, house, pipeline.Options{})
	for device, state := range map[string]cx.DeliveryState{"tv": cx.DeliveryFailed, "car": cx.DeliverySent} {
		f := cx.Fate{Workspace: "demo", Customer: at["tv"], Decision: decided[device], Action: "tell-crm", Channel: cx.Webhook, Destination: "crm", State: state}
		if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryFate, Payload: cx.AppendFate(nil, &f)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]cx.AttentionState{"tv": cx.Failed, "car": cx.Delivered} {
		err := s.Inspect(t.Context(), at[device], func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
			if len(c.Ledger) != 1 || c.Ledger[0].Decision != decided[device] || c.Ledger[0].State != want {
				t.Errorf("%s was told %+v, want one line that is %v", device, c.Ledger, want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), pipeline.Options{Workers: 1})
	got := run(t, j, path, house, pipeline.Options{Workers: 3})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +recovered):\n%s", diff)
	}
}
