package profile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

// A kiosk: many people log in on one device.
func TestQuarantine(t *testing.T) {
	plan := NewPlan(Settings{}, nil)
	w := newTown(t, plan)
	n := 0
	call := func(device, user string) cx.CustomerID {
		n++
		ev := &cx.Event{
			Workspace: "demo", Key: "k", KeyKind: cx.BrowserKey, Type: cx.Track, Name: "Seen",
			MessageID: fmt.Sprint(n), AnonymousID: device, UserID: user,
		}
		if user != "" {
			ev.KeyKind, ev.Flags = cx.ServerKey, cx.Verified
		}
		w.event(ev, cx.At(uint64(n), 0), cx.Instant(n)*cx.Minute)
		w.check()
		if n := len(w.rows); n > 0 {
			return w.rows[n-1].Customer
		}
		return 0
	}
	kiosk := cx.Identity{Namespace: cx.AnonymousID, Value: "kiosk"}
	first := call("", "u0")
	call("kiosk", "") // a visitor, who is merged into the first user
	for i := range 5 {
		call("kiosk", fmt.Sprint("u", i))
		call("kiosk", fmt.Sprint("u", i))
		if len(w.resolver.Quarantined()) != 0 {
			t.Fatalf("in quarantine after %d users", i+1)
		}
	}
	if got := w.resolver.Lookup("demo", kiosk); got != first {
		t.Fatalf("the kiosk is of %s, want the first user", got)
	}
	sixth := call("kiosk", "u5")
	all := w.resolver.Quarantined()
	if len(all) != 1 || all[0].Identity.Value != "kiosk" || len(all[0].Seen) != 6 || !slices.Contains(all[0].Seen, sixth) {
		t.Fatalf("in quarantine: %+v", all)
	}
	own := all[0].Own
	if got := w.resolver.Lookup("demo", kiosk); got != own {
		t.Errorf("the kiosk is of %s, want %s of its own", got, own)
	}
	if Unlink(w.people[first], kiosk) {
		t.Error("the first user still has the kiosk")
	}
	if got := call("kiosk", ""); got != own {
		t.Errorf("an event of the kiosk alone is of %s, want %s", got, own)
	}
	if got := call("kiosk", "u0"); got != first {
		t.Errorf("a user's event on the kiosk is of %s, want the user", got)
	}
	merges := len(w.facts)
	call("kiosk", "u9")
	if len(w.facts) != merges || len(w.people[own].Identities) != 1 {
		t.Errorf("the kiosk linked somebody")
	}

	// Another resolver that reads what was stored knows the same.
	var again Resolver
	for _, x := range w.resolver.Sightings() {
		again.LoadSighting(x)
	}
	if diff := cmp.Diff(w.resolver.AppendSightings(nil), again.AppendSightings(nil)); diff != "" {
		t.Errorf("loaded sightings differ: %s", diff)
	}
	if again.Release("demo", cx.Identity{Namespace: cx.AnonymousID, Value: "other"}) || !again.Release("demo", kiosk) || again.Release("demo", kiosk) {
		t.Error("what is in quarantine is released once, and nothing else")
	}
	if changed := again.Sightings(); len(changed) != 1 || len(changed[0].Seen) != 0 || len(again.Quarantined()) != 0 {
		t.Errorf("after the release: %+v", changed)
	}

	// An ordinary value again: the next user takes it with what it did.
	w.resolver.Release("demo", kiosk)
	if got := call("kiosk", "u20"); got != own || len(w.people[own].Identities) != 2 {
		t.Errorf("after the release a new user on the kiosk is %s, want %s", got, own)
	}
}

// One person's many devices are no reason for quarantine.
func TestManyDevicesAreOnePerson(t *testing.T) {
	w := newTown(t, NewPlan(Settings{MergeOn: []cx.Namespace{cx.Mail}}, nil))
	for i := range 30 {
		visit := &cx.Event{Workspace: "demo", Key: "k", KeyKind: cx.BrowserKey, Type: cx.Track, Name: "Seen", MessageID: fmt.Sprint("v", i), AnonymousID: fmt.Sprint("d", i)}
		w.event(visit, cx.At(uint64(2*i+1), 0), cx.Instant(i)*cx.Hour)
		login := &cx.Event{
			Workspace: "demo", Key: "k", KeyKind: cx.ServerKey, Flags: cx.Verified, Type: cx.Identify, Name: cx.Identified, MessageID: fmt.Sprint("l", i),
			AnonymousID: fmt.Sprint("d", i), UserID: "hanako", Properties: []byte(`{"email":"hanako@x.jp"}`),
		}
		w.event(login, cx.At(uint64(2*i+2), 0), cx.Instant(i)*cx.Hour)
	}
	if len(w.people) != 1 || len(w.facts) != 29 || len(w.resolver.sightings) != 0 {
		t.Errorf("%d people, %d merges, %d sightings", len(w.people), len(w.facts), len(w.resolver.sightings))
	}
}
