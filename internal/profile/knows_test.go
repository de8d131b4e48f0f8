package profile

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

func TestKnows(t *testing.T) {
	var r Resolver
	r.Configure("demo", Settings{})
	call := func(n uint64, device, user string) cx.CustomerID {
		ev := &cx.Event{Workspace: "demo", KeyKind: cx.ServerKey, Type: cx.Track, Flags: cx.Verified, AnonymousID: device, UserID: user}
		return r.Resolve(ev, cx.At(n, 0), cx.Instant(n)).Customer
	}
	visitor, other, user := call(1, "a", ""), call(2, "b", ""), call(3, "", "u")
	merged := call(4, "c", "")
	call(5, "c", "u")
	unknown := cx.NewCustomerID(cx.At(9, 0))
	check := func(want map[cx.CustomerID]bool) {
		t.Helper()
		for id, known := range want {
			if got := r.Knows(id); got != known {
				t.Errorf("%s is known: %v, want %v", id, got, known)
			}
		}
	}
	check(map[cx.CustomerID]bool{visitor: true, other: true, user: true, merged: true, unknown: false, 0: false})
	r.Forget(visitor)
	r.Forget(merged)
	check(map[cx.CustomerID]bool{visitor: false, other: true, user: false, merged: false})
}

// A value that was released begins anew, whether a checkpoint came in between or
// not.
func TestReleasedSightingBeginsAnew(t *testing.T) {
	var r Resolver
	kiosk := cx.Identity{Namespace: cx.AnonymousID, Value: "kiosk"}
	since := kiosk
	since.Since = 7
	r.LoadSighting(Sighting{Workspace: "demo", Identity: since, Seen: []cx.CustomerID{1, 2}, Since: 5, Own: 3})
	if !r.Release("demo", kiosk) {
		t.Fatal("it is not in quarantine")
	}
	if x := r.sightings[kiosk.Hash("demo")]; x.Identity != kiosk || x.Since != 0 || x.Own != 0 || len(x.Seen) != 0 {
		t.Errorf("what is left: %+v", x)
	}
}
