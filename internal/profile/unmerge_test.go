package profile

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// town is a small machine: a resolver, a folder and everybody, with the facts
// of its merges and the rows of what was folded.
type town struct {
	t        *testing.T
	plan     *Plan
	resolver Resolver
	folder   Folder
	people   map[cx.CustomerID]*cx.Customer
	merged   map[cx.CustomerID]cx.CustomerID // as it was made
	facts    []MergeFact
	rows     []townRow
	undone   []MergeFact // what never happens in this world
	links    []IdentityRow

	outsiders []outsider

	few      []SlotSpec // by which every un-merge is folded again
	refolded int        // customers so far
}

type townRow struct {
	Sorted
	now cx.Instant
	ev  *cx.Event
}

func newTown(t *testing.T, plan *Plan) *town {
	t.Helper()
	w := &town{t: t, plan: plan, people: map[cx.CustomerID]*cx.Customer{}, merged: map[cx.CustomerID]cx.CustomerID{}}
	w.resolver.Configure("demo", plan.settings)
	return w
}

func (w *town) person(id cx.CustomerID, now cx.Instant) *cx.Customer {
	if w.people[id] == nil {
		w.people[id] = &cx.Customer{ID: id, Workspace: "demo", CreatedAt: now}
	}
	return w.people[id]
}

// part keeps apart whoever a merge at this position is not to join.
func (w *town) part(at cx.Position) (parted bool) {
	for i := range w.undone {
		if f := &w.undone[i]; f.Position == at {
			w.resolver.KeepApart(f.Winner, f.Loser)
			parted = true
		}
	}
	return parted
}

func (w *town) event(ev *cx.Event, at cx.Position, now cx.Instant) {
	w.part(at)
	found := w.resolver.Resolve(ev, at, now)
	if found.Customer == 0 {
		return
	}
	for i, m := range found.Merges {
		w.merge(m, at, uint8(i), now)
	}
	for _, m := range found.Moves {
		Unlink(w.person(m.From, now), m.Identity)
	}
	for _, x := range found.Isolated {
		Link(w.person(x.Customer, now), []cx.Identity{x.Identity})
	}
	c := w.person(found.Customer, now)
	Link(c, found.Links)
	if out := w.folder.Apply(w.plan, c, ev, at, now, nil); !out.Duplicate {
		w.rows = append(w.rows, townRow{Sorted{at, c.ID}, now, ev})
	}
	w.note()
}

func (w *town) merge(m Merge, at cx.Position, index uint8, now cx.Instant) {
	winner := w.person(m.Winner, now)
	loser := w.people[m.Loser]
	if loser == nil {
		loser = &cx.Customer{ID: m.Loser}
	}
	w.facts = append(w.facts, MergeFact{
		Merge: m.Clone(), Position: at, Index: index, At: now, Workspace: "demo",
		WinnerBefore: AppendCustomer(nil, winner), LoserBefore: AppendCustomer(nil, loser),
	})
	w.folder.Merge(w.plan, winner, loser, now)
	delete(w.people, m.Loser)
}

func (w *town) join(a, b cx.CustomerID, at cx.Position, now cx.Instant) bool {
	if w.part(at) {
		return true
	}
	m, ok := w.resolver.Join(a, b)
	if ok {
		w.merge(m, at, 0, now)
		w.note()
	}
	return ok
}

func (w *town) note() {
	links, pairs := w.resolver.Changes()
	w.links = append(w.links, links...)
	for _, p := range pairs {
		if w.merged[p[0]] = p[1]; p[0] == p[1] {
			delete(w.merged, p[0])
		}
	}
}

// unmerge undoes the i-th fact and returns who came of it, nil when it cannot be
// undone.
func (w *town) unmerge(i int, at cx.Position) map[cx.CustomerID]bool {
	fact := &w.facts[i]
	present := w.people[w.resolver.Current(fact.Winner)]
	family := map[cx.CustomerID]cx.CustomerID{}
	for id, winner := range w.merged {
		if w.resolver.Current(id) == present.ID {
			family[id] = winner
		}
	}
	var later []MergeFact
	for _, f := range w.facts[i+1:] {
		if f.Undone == 0 {
			later = append(later, f)
		}
	}
	u, err := NewUnmerging(w.plan, present, fact, later, family, w.resolver.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range u.Spans() {
		for _, r := range w.rows {
			if r.Customer == s.Customer && r.Position >= s.From && r.Position < s.To {
				if err := u.Event(r.ev, r.Position, r.now); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
	out, err := u.End()
	if cx.KindOf(err) == cx.Conflict && err != nil {
		return nil
	} else if err != nil {
		w.t.Fatal(err)
	}
	w.refold(fact, later, out)
	for _, f := range later {
		if slices.Contains(out.Forget, f.Key()) {
			w.outsiders = append(w.outsiders, outsiderOf(u, f))
		}
	}
	w.apply(i, out, at)
	parts := map[cx.CustomerID]bool{}
	for _, p := range out.Parts {
		parts[p.Customer.ID] = true
	}
	return parts
}

// outsider is somebody who was merged into a customer before that was un-merged.
type outsider struct {
	id     cx.CustomerID
	at     cx.Position
	before []byte
}

func outsiderOf(u *Unmerging, f MergeFact) outsider {
	if u.held(f.Loser, f.Position) {
		return outsider{f.Winner, f.Position, f.WinnerBefore}
	}
	return outsider{f.Loser, f.Position, f.LoserBefore}
}

// knows reports whether outsiders of an entry are in this world what they were.
func (w *town) knows(outsiders []outsider, at cx.Position) bool {
	for _, o := range outsiders {
		if o.at != at || o.id.Position() == at {
			continue
		}
		if c := w.people[o.id]; c == nil || !bytes.Equal(AppendCustomer(nil, c), o.before) {
			return false
		}
	}
	return true
}

func (w *town) apply(i int, out *Unmerged, at cx.Position) {
	w.facts[i].Undone = at
	undone := w.facts[i]
	w.facts = slices.DeleteFunc(w.facts, func(f MergeFact) bool { return slices.Contains(out.Forget, f.Key()) })
	w.facts = append(w.facts, out.Facts...)
	slices.SortStableFunc(w.facts, func(a, b MergeFact) int {
		if a.Position != b.Position {
			return int(a.Position) - int(b.Position)
		}
		return int(a.Index) - int(b.Index)
	})
	parts := make([]Part, len(out.Parts))
	for i, p := range out.Parts {
		parts[i] = p.Part
		w.people[p.Customer.ID] = p.Customer
	}
	w.resolver.Split(parts, out.Merged())
	w.resolver.KeepApart(undone.Winner, undone.Loser)
	w.note()
	for _, e := range out.Events {
		for i := range w.rows {
			if w.rows[i].Position == e.Position {
				w.rows[i].Customer = e.Customer
			}
		}
	}
}

// state is everybody, encoded.
func (w *town) state() map[cx.CustomerID]string {
	out := map[cx.CustomerID]string{}
	for id, c := range w.people {
		out[id] = string(AppendCustomer(nil, c))
	}
	return out
}

// check holds what is always true: whoever an identity leads to has it, and
// merges are in order.
func (w *town) check() {
	w.t.Helper()
	for i := 1; i < len(w.facts); i++ {
		if a, b := &w.facts[i-1], &w.facts[i]; a.Position == b.Position && a.Index >= b.Index {
			w.t.Fatalf("of two merges at %v, %s into %s and %s into %s, nobody can tell which came first", a.Position, a.Loser, a.Winner, b.Loser, b.Winner)
		}
	}
	for id, c := range w.people {
		var who standing
		for _, n := range c.Identities {
			if owner := w.resolver.Lookup("demo", n); owner != id {
				w.t.Fatalf("%s has %s %s, which leads to %s", id, n.Namespace, n.Value, owner)
			}
			who.add(n.Namespace)
		}
		got := w.resolver.at(id)
		if got != who {
			w.t.Fatalf("%s stands as %+v and has %+v", id, got, who)
		}
	}
}

// reloaded returns a resolver that was made from what a store has of w's.
func (w *town) reloaded() *Resolver {
	r := new(Resolver)
	r.Configure("demo", w.plan.settings)
	for _, row := range lastRows(w.links) {
		r.LoadIdentity(row)
	}
	for loser, winner := range w.merged {
		r.LoadMerged(loser, winner)
	}
	for _, pair := range w.resolver.Apart() {
		r.KeepApart(pair[0], pair[1])
	}
	for _, id := range w.resolver.Nameless() {
		r.LoadNameless(id)
	}
	for _, x := range w.resolver.sightings {
		r.LoadSighting(*x)
	}
	r.settle()
	return r
}

// checkReloaded holds that everybody is who they are, and as strong, after a
// restart.
func (w *town) checkReloaded(known []cx.CustomerID) {
	w.t.Helper()
	again := w.reloaded()
	for _, id := range known {
		now := w.resolver.Current(id)
		if got := again.Current(id); got != now {
			w.t.Fatalf("%s is %s and, reloaded, %s", id, now, got)
		}
		if was, is := w.resolver.at(now), again.at(now); was != is {
			w.t.Fatalf("%s stands as %+v and, reloaded, as %+v", now, was, is)
		}
	}
}

// One event merged two others before it brought in somebody whose merge is undone
// later: the merges of that event stay in order, so that what came of them can be
// undone too.
func TestMergesOfOneEventStayInOrder(t *testing.T) {
	w := newTown(t, NewPlan(Settings{MergeOn: []cx.Namespace{cx.Mail}}, nil))
	position, now := uint64(0), cx.Instant(0)
	call := func(user, mail, device string) cx.CustomerID {
		position++
		now += cx.Second
		ev := &cx.Event{
			Workspace: "demo", Key: "k", KeyKind: cx.ServerKey, Flags: cx.Verified, Type: cx.Identify, Name: cx.Identified,
			MessageID: fmt.Sprint(position), AnonymousID: device, UserID: user, Properties: fmt.Appendf(nil, `{"email":%q}`, mail),
		}
		w.event(ev, cx.At(position, 0), now)
		return w.resolver.Lookup("demo", cx.Identity{Namespace: cx.AnonymousID, Value: device})
	}
	person, other := call("", "", "desk"), call("", "", "sofa")
	user, friend := call("u", "", "phone"), call("", "f@x.jp", "tablet")
	position++
	w.join(person, other, cx.At(position, 0), now)
	call("u", "f@x.jp", "desk")
	if len(w.facts) != 3 || w.facts[1].Loser != friend || w.facts[2].Loser != person || w.facts[2].Winner != user {
		t.Fatalf("%d merges: not what is to be shown", len(w.facts))
	}
	position++
	if parts := w.unmerge(0, cx.At(position, 0)); !parts[other] {
		t.Fatalf("the un-merge makes %v", parts)
	}
	w.check()
	position++
	if parts := w.unmerge(1, cx.At(position, 0)); !parts[friend] {
		t.Fatalf("the next un-merge makes %v", parts)
	}
	w.check()
}

// TestUnmergeIsAsIfNeverMerged lets random people identify themselves, share
// devices, be merged and un-merged, and holds the result against a world in
// which the merges that were undone were never made: everybody must be the same,
// byte for byte, right after each un-merge and at the end. Where a merge had
// changed what became of a customer outside of it, whom an un-merge does not
// touch, the worlds differ from then on; such sequences must be few.
func TestUnmergeIsAsIfNeverMerged(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	var specs []SlotSpec
	for i, text := range []string{`count("*", "all")`, `sum("Bought", "price", "session")`, `count("Bought", "7d")`, `distinct("Bought", "sku", "all")`, `last("Bought", "sku", "all")`, `count("*", "session")`} {
		specs = append(specs, SlotSpec{Slot: i, Spec: parseSpec(t, text)})
	}
	plan := NewPlan(Settings{MergeOn: []cx.Namespace{cx.Mail}}, specs)
	undone, elsewhere, refolded := 0, 0, 0
	for seed := range uint64(n) {
		h := history{t: t, seed: seed, town: newTown(t, plan)}
		h.town.few = fewOf(specs)
		h.happen()
		undone, refolded = undone+len(h.town.undone), refolded+h.town.refolded
		if h.elsewhere {
			elsewhere++
		}
	}
	t.Logf("%d sequences, %d un-merges; in %d sequences a merge had changed others", n, undone, elsewhere)
	if undone < n/2 || refolded < n/2 || elsewhere > n/10 {
		t.Errorf("%d un-merges in %d sequences, %d of them with others changed: that proves little", undone, n, elsewhere)
	}
}

// history is one random log and the town it makes.
type history struct {
	t         *testing.T
	seed      uint64
	town      *town
	log       []townEntry
	elsewhere bool            // a merge had changed somebody outside of it
	known     []cx.CustomerID // who ever was
}

func (e townEntry) String() string {
	if e.ev == nil {
		return fmt.Sprintf("%v join %s %s", e.at, e.join[0], e.join[1])
	}
	return fmt.Sprintf("%v %s %q %q %q verified=%v %s", e.at, e.ev.Type, e.ev.AnonymousID, e.ev.UserID, e.ev.PreviousID, e.ev.Has(cx.Verified), e.ev.Properties)
}

// townEntry is one entry of the log: an event or, without one, a merge.
type townEntry struct {
	at   cx.Position
	now  cx.Instant
	ev   *cx.Event
	join [2]cx.CustomerID
}

func (h *history) happen() {
	h.t.Helper()
	r := rand.New(rand.NewPCG(h.seed, 7))
	now := cx.InstantOf(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	for i := range 4 + r.IntN(22) {
		at := cx.At(uint64(i+1), 0)
		now += cx.Instant(r.IntN(1500)) * cx.Second
		switch k := r.IntN(10); {
		case k == 0 && len(h.known) > 1:
			join := [2]cx.CustomerID{h.known[r.IntN(len(h.known))], h.known[r.IntN(len(h.known))]}
			if h.town.join(join[0], join[1], at, now) {
				h.log = append(h.log, townEntry{at: at, now: now, join: join})
			}
		case k <= 3 && len(h.town.facts) > 0:
			h.unmerge(r.IntN(len(h.town.facts)), at)
		default:
			ev := randomCall(r, i, now)
			h.town.event(ev, at, now)
			h.log = append(h.log, townEntry{at: at, now: now, ev: ev})
		}
		for _, id := range slices.Sorted(maps.Keys(h.town.people)) {
			if !slices.Contains(h.known, id) {
				h.known = append(h.known, id)
			}
		}
		h.town.check()
	}
	h.town.checkReloaded(h.known)
	h.compare(nil)
}

func (h *history) unmerge(i int, at cx.Position) {
	h.t.Helper()
	f := h.town.facts[i]
	if f.Undone != 0 {
		return
	}
	if parts := h.town.unmerge(i, at); parts != nil {
		h.town.undone = append(h.town.undone, f)
		h.compare(parts)
	}
}

// compare holds the town against the one in which what was undone was never
// done. parts are those whom an un-merge has just made.
func (h *history) compare(parts map[cx.CustomerID]bool) {
	h.t.Helper()
	if h.elsewhere {
		return
	}
	never := newTown(h.t, h.town.plan)
	never.undone = h.town.undone
	for _, e := range h.log {
		if !never.knows(h.town.outsiders, e.at) {
			h.elsewhere = true
			return
		}
		if e.ev != nil {
			never.event(e.ev, e.at, e.now)
		} else {
			never.join(e.join[0], e.join[1], e.at, e.now)
		}
	}
	want, got := never.state(), h.town.state()
	if maps.Equal(want, got) {
		for _, id := range h.known {
			if a, b := never.resolver.Current(id), h.town.resolver.Current(id); a != b && never.resolver.merged[id] != 0 {
				h.t.Fatalf("seed %d: %s is %s and would be %s", h.seed, id, b, a)
			}
		}
		return
	}
	for id := range got {
		if !parts[id] && want[id] != got[id] && parts != nil {
			h.elsewhere = true
			return
		}
	}
	for _, f := range h.town.undone {
		h.t.Logf("%v: %s took %s, un-merged", f.Position, f.Winner, f.Loser)
	}
	h.t.Log(h.town.resolver.Apart(), never.resolver.Apart())
	show(h.t, "as if never merged", never)
	show(h.t, "un-merged", h.town)
	for _, e := range h.log {
		h.t.Log(e)
	}
	h.t.Fatalf("seed %d: another state after %d entries", h.seed, len(h.log))
}

func show(t *testing.T, name string, w *town) {
	t.Helper()
	var b bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(w.people)) {
		c := w.people[id]
		fmt.Fprintf(&b, "  %s at %v:", id, id.Position())
		for _, n := range c.Identities {
			fmt.Fprintf(&b, " %s=%s", n.Namespace, n.Value)
		}
		for _, r := range w.rows {
			if r.Customer == id {
				fmt.Fprintf(&b, " %v", r.Position)
			}
		}
		fmt.Fprintln(&b)
	}
	t.Logf("%s:\n%s", name, b.String())
}

// randomCall is a call by one of a few people who share devices.
func randomCall(r *rand.Rand, i int, now cx.Instant) *cx.Event {
	ev := &cx.Event{
		Workspace: "demo", Key: "k", KeyKind: cx.BrowserKey, Type: cx.Track, Name: "Bought", Flags: cx.TimeSet, Time: now, ReceivedAt: now,
		MessageID: fmt.Sprint("m", i), AnonymousID: fmt.Sprint("a", r.IntN(4)),
		Properties: fmt.Appendf(nil, `{"price":%d,"sku":"s%d"}`, 100*(1+r.IntN(5)), r.IntN(3)),
	}
	switch r.IntN(8) {
	case 0, 1, 2:
		ev.Type, ev.Name, ev.UserID = cx.Identify, cx.Identified, fmt.Sprint("u", r.IntN(3))
		ev.Properties = fmt.Appendf(nil, `{"email":"m%d@x.jp","plan":"p%d"}`, r.IntN(3), r.IntN(3))
		if r.IntN(3) > 0 {
			ev.Flags, ev.KeyKind = ev.Flags|cx.Verified, cx.ServerKey
		}
		if r.IntN(3) == 0 {
			ev.UserID = ""
		}
		if r.IntN(4) == 0 {
			ev.AnonymousID = ""
		}
	case 3:
		if r.IntN(2) == 0 {
			ev.Type, ev.Name, ev.UserID, ev.PreviousID = cx.Alias, cx.Aliased, fmt.Sprint("u", r.IntN(3)), fmt.Sprint("a", r.IntN(4))
			ev.AnonymousID = ""
			if r.IntN(2) == 0 {
				ev.Flags, ev.KeyKind, ev.PreviousID = ev.Flags|cx.Verified, cx.ServerKey, fmt.Sprint("u", r.IntN(3))
			}
		}
	case 4:
		ev.UserID = fmt.Sprint("u", r.IntN(3))
	}
	return ev
}
