package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestNothingShared: two customers folded by one Folder, from events whose
// memory is overwritten after each, are what each becomes with a Folder and
// events of its own.
func TestNothingShared(t *testing.T) {
	specs := append(shopSpecs(t), everySpec()...)
	for i := range specs {
		specs[i].Slot = i
	}
	p := NewPlan(Settings{Zone: mustZone(t, "Asia/Tokyo"), Currency: "JPY", MergeOn: []cx.Namespace{cx.Mail}}, specs)
	rapid.Check(t, func(t *rapid.T) {
		var one Folder
		var own [2]Folder
		var resolvers [2]Resolver
		var shared, apart [2]cx.Customer
		var rows [2][]IdentityRow
		var memory []byte
		for i, a := range arrivals(t, []cx.Instant{cx.Second, 10 * cx.Minute, cx.Hour}) {
			ev := a.ev
			ev.Workspace, ev.AnonymousID, ev.Flags = "demo", fmt.Sprint("a", i%3), cx.Verified
			ev.Name = mix[i%len(mix)]
			ev.Properties = fmt.Appendf(nil, `{"v": %d, "category": "c \u0041 %d", "price": %d, "quantity": 2, "email": "m%d@example.com"}`, i, i%4, 100*i, i%2)
			if i%5 == 4 {
				ev.Type, ev.GroupID = cx.Group, fmt.Sprint("g", i)
			}
			at := cx.At(uint64(i+1), 0)
			memory = cx.AppendEvent(memory[:0], &ev)
			var alias cx.Event
			if err := cx.DecodeEvent(memory, &alias); err != nil {
				t.Fatal(err)
			}
			Link(&shared[a.of], resolvers[0].Resolve(&alias, at, a.now).Links)
			one.Apply(p, &shared[a.of], &alias, at, a.now, nil)
			one.View(p, &shared[1-a.of], a.now).Value(3)
			for k := range memory {
				memory[k] = '#'
			}
			Link(&apart[a.of], resolvers[1].Resolve(&ev, at, a.now).Links)
			own[a.of].Apply(p, &apart[a.of], &ev, at, a.now, nil)
		}
		for i := range 2 {
			rows[i], _ = resolvers[i].Changes()
			if !bytes.Equal(AppendCustomer(nil, &shared[i]), AppendCustomer(nil, &apart[i])) {
				t.Fatal("(-apart +shared):", cmp.Diff(apart[i], shared[i]))
			}
		}
		if diff := cmp.Diff(rows[1], rows[0]); diff != "" {
			t.Fatal("rows (-own +aliased):", diff)
		}
	})
}

// FuzzCompactJSON: traits are kept as the standard library compacts them.
func FuzzCompactJSON(f *testing.F) {
	f.Add([]byte(` { "a b" : [ 1 , "\" x" , null ] } `))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want bytes.Buffer
		if !json.Valid(b) || json.Compact(&want, b) != nil {
			return
		}
		if got := compactJSON(nil, b); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q becomes %q, want %q", b, got, want.Bytes())
		}
	})
}
