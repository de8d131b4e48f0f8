package decide_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/template"
)

// hook is an action that sends to a destination whenever anything happens.
func hook(tb testing.TB, name string, purpose cx.Purpose) decide.Action {
	tb.Helper()
	words, err := template.Parse("hello", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return decide.Action{
		Name: name, Purpose: purpose, Channel: cx.Webhook, Place: "crm", Destination: "crm", Value: 1,
		Triggers: []decide.Trigger{{Event: decide.AnyEvent}}, Message: &template.Message{Body: []template.Field{{Name: "text", Text: words}}},
	}
}

func TestOutgoingIsSentAndNotShown(t *testing.T) {
	banner := decide.Action{
		Name: "banner", Purpose: cx.Marketing, Channel: cx.Web, Place: "top-bar", Value: 1,
		Triggers: []decide.Trigger{{Event: decide.AnyEvent}}, Message: text(t, "hello"),
	}
	s := situation{Rates: rates{"banner": 1, "confirm": 1}, Allowed: []cx.Purpose{cx.Marketing, cx.Transactional}}
	in := s.input([]decide.Action{banner, hook(t, "confirm", cx.Transactional)})
	var d decide.Decider
	var out decide.Result
	d.Decide(in, &out)
	if len(out.Lines) != 2 {
		t.Fatalf("%d lines, want 2: %v", len(out.Lines), out.Candidates)
	}
	c := in.Scope.Customer
	decide.Reserve(c, out.Lines, noon, in.Scope.Zone)
	if due := decide.ReleaseAt(out.Lines); due != noon+decide.Reservation {
		t.Errorf("the reservation runs out at %v", due)
	}
	decide.Release(c, in.ID, noon+decide.Reservation)
	line := c.Ledger[1]
	if c.Ledger[0].State != cx.Released || line.State != cx.Outgoing || line.End != 0 || line.Said != nil || !line.Counts() {
		t.Errorf("the ledger: %+v", c.Ledger)
	}
	var sent struct {
		Type, Timestamp string
		Data            map[string]any
	}
	if err := json.Unmarshal(out.Decision.Treatments[1].Content, &sent); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": cx.NewSendKey(in.ID, noon, "confirm", "crm").String(), "workspace": "shop", "customer": c.ID.String(), "decision": in.ID.String(),
		"action": "confirm", "purpose": "transactional", "event": "E", "body": map[string]any{"text": "hello"},
	}
	if diff := cmp.Diff(want, sent.Data); diff != "" || sent.Type != "action.confirm" || sent.Timestamp != "2026-11-24T03:00:00Z" {
		t.Errorf("it sends %s %s (-want +got):\n%s", sent.Type, sent.Timestamp, diff)
	}
}

func TestFateIsNotedOnce(t *testing.T) {
	line := cx.Attention{Decision: 7, Notice: cx.NewNotice("confirm", "crm", cx.Webhook), State: cx.Outgoing, At: noon}
	for how, want := range map[cx.DeliveryState]cx.AttentionState{
		cx.DeliverySent: cx.Delivered, cx.DeliveryFailed: cx.Failed, cx.DeliveryUnknown: cx.Unsure, cx.DeliveryWithheld: cx.Failed,
	} {
		c := &cx.Customer{Ledger: []cx.Attention{line}}
		if decide.Settle(c, 8, "confirm", how, noon) || decide.Settle(c, 7, "other", how, noon) {
			t.Error("the fate of another is noted")
		}
		if !decide.Settle(c, 7, "confirm", how, noon+1) || decide.Settle(c, 7, "confirm", cx.DeliveryFailed, noon+2) {
			t.Errorf("%v is not noted once", how)
		}
		if l := c.Ledger[0]; l.State != want || l.End != noon+1 || l.Counts() != (want != cx.Failed) {
			t.Errorf("%v: %+v", how, l)
		}
	}
}

// What a company owes is stopped by its own caps only, and takes nothing from
// those of the policy.
func TestTransactionalStandsOutsideThePolicy(t *testing.T) {
	s := situation{Rates: rates{"confirm": 1, "offer": 1}, Allowed: []cx.Purpose{cx.Marketing, cx.Transactional}, Policy: decide.Policy{Caps: decide.Caps{Day: 1}}}
	confirm, offer := hook(t, "confirm", cx.Transactional), hook(t, "offer", cx.Marketing)
	confirm.Caps.Day, offer.Place = 2, "mailer"
	in := s.input([]decide.Action{confirm, offer})
	var d decide.Decider
	var out decide.Result
	for i, want := range [][2]cx.Gate{{cx.Passed, cx.Passed}, {cx.Passed, cx.GateDayCap}, {cx.GateActionCap, cx.GateDayCap}} {
		d.Decide(in, &out)
		if got := [2]cx.Gate{out.Candidates[0].Gate, out.Candidates[1].Gate}; got != want {
			t.Errorf("decision %d: gates %v, want %v", i, got, want)
		}
		decide.Reserve(in.Scope.Customer, out.Lines, noon, nil)
	}
}

// A receiver may report that a message was seen: nothing of it is on the page.
func TestReportOfOutgoing(t *testing.T) {
	c := &cx.Customer{Session: cx.Visit{Start: noon, Number: 1}, Ledger: []cx.Attention{{Decision: 7, Notice: cx.NewNotice("offer", "crm", cx.Webhook), State: cx.Delivered, At: noon, End: noon + 1}}}
	did, ok := decide.Report(c, decide.Fate{Decision: 7, Action: "offer", State: cx.Shown}, noon+5)
	if !ok || !did.Exposed || c.Ledger[0].End == 0 || c.Ledger[0].ShownAt != noon+5 {
		t.Errorf("%+v %v: %+v", did, ok, c.Ledger[0])
	}
}
