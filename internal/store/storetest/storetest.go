// Package storetest is the one suite that every pipeline.Store must pass. It
// runs against the real engine, never against a stand-in.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// Run runs the suite. Each call of place names an empty place; each call of the
// function it returns opens that place, without closing what opened it before,
// as after a crash. The implementation's test closes the stores by t.Cleanup.
func Run(t *testing.T, place func(t *testing.T) (open func() pipeline.Store)) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() pipeline.Store)
	}{
		{"an empty store recovers to position 0", empty},
		{"a checkpoint is what the next program finds", survives},
		{"customers are replaced and deleted", customers},
		{"ids are ordered as unsigned numbers", order},
		{"identities are replaced by key", identities},
		{"due times follow the customers", due},
		{"merges are kept, changed in order, and dropped with age", merges},
		{"sightings are replaced and removed", sightings},
		{"spilled marks are found until the floor passes them", spilled},
		{"the outbox holds what is not settled", outbox},
		{"a second user of the store is fenced off", fenced},
		{"a checkpoint that does not follow the last one is refused whole", misplaced},
		{"readers see the state before a checkpoint or after it", concurrent},
		{"an error of the caller's function comes back", callerError},
		{"any sequence of checkpoints gives the state of a map", random},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

var ctx = context.Background()

// machine keeps a store together with where its last checkpoint is.
type machine struct {
	pipeline.Store
	t    *testing.T
	head pipeline.Recovery
}

func start(t *testing.T, s pipeline.Store) *machine {
	t.Helper()
	r, err := s.Recover(ctx)
	if err != nil {
		t.Fatalf("Recover: %v", err)
	}
	return &machine{Store: s, t: t, head: r}
}

// next completes c as the checkpoint that follows the last one.
func (m *machine) next(c pipeline.Checkpoint) *pipeline.Checkpoint {
	c.Epoch, c.Previous = m.head.Epoch, m.head.Position
	c.Position = cx.At(c.Previous.Sequence()+1, 0)
	c.Time = m.head.Time + cx.Second
	return &c
}

func (m *machine) commit(c pipeline.Checkpoint) {
	m.t.Helper()
	n := m.next(c)
	if err := m.Checkpoint(ctx, n); err != nil {
		m.t.Fatalf("Checkpoint: %v", err)
	}
	m.head.Position, m.head.Time, m.head.Shared = n.Position, n.Time, n.Shared
}

func row(id cx.CustomerID, text string) pipeline.CustomerRow {
	return pipeline.CustomerRow{ID: id, Workspace: "demo", Blob: []byte(text)}
}

// all returns every stored customer's blob and fails when they are out of order.
func all(t *testing.T, s pipeline.Store) map[cx.CustomerID]string {
	t.Helper()
	out := map[cx.CustomerID]string{}
	last, first := cx.CustomerID(0), true
	err := s.EachCustomer(ctx, func(id cx.CustomerID, blob []byte) error {
		if !first && id <= last {
			t.Errorf("customer %d comes after %d", id, last)
		}
		last, first = id, false
		out[id] = string(blob)
		return nil
	})
	if err != nil {
		t.Fatalf("EachCustomer: %v", err)
	}
	return out
}

// load returns the blobs of those of ids that are stored.
func load(t *testing.T, s pipeline.Store, ids ...cx.CustomerID) map[cx.CustomerID]string {
	t.Helper()
	out := map[cx.CustomerID]string{}
	err := s.Customers(ctx, ids, func(id cx.CustomerID, blob []byte) error {
		out[id] = string(blob)
		return nil
	})
	if err != nil {
		t.Fatalf("Customers: %v", err)
	}
	return out
}

func allDue(t *testing.T, s pipeline.Store) map[cx.CustomerID]cx.Instant {
	t.Helper()
	out := map[cx.CustomerID]cx.Instant{}
	err := s.EachDue(ctx, func(id cx.CustomerID, at cx.Instant) error {
		out[id] = at
		return nil
	})
	if err != nil {
		t.Fatalf("EachDue: %v", err)
	}
	return out
}

func allIdentities(t *testing.T, s pipeline.Store) []pipeline.IdentityRow {
	t.Helper()
	var out []pipeline.IdentityRow
	err := s.EachIdentity(ctx, func(r pipeline.IdentityRow) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		t.Fatalf("EachIdentity: %v", err)
	}
	key := func(r pipeline.IdentityRow) string {
		return fmt.Sprint(r.Workspace, "\x00", uint8(r.Identity.Namespace), "\x00", r.Identity.Value)
	}
	slices.SortFunc(out, func(a, b pipeline.IdentityRow) int { return strings.Compare(key(a), key(b)) })
	return out
}

func allMerged(t *testing.T, s pipeline.Store) map[cx.CustomerID]cx.CustomerID {
	t.Helper()
	out := map[cx.CustomerID]cx.CustomerID{}
	err := s.EachMerged(ctx, func(loser, winner cx.CustomerID) error {
		out[loser] = winner
		return nil
	})
	if err != nil {
		t.Fatalf("EachMerged: %v", err)
	}
	return out
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func conflicts(t *testing.T, what string, err error) {
	t.Helper()
	if cx.KindOf(err) != cx.Conflict {
		t.Errorf("%s: got %v, want an error of kind conflict", what, err)
	}
}

// sortedKeys lists m's keys, so that failures read the same each time.
func sortedKeys[V any](m map[cx.CustomerID]V) []cx.CustomerID {
	return slices.Sorted(maps.Keys(m))
}

var errCaller = errors.New("the caller has had enough")
