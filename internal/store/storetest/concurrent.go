package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// concurrent writes checkpoints in which all customers carry the checkpoint's
// number, while readers check that they never see two numbers at once.
func concurrent(t *testing.T, open func() pipeline.Store) {
	const people, checkpoints, readers = 60, 40, 3
	m := start(t, open())
	numbered := func(n uint64) (c pipeline.Checkpoint) {
		for id := cx.CustomerID(1); id <= people; id++ {
			c.Customers = append(c.Customers, pipeline.CustomerRow{ID: id << 57, Workspace: "demo", Blob: binary.BigEndian.AppendUint64(nil, n)})
		}
		return c
	}
	m.commit(numbered(0))
	var finished atomic.Bool
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for last := uint64(0); !finished.Load(); {
				n, err := oneNumber(m, people)
				if err != nil || n < last {
					t.Errorf("a reader saw number %d after %d: %v", n, last, err)
					return
				}
				last = n
			}
		})
	}
	for n := uint64(1); n <= checkpoints; n++ {
		m.commit(numbered(n))
	}
	finished.Store(true)
	wg.Wait()
	if n, err := oneNumber(m, people); n != checkpoints || err != nil {
		t.Errorf("at the end: number %d, %v", n, err)
	}
}

// oneNumber returns the number that all people carry.
func oneNumber(s pipeline.Store, people int) (number uint64, err error) {
	count := 0
	err = s.EachCustomer(ctx, func(_ cx.CustomerID, blob []byte) error {
		n := binary.BigEndian.Uint64(blob)
		if count++; count > 1 && n != number {
			return fmt.Errorf("numbers %d and %d at once", number, n)
		}
		number = n
		return nil
	})
	if err == nil && count != people {
		err = fmt.Errorf("%d people instead of %d", count, people)
	}
	return number, err
}

// random compares the store with plain maps over random checkpoints, crashes
// and refused checkpoints.
func random(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	people, links := map[cx.CustomerID]string{}, map[string]cx.CustomerID{}
	id := rapid.Map(rapid.Uint64Range(0, 15), func(n uint64) cx.CustomerID { return cx.CustomerID(n * 0x1111111111111111) })
	rapid.Check(t, func(r *rapid.T) {
		var c pipeline.Checkpoint
		nextPeople, nextLinks := maps.Clone(people), maps.Clone(links)
		for n := range rapid.IntRange(0, 6).Draw(r, "customers") {
			row := row(id.Draw(r, "id"), fmt.Sprint(n, m.head.Position))
			if _, twice := find(c.Customers, row.ID); !twice {
				c.Customers = append(c.Customers, row)
				nextPeople[row.ID] = string(row.Blob)
			}
		}
		for range rapid.IntRange(0, 2).Draw(r, "gone") {
			gone := id.Draw(r, "gone id")
			c.Gone = append(c.Gone, gone)
			delete(nextPeople, gone)
		}
		for range rapid.IntRange(0, 4).Draw(r, "identities") {
			value, customer := rapid.SampledFrom([]string{"a", "b", "", "日本", "a\x00b"}).Draw(r, "value"), id.Draw(r, "linked")
			c.Identities = append(c.Identities, pipeline.IdentityRow{Workspace: "demo", Customer: customer, Identity: cx.Identity{Namespace: cx.Phone, Value: value}})
			nextLinks[value] = customer
		}
		if rapid.IntRange(0, 4).Draw(r, "refused") == 0 {
			bad := m.next(c)
			bad.Previous++
			conflicts(t, "misplaced", m.Checkpoint(ctx, bad))
		} else {
			m.commit(c)
			people, links = nextPeople, nextLinks
		}
		if rapid.IntRange(0, 9).Draw(r, "crash") == 0 {
			m = start(t, open())
		}
		equal(t, "customers", all(t, m), people)
		equal(t, "by id", load(t, m, sortedKeys(people)...), people)
		got := map[string]cx.CustomerID{}
		for _, row := range allIdentities(t, m) {
			got[row.Identity.Value] = row.Customer
		}
		equal(t, "identities", got, links)
		if t.Failed() {
			r.FailNow()
		}
	})
}

func find(rows []pipeline.CustomerRow, id cx.CustomerID) (int, bool) {
	for i := range rows {
		if rows[i].ID == id {
			return i, true
		}
	}
	return 0, false
}

func isCallerError(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, errCaller) {
		t.Errorf("%s returned %v, want the caller's error", what, err)
	}
}
