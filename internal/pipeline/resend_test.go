package pipeline_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// What has failed is put into the outbox once more, under its key, unless it has
// arrived meanwhile, is on its way, or the customer does not want it any more.
func TestResend(t *testing.T) {
	dir, clock := t.TempDir(), &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j, house := newPaper(clock), new(shelf)
	publish := pipeline.EncodePublication(&pipeline.Publication{Workspace: "demo", Canonical: townSets(t)[0]})
	if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryDefinitions, Payload: publish}}, nil); err != nil {
		t.Fatal(err)
	}
	order := added("tv", 1)
	order.Name, order.Properties = cx.OrderCompleted, []byte(`{"total":100,"currency":"JPY"}`)
	at := cx.NewCustomerID(say(t, j, order, clock.now()))
	path := filepath.Join(dir, "state.db")
	s, stop := live(t, j, path, house, pipeline.Options{})
	outbox := func() (waiting []cx.Delivery) {
		t.Helper()
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		err = state.EachDelivery(t.Context(), 0, func(d cx.Delivery) error {
			waiting = append(waiting, d)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return waiting
	}
	line := func() (state cx.AttentionState) {
		t.Helper()
		err := s.Inspect(t.Context(), at, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
			state = c.Ledger[0].State
		})
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	all := outbox()
	if len(all) != 1 {
		t.Fatalf("%d wait", len(all))
	}
	d := all[0]
	ends := func(state cx.DeliveryState) {
		t.Helper()
		f := cx.Fate{Key: d.Key, Workspace: d.Workspace, Customer: d.Customer, Decision: d.Decision, Action: d.Action, Channel: d.Channel, Destination: d.Destination, State: state}
		if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryFate, Payload: cx.AppendFate(nil, &f)}}, nil); err != nil {
			t.Fatal(err)
		}
		if waiting := outbox(); len(waiting) != 0 {
			t.Fatalf("%d wait after the fate is known", len(waiting))
		}
	}
	again := func(want cx.Kind) pipeline.Commanded {
		t.Helper()
		did, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandResend, Workspace: "demo", Who: "k_admin", Body: cx.AppendResend(nil, &d)})
		if want == 0 && err != nil || want != 0 && cx.KindOf(err) != want {
			t.Fatalf("sending again gives %v", err)
		}
		return did
	}
	again(cx.Conflict) // it is on its way
	for _, end := range []cx.DeliveryState{cx.DeliveryFailed, cx.DeliveryUnknown} {
		ends(end)
		clock.pass(time.Hour)
		did := again(0)
		want := d
		want.Position, want.At, want.Payload = did.Position, did.At, []byte{}
		if diff := cmp.Diff([]cx.Delivery{want}, outbox()); diff != "" {
			t.Errorf("to be sent again after it was %v (-want +got):\n%s", end, diff)
		}
		if got := line(); got != cx.Outgoing {
			t.Errorf("the ledger says %v", got)
		}
		again(cx.Conflict)
		stop()
		s, stop = live(t, j, path, house, pipeline.Options{})
	}
	ends(cx.DeliverySent)
	if got := line(); got != cx.Delivered {
		t.Errorf("the ledger says %v", got)
	}
	again(cx.Conflict) // it has arrived
	if n := len(house.batch.Deliveries); n != 3 {
		t.Errorf("%d fates are stored, want 3", n)
	}
	d.Customer = 99
	again(cx.NotFound)

	d.Customer, d.Purpose = at, cx.Marketing // which nobody has allowed
	again(cx.Conflict)
	stop()
	want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), pipeline.Options{Workers: 1})
	got := run(t, j, path, house, pipeline.Options{Workers: 3})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +recovered):\n%s", diff)
	}
}
