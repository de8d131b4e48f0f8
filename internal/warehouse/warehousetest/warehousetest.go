// Package warehousetest is the one suite that every engine of the warehouse must
// pass, with answers written down once: two dialects of SQL may not differ in
// what they say. It runs against the real engine, never against a stand-in.
package warehousetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// Warehouse is what an engine offers.
type Warehouse interface {
	pipeline.Warehouse
	warehouse.Reader
	Close() error
}

// Run runs the suite. Each call of place names an empty place; each call of the
// function it returns opens that place after what was opened before has been
// closed. Close may be called twice.
func Run(t *testing.T, place func(t *testing.T) (open func() Warehouse)) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() Warehouse)
	}{
		{"an empty warehouse is at position 0", empty},
		{"a batch is there after a restart", restart},
		{"of an erased person no row stays", erased},
		{"rows are taken once", once},
		{"a batch that fails leaves nothing", whole},
		{"values come back as they were written", values},
		{"a story is told newest first, with those merged in, page by page", story},
		{"an un-merge gives back what is whose", resorted},
		{"a decision is found by its id", decision},
		{"an event is found by its position", eventAt},
		{"the newest events", recent},
		{"golden answers", golden},
		{"nothing crosses from one workspace to another", workspaces},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

var ctx = context.Background()

func appendTo(t *testing.T, w pipeline.Warehouse, b pipeline.Batch) {
	t.Helper()
	if err := w.Append(ctx, &b); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// ask returns the rows of an answer as one JSON text.
func ask(t *testing.T, w warehouse.Reader, ws cx.Workspace, statement string) string {
	t.Helper()
	table, err := w.Query(ctx, ws, statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	b, err := json.Marshal(table.Rows)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return string(b)
}

func at(sequence uint64, index int) cx.Position { return cx.At(sequence, index) }

// day0 is Monday 2026-11-02T00:00:00Z.
const day0 cx.Instant = 1_793_577_600 * cx.Second

func event(p cx.Position, w cx.Workspace, c cx.CustomerID, when cx.Instant, name cx.EventName, properties string) pipeline.EventRow {
	return pipeline.EventRow{Position: p, At: when, Customer: c, Session: 1, Event: &cx.Event{
		Workspace: w, Key: "k_1", KeyKind: cx.BrowserKey, Type: cx.Track, Name: name, MessageID: fmt.Sprint("m-", p),
		AnonymousID: fmt.Sprint("a-", uint64(c)), Time: when - cx.Second, ReceivedAt: when, Properties: []byte(properties),
	}}
}

func position(t *testing.T, w pipeline.Warehouse, want cx.Position) {
	t.Helper()
	got, err := w.Position(ctx)
	if got != want || err != nil {
		t.Errorf("Position() = %v, %v; want %v", got, err, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func kind(t *testing.T, what string, err error, want cx.Kind) {
	t.Helper()
	if err == nil || cx.KindOf(err) != want {
		t.Errorf("%s: got %v, want an error of kind %v", what, err, want)
	}
}
