package profile_test

import (
	"fmt"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// A shop keeps what is in the cart. Each event is resolved to its customer and
// folded.
func Example() {
	cart := cx.StatisticSpec{
		Aggregate: cx.SumOf, Event: "Product Added", Field: "price", Times: "quantity",
		Window: cx.Window{Kind: cx.Session},
	}
	settings := profile.Settings{Currency: "JPY"}
	plan := profile.NewPlan(settings, []profile.SlotSpec{{Slot: 0, Spec: cart}})
	var resolver profile.Resolver
	var folder profile.Folder
	customers := make(map[cx.CustomerID]*cx.Customer)

	now := cx.InstantOf(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	for i, body := range []string{`{"price": 4000, "quantity": 1}`, `{"price": 500, "quantity": 2, "currency": "JPY"}`} {
		ev := &cx.Event{
			Workspace: "demo", Key: "demo", KeyKind: cx.BrowserKey, Type: cx.Track, Name: "Product Added",
			MessageID: fmt.Sprint("m", i), AnonymousID: "a-1", Time: now, Properties: []byte(body),
		}
		at := cx.At(uint64(i+1), 0)
		who := resolver.Resolve(ev, at, now)
		if who.New {
			customers[who.Customer] = &cx.Customer{ID: who.Customer, Workspace: ev.Workspace}
		}
		c := customers[who.Customer]
		profile.Link(c, who.Links)
		out := folder.Apply(plan, c, ev, at, now, nil)
		fmt.Println("session started:", out.SessionStarted, "- cart:", folder.View(plan, c, now).Value(0))
	}
	// Output:
	// session started: true - cart: 4000
	// session started: false - cart: 5000
}

// When a visitor signs in on a second device, the two customers become one.
func ExampleResolver() {
	var r profile.Resolver
	say := func(at int, anonymous, user string) profile.Resolution {
		ev := &cx.Event{Workspace: "demo", Type: cx.Identify, KeyKind: cx.ServerKey, Flags: cx.Verified, AnonymousID: anonymous, UserID: user}
		return r.Resolve(ev, cx.At(uint64(at), 0), cx.Instant(at))
	}
	home := say(1, "phone", "u-1")
	guest := say(2, "laptop", "")
	both := say(3, "laptop", "u-1")
	fmt.Println(home.Customer != guest.Customer, both.Customer == home.Customer)
	fmt.Println(both.Merges[0].Loser == guest.Customer, both.Merges[0].Reason)
	// Output:
	// true true
	// true anonymous_id identify
}

// NextChange tells when to look again although nothing happens.
func ExampleFolder_NextChange() {
	spec := cx.StatisticSpec{Aggregate: cx.Count, Window: cx.Window{Kind: cx.Session}}
	plan := profile.NewPlan(profile.Settings{}, []profile.SlotSpec{{Slot: 0, Spec: spec}})
	var f profile.Folder
	c := &cx.Customer{ID: 1, Workspace: "demo"}
	now := cx.InstantOf(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	f.Apply(plan, c, &cx.Event{Key: "demo", MessageID: "m", Type: cx.Page, Name: cx.PageViewed, Time: now}, 1, now, nil)
	at, ok := f.NextChange(plan, c, 0, now)
	fmt.Println(at, ok)
	// Output: 2026-11-22T10:30:00.000000Z true
}

// Merge joins what two customers add up to.
func ExampleFolder_Merge() {
	spec := cx.StatisticSpec{Aggregate: cx.Distinct, Event: cx.PageViewed, Field: "path", Window: cx.Window{Kind: cx.AllTime}}
	plan := profile.NewPlan(profile.Settings{}, []profile.SlotSpec{{Slot: 0, Spec: spec}})
	var f profile.Folder
	a, b := &cx.Customer{ID: 1, Workspace: "demo"}, &cx.Customer{ID: 2, Workspace: "demo"}
	now := cx.InstantOf(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	view := func(c *cx.Customer, at cx.Position, path string) {
		ev := &cx.Event{Key: "demo", MessageID: at.String(), Type: cx.Page, Name: cx.PageViewed, Time: now, Properties: fmt.Appendf(nil, `{"path":%q}`, path)}
		f.Apply(plan, c, ev, at, now, nil)
	}
	view(a, 1, "/")
	view(a, 2, "/shirts")
	view(b, 3, "/")
	view(b, 4, "/socks")
	f.Merge(plan, a, b, now)
	fmt.Println(f.View(plan, a, now).Value(0), "pages in session", a.Session.Number)
	// Output: 3 pages in session 1
}
