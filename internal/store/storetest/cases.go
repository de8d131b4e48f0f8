package storetest

import (
	"math"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

func empty(t *testing.T, open func() pipeline.Store) {
	s := open()
	first := start(t, s)
	if first.head.Position != 0 || len(first.head.Shared) != 0 {
		t.Errorf("a new store recovered to %+v", first.head)
	}
	if second := start(t, s); second.head.Epoch <= first.head.Epoch {
		t.Errorf("epochs %d and then %d: they must grow", first.head.Epoch, second.head.Epoch)
	}
	equal(t, "customers", all(t, s), map[cx.CustomerID]string{})
	equal(t, "one customer", load(t, s, 1), map[cx.CustomerID]string{})
	if _, ok, err := s.SeenAt(ctx, 1, 1); ok || err != nil {
		t.Errorf("SeenAt on a new store: %v, %v", ok, err)
	}
}

func survives(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	identity := pipeline.IdentityRow{Workspace: "demo", Customer: 7, Identity: cx.Identity{Namespace: cx.AnonymousID, Value: "a-1", Since: 5}}
	m.commit(pipeline.Checkpoint{
		Shared:     []byte("shared state"),
		Customers:  []pipeline.CustomerRow{{ID: 7, Workspace: "demo", Due: 99, Blob: []byte("seven")}},
		Identities: []pipeline.IdentityRow{identity},
		Merged:     [][2]cx.CustomerID{{8, 7}},
		Spilled:    []pipeline.SpillRow{{Customer: 7, Message: 70, At: 1000}},
	})

	again := start(t, open()) // the first was never closed
	if again.head.Epoch <= m.head.Epoch {
		t.Errorf("epoch %d after %d", again.head.Epoch, m.head.Epoch)
	}
	again.head.Epoch = m.head.Epoch
	equal(t, "recovery", again.head, m.head)
	equal(t, "customers", all(t, again), map[cx.CustomerID]string{7: "seven"})
	equal(t, "due times", allDue(t, again), map[cx.CustomerID]cx.Instant{7: 99})
	equal(t, "identities", allIdentities(t, again), []pipeline.IdentityRow{identity})
	equal(t, "merged", allMerged(t, again), map[cx.CustomerID]cx.CustomerID{8: 7})
	if at, ok, err := again.SeenAt(ctx, 7, 70); at != 1000 || !ok || err != nil {
		t.Errorf("SeenAt = %d, %v, %v", at, ok, err)
	}
}

func customers(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	var rows []pipeline.CustomerRow
	var ids []cx.CustomerID
	for id := cx.CustomerID(1); id <= 100; id++ {
		rows, ids = append(rows, row(id, "first")), append(ids, id)
	}
	m.commit(pipeline.Checkpoint{Customers: rows})
	if n := len(load(t, m, ids...)); n != 100 {
		t.Errorf("%d of 100 customers were found", n)
	}
	m.commit(pipeline.Checkpoint{
		Customers: []pipeline.CustomerRow{row(2, "second"), row(3, ""), row(4, "changed, then merged away"), row(200, "new")},
		Gone:      []cx.CustomerID{4, 5, 999},
	})
	equal(t, "by id", load(t, m, 1, 2, 3, 4, 5, 200, 201),
		map[cx.CustomerID]string{1: "first", 2: "second", 3: "", 200: "new"})
	if n := len(all(t, m)); n != 99 {
		t.Errorf("%d customers are stored, want 99", n)
	}
}

func order(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	ids := []cx.CustomerID{0, 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 1, math.MaxUint64}
	var rows []pipeline.CustomerRow
	want := map[cx.CustomerID]string{}
	for _, id := range ids {
		rows = append(rows, row(id, id.String()))
		want[id] = id.String()
	}
	m.commit(pipeline.Checkpoint{Customers: rows})
	equal(t, "in order", all(t, m), want) // all checks the order
	equal(t, "by id", load(t, m, ids...), want)
	next := func(from, to cx.CustomerID, n int) (found []cx.CustomerID) {
		err := m.NextCustomers(ctx, from, to, n, func(id cx.CustomerID, blob []byte) error {
			if string(blob) != id.String() {
				t.Errorf("customer %s comes with %q", id, blob)
			}
			found = append(found, id)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	equal(t, "the next two", next(1, math.MaxUint64, 2), ids[1:3])
	equal(t, "up to one", next(math.MaxInt64, math.MaxUint64-1, 9), ids[2:5])
	equal(t, "between", len(next(2, 3, 9)), 0)
}

func identities(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	link := func(w cx.Workspace, n cx.Namespace, value string, c cx.CustomerID) pipeline.IdentityRow {
		return pipeline.IdentityRow{Workspace: w, Customer: c, Identity: cx.Identity{Namespace: n, Value: value, Since: cx.Instant(c)}}
	}
	m.commit(pipeline.Checkpoint{Identities: []pipeline.IdentityRow{
		link("demo", cx.UserID, "u-1", 1), link("demo", cx.Mail, "u-1", 2), link("other", cx.UserID, "u-1", 3),
		link("demo", cx.UserID, "聞配り", math.MaxUint64), link("demo", cx.AnonymousID, "twice", 4), link("demo", cx.AnonymousID, "twice", 5),
	}})
	m.commit(pipeline.Checkpoint{Identities: []pipeline.IdentityRow{link("demo", cx.Mail, "u-1", 9)}})
	equal(t, "identities", allIdentities(t, m), []pipeline.IdentityRow{
		link("demo", cx.UserID, "u-1", 1), link("demo", cx.UserID, "聞配り", math.MaxUint64), link("demo", cx.Mail, "u-1", 9),
		link("demo", cx.AnonymousID, "twice", 5), link("other", cx.UserID, "u-1", 3),
	})
}

func due(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	at := func(id cx.CustomerID, due cx.Instant) pipeline.CustomerRow {
		return pipeline.CustomerRow{ID: id, Workspace: "demo", Due: due, Blob: []byte("x")}
	}
	m.commit(pipeline.Checkpoint{Customers: []pipeline.CustomerRow{at(1, 10), at(2, 20), at(3, 0), at(4, 40)}})
	equal(t, "due", allDue(t, m), map[cx.CustomerID]cx.Instant{1: 10, 2: 20, 4: 40})
	m.commit(pipeline.Checkpoint{Customers: []pipeline.CustomerRow{at(1, 0), at(2, 21), at(3, 30)}, Gone: []cx.CustomerID{4}})
	equal(t, "due later", allDue(t, m), map[cx.CustomerID]cx.Instant{2: 21, 3: 30})
}

func spilled(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	seen := func(id cx.CustomerID, message uint64) uint32 {
		t.Helper()
		at, ok, err := m.SeenAt(ctx, id, message)
		if err != nil {
			t.Fatalf("SeenAt: %v", err)
		}
		if ok != (at != 0) {
			t.Errorf("SeenAt(%d, %d) = %d, %v", id, message, at, ok)
		}
		return at
	}
	m.commit(pipeline.Checkpoint{Spilled: spills([3]uint64{1, 10, 100}, [3]uint64{1, math.MaxUint64, 101}, [3]uint64{2, 10, 102})})
	equal(t, "marks", []uint32{seen(1, 10), seen(1, math.MaxUint64), seen(2, 10), seen(2, 11)}, []uint32{100, 101, 102, 0})

	m.commit(pipeline.Checkpoint{SpillFloor: 101})
	equal(t, "marks at a floor of 101", []uint32{seen(1, 10), seen(1, math.MaxUint64), seen(2, 10)}, []uint32{0, 101, 102})

	m.commit(pipeline.Checkpoint{Spilled: spills([3]uint64{3, 30, 50}, [3]uint64{1, 10, 200})}) // a floor never falls
	equal(t, "marks after more", []uint32{seen(1, 10), seen(1, math.MaxUint64), seen(3, 30)}, []uint32{200, 101, 0})
	for id, want := range map[cx.CustomerID]map[uint64]uint32{1: {10: 200, math.MaxUint64: 101}, 2: {10: 102}, 3: {}} {
		got := map[uint64]uint32{}
		if err := m.EachSeen(ctx, id, func(message uint64, at uint32) error {
			got[message] = at
			return nil
		}); err != nil {
			t.Fatalf("EachSeen: %v", err)
		}
		equal(t, "every mark of "+id.String(), got, want)
	}
}

func fenced(t *testing.T, open func() pipeline.Store) {
	old := start(t, open())
	old.commit(pipeline.Checkpoint{Customers: []pipeline.CustomerRow{row(1, "by the first")}})
	young := start(t, open())

	conflicts(t, "a checkpoint of the fenced one", old.Checkpoint(ctx, old.next(pipeline.Checkpoint{
		Customers: []pipeline.CustomerRow{row(1, "by the fenced one"), row(2, "x")},
	})))
	equal(t, "customers", all(t, young), map[cx.CustomerID]string{1: "by the first"})

	young.commit(pipeline.Checkpoint{Customers: []pipeline.CustomerRow{row(1, "by the second")}})
	conflicts(t, "the fenced one again", old.Checkpoint(ctx, old.next(pipeline.Checkpoint{})))
	equal(t, "customers at last", all(t, old), map[cx.CustomerID]string{1: "by the second"})
}

func misplaced(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	m.commit(pipeline.Checkpoint{Shared: []byte("one"), Customers: []pipeline.CustomerRow{row(1, "kept")}})

	for name, spoil := range map[string]func(*pipeline.Checkpoint){
		"before the last": func(c *pipeline.Checkpoint) { c.Previous = 0 },
		"after a gap":     func(c *pipeline.Checkpoint) { c.Previous++ },
		"older epoch":     func(c *pipeline.Checkpoint) { c.Epoch-- },
		"future epoch":    func(c *pipeline.Checkpoint) { c.Epoch++ },
	} {
		c := m.next(pipeline.Checkpoint{
			Shared: []byte("lost"), Customers: []pipeline.CustomerRow{row(1, "lost"), row(2, "lost")}, Gone: []cx.CustomerID{1},
			Identities: []pipeline.IdentityRow{{Workspace: "demo", Identity: cx.Identity{Namespace: cx.Mail, Value: "lost"}, Customer: 1}},
			Merged:     [][2]cx.CustomerID{{3, 1}}, Spilled: spills([3]uint64{1, 1, 1}),
		})
		spoil(c)
		conflicts(t, name, m.Checkpoint(ctx, c))
	}
	equal(t, "customers", all(t, m), map[cx.CustomerID]string{1: "kept"})
	equal(t, "identities", allIdentities(t, m), []pipeline.IdentityRow{})
	equal(t, "merged", allMerged(t, m), map[cx.CustomerID]cx.CustomerID{})
	if _, ok, _ := m.SeenAt(ctx, 1, 1); ok {
		t.Error("a mark of a refused checkpoint is in the store")
	}
	m.commit(pipeline.Checkpoint{}) // and the store is not stuck
	if r := start(t, m.Store).head; r.Position != m.head.Position {
		t.Errorf("recovered to %v, want %v", r.Position, m.head.Position)
	}
}

func callerError(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	m.commit(pipeline.Checkpoint{
		Customers:  []pipeline.CustomerRow{{ID: 1, Workspace: "demo", Due: 1, Blob: []byte("x")}},
		Identities: []pipeline.IdentityRow{{Workspace: "demo", Identity: cx.Identity{Namespace: cx.Mail, Value: "v"}, Customer: 1}},
		Merged:     [][2]cx.CustomerID{{2, 1}},
	})
	stop := func(cx.CustomerID, []byte) error { return errCaller }
	for name, err := range map[string]error{
		"Customers":     m.Customers(ctx, []cx.CustomerID{1}, stop),
		"EachCustomer":  m.EachCustomer(ctx, stop),
		"NextCustomers": m.NextCustomers(ctx, 0, math.MaxUint64, 1, func(cx.CustomerID, []byte) error { return errCaller }),
		"EachDue":       m.EachDue(ctx, func(cx.CustomerID, cx.Instant) error { return errCaller }),
		"EachIdentity":  m.EachIdentity(ctx, func(pipeline.IdentityRow) error { return errCaller }),
		"EachMerged":    m.EachMerged(ctx, func(cx.CustomerID, cx.CustomerID) error { return errCaller }),
	} {
		isCallerError(t, name, err)
	}
	equal(t, "after the errors", all(t, m), map[cx.CustomerID]string{1: "x"})
}

// spills makes marks of (customer, message, second).
func spills(marks ...[3]uint64) (rows []pipeline.SpillRow) {
	for _, m := range marks {
		rows = append(rows, pipeline.SpillRow{Customer: cx.CustomerID(m[0]), Message: m[1], At: uint32(m[2])})
	}
	return rows
}
