package profile

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// MergeFact is one merge as it was made, with both customers as they were just
// before it.
type MergeFact struct {
	Merge
	Position  cx.Position
	Index     uint8 // among the merges at its position
	At        cx.Instant
	Workspace cx.Workspace

	WinnerBefore, LoserBefore []byte      // AppendCustomer
	Filled                    cx.Position // what was back-filled up to here is in them; 0: up to Position
	Undone                    cx.Position // the un-merge that undid it, 0 for none
}

// Unmerging finds out what one customer would be if a merge in its past had not
// been made: two customers, or more when others were merged into it since. It
// begins with both as they were before the merge, keeps them apart, and lets
// what happened since happen again, resolved and folded as the machine does it.
//
// Identities that have moved to others since stay where they are, and those that
// belong to others count for nothing. What cannot be told apart goes to the
// customer who keeps the id.
type Unmerging struct {
	plan    *Plan
	present *cx.Customer
	fact    *MergeFact
	later   []MergeFact           // that have not come up yet
	first   map[cx.Position]uint8 // index of the first of later at a position
	family  map[cx.CustomerID]cx.CustomerID
	spans   []Span

	resolver Resolver
	folder   Folder
	people   map[cx.CustomerID]*cx.Customer
	order    []cx.CustomerID // of people, as they came
	owner    func(cx.HashKey) cx.CustomerID
	theirs   map[cx.HashKey]cx.Position // by who came later, until then
	marks    map[cx.CustomerID][]cx.Seen
	events   []Sorted
	facts    []MergeFact
	forget   []FactKey
}

// Span names events: those of Customer from From on and before To.
type Span struct {
	Customer cx.CustomerID
	From, To cx.Position
}

// Sorted says whose the event at a position was found to be at the time: later
// merges do not show.
type Sorted struct {
	Position cx.Position
	Customer cx.CustomerID
}

// Said says to whom a decision was said.
type Said struct {
	Decision cx.DecisionID
	Customer cx.CustomerID
}

// FactKey names one merge.
type FactKey struct {
	Position      cx.Position
	Winner, Loser cx.CustomerID
}

// Merged returns who was merged into whom (loser, winner) by the later merges.
func (u *Unmerged) Merged() (pairs [][2]cx.CustomerID) {
	for i := range u.Facts {
		pairs = append(pairs, [2]cx.CustomerID{u.Facts[i].Loser, u.Facts[i].Winner})
	}
	return pairs
}

// Sorted returns all events since the merge, in order.
func (u *Unmerged) Sorted() []Sorted {
	all := slices.Concat(u.Events, u.Stayed)
	slices.SortFunc(all, func(a, b Sorted) int { return cmp.Compare(a.Position, b.Position) })
	return all
}

// before gives both customers as they were just before the merge.
func (f *MergeFact) before() iter.Seq2[cx.CustomerID, []byte] {
	return func(yield func(cx.CustomerID, []byte) bool) {
		_ = yield(f.Winner, f.WinnerBefore) && yield(f.Loser, f.LoserBefore)
	}
}

// decode returns somebody as they were before the merge, with what plan keeps of
// them, to be folded on.
func (f *MergeFact) decode(id cx.CustomerID, state []byte, folder *Folder, plan *Plan) (*cx.Customer, error) {
	c, err := DecodeCustomer(state)
	if err != nil {
		return nil, fmt.Errorf("%s before the merge at %v: %w", id, f.Position, err)
	}
	c.Segments, c.Judged, c.Timers = nil, 0, nil
	folder.Trim(plan, c, f.At)
	return c, nil
}

// FilledTo returns the position up to which what was back-filled is in the states.
func (f *MergeFact) FilledTo() cx.Position { return max(f.Position, f.Filled) }

// Fill gives both customers, as they were, the statistics of some slots as they
// are in the same merge that another machine made; without one these are unknown.
func (f *MergeFact) Fill(other *MergeFact, slots []int) (err error) {
	if other == nil {
		nobody := AppendCustomer(nil, &cx.Customer{Unknown: slots})
		other = &MergeFact{WinnerBefore: nobody, LoserBefore: nobody}
	}
	if f.WinnerBefore, err = fill(f.WinnerBefore, other.WinnerBefore, slots); err == nil {
		f.LoserBefore, err = fill(f.LoserBefore, other.LoserBefore, slots)
	}
	if err != nil {
		return fmt.Errorf("before the merge at %v: %w", f.Position, err)
	}
	return nil
}

func fill(state, other []byte, slots []int) ([]byte, error) {
	c, err := DecodeCustomer(state)
	if err != nil {
		return nil, err
	}
	from, err := DecodeCustomer(other)
	if err != nil {
		return nil, err
	}
	Adopt(c, from, slots)
	return AppendCustomer(nil, c), nil
}

// Key names the merge.
func (f *MergeFact) Key() FactKey { return FactKey{f.Position, f.Winner, f.Loser} }

// Unmerged is what an Unmerging found. Customer of the first part is the present
// one, of which the other parts are taken.
type Unmerged struct {
	Parts  []UnmergedPart
	Events []Sorted    // since the merge, that were found to be another's than they were, in order
	Stayed []Sorted    // the other events since the merge, in order
	Said   []Said      // of what was said, the same, and all whose fate is still to come
	Facts  []MergeFact // the later merges, as they would have been made …
	Forget []FactKey   // … in place of these
}

// UnmergedPart is a customer as events tell of it, without memberships, timers
// and ledger.
type UnmergedPart struct {
	Part
	Marks []cx.Seen // of messages, that do not fit with it
}

// NewUnmerging begins to undo fact. present is the customer that came of it, as
// it is now; later are the merges since then, in the order in which they were
// made, without those that are undone; others than present's are passed over.
// family says of everybody who was merged into present into whom, at the time;
// owner whose an identity is now, 0 for nobody's.
func NewUnmerging(plan *Plan, present *cx.Customer, fact *MergeFact, later []MergeFact, family map[cx.CustomerID]cx.CustomerID, owner func(cx.HashKey) cx.CustomerID) (*Unmerging, error) {
	u := &Unmerging{
		plan: plan, present: present, fact: fact, family: family,
		people: map[cx.CustomerID]*cx.Customer{}, owner: owner, theirs: map[cx.HashKey]cx.Position{}, marks: map[cx.CustomerID][]cx.Seen{}, first: map[cx.Position]uint8{},
	}
	u.resolver.Configure(present.Workspace, plan.settings)
	u.resolver.heeds, u.resolver.elsewhere = u.heeds, u.elsewhere
	if u.follow(later) != present.ID {
		return nil, fmt.Errorf("the merge at %v did not lead to %s", fact.Position, present.ID)
	}
	for i := range u.later {
		if err := u.expect(&u.later[i]); err != nil {
			return nil, err
		}
	}
	if err := u.meet(fact); err != nil {
		return nil, err
	}
	u.resolver.KeepApart(fact.Winner, fact.Loser)
	return u, nil
}

// heeds reports whether an identity counts: somebody here has it, or nobody else
// does, nor anybody who came later did.
func (u *Unmerging) heeds(k cx.HashKey) bool {
	return u.resolver.index.find(k) != 0 || u.theirs[k] == 0 && u.free(k)
}

// free reports whether an identity is nobody's but present's.
func (u *Unmerging) free(k cx.HashKey) bool {
	id := u.owner(k)
	return id == 0 || id == u.present.ID
}

// elsewhere reports whether an id is a user's who is not here.
func (u *Unmerging) elsewhere(user, device cx.HashKey) bool {
	return (u.theirs[user] != 0 || !u.free(user)) && u.owner(device) == 0
}

// expect notes which identities those who came later brought with them.
func (u *Unmerging) expect(f *MergeFact) error {
	state := f.LoserBefore
	if u.held(f.Loser, f.Position) {
		state = f.WinnerBefore
	}
	c, err := DecodeCustomer(state)
	if err != nil {
		return fmt.Errorf("before the merge at %v: %w", f.Position, err)
	}
	for _, n := range c.Identities {
		u.theirs[n.Hash(u.present.Workspace)] = f.Position
	}
	return nil
}

// holder returns under which id the merged customer lived at a position.
func (u *Unmerging) holder(at cx.Position) cx.CustomerID {
	i := slices.IndexFunc(u.spans, func(s Span) bool { return at >= s.From && at < s.To })
	return u.spans[i].Customer
}

// held reports whether the merged customer lived as id until a merge at to.
func (u *Unmerging) held(id cx.CustomerID, to cx.Position) bool {
	return slices.ContainsFunc(u.spans, func(s Span) bool { return s.Customer == id && s.To == to })
}

// follow finds out under which ids the merged customer has lived, and returns
// the last.
func (u *Unmerging) follow(later []MergeFact) cx.CustomerID {
	id := u.fact.Winner
	u.spans = []Span{{Customer: id, From: u.fact.Position}}
	for _, f := range later {
		if f.Winner != id && f.Loser != id {
			continue
		}
		u.later = append(u.later, f)
		if n := len(u.later); n == 1 || u.later[n-2].Position != f.Position {
			u.first[f.Position] = f.Index
		}
		u.forget = append(u.forget, f.Key())
		if f.Loser == id {
			id = f.Winner
			u.spans[len(u.spans)-1].To = f.Position
			u.spans = append(u.spans, Span{Customer: id, From: f.Position})
		}
	}
	u.spans[len(u.spans)-1].To = math.MaxUint64
	return id
}

// Spans names the events that are to be given to Event, in order: those of one
// span come before those of the next.
func (u *Unmerging) Spans() []Span { return u.spans }

// meet lets those who took part in a merge be there as they were before it,
// unless they are already, or came to be by the very event and were nothing yet.
func (u *Unmerging) meet(f *MergeFact) error {
	for id, state := range f.before() {
		if u.people[id] != nil {
			continue
		}
		c, err := f.decode(id, state, &u.folder, u.plan)
		if err != nil {
			return err
		}
		if id.Position() == f.Position && len(c.Identities) == 0 {
			continue
		}
		c.Workspace = u.present.Workspace
		u.admit(c)
		u.adopt(c)
	}
	return nil
}

// adopt makes the identities of c its own. One that is another's here moved to c
// before it came.
func (u *Unmerging) adopt(c *cx.Customer) {
	var who standing
	for _, n := range c.Identities {
		k := n.Hash(c.Workspace)
		if from := u.resolver.owner(k); from != 0 {
			Unlink(u.people[from], n)
			lost := u.resolver.at(from)
			lost.remove(n.Namespace)
			u.resolver.set(from, lost)
		}
		u.resolver.index.put(k, c.ID)
		delete(u.theirs, k)
		who.add(n.Namespace)
	}
	u.resolver.set(c.ID, who)
}

func (u *Unmerging) admit(c *cx.Customer) *cx.Customer {
	u.people[c.ID] = c
	u.order = append(u.order, c.ID)
	return c
}

func (u *Unmerging) person(id cx.CustomerID, now cx.Instant) *cx.Customer {
	if c := u.people[id]; c != nil {
		return c
	}
	return u.admit(&cx.Customer{ID: id, Workspace: u.present.Workspace, CreatedAt: now})
}

// Event lets an event that was folded since happen again: the entry at position
// at, at log time now.
func (u *Unmerging) Event(ev *cx.Event, at cx.Position, now cx.Instant) error {
	if err := u.advance(at); err != nil {
		return err
	}
	found := u.resolver.Resolve(ev, at, now)
	for _, m := range found.Merges {
		u.merge(m, at, now)
	}
	for _, m := range found.Moves {
		Unlink(u.person(m.From, now), m.Identity)
	}
	id := found.Customer
	if id == 0 {
		id = u.known(u.fact.Winner)
	}
	c := u.person(id, now)
	Link(c, found.Links)
	out := u.folder.Apply(u.plan, c, ev, at, now, nil)
	u.marks[id] = append(u.marks[id], out.Spilled...)
	u.events = append(u.events, Sorted{at, id})
	return nil
}

// advance brings up the merges at positions up to at. A merge by the event at at
// is made by that event again, or not; one by an event that was not folded,
// because its message was received before, is made as it was.
func (u *Unmerging) advance(at cx.Position) error {
	for len(u.later) > 0 && u.later[0].Position <= at {
		f := &u.later[0]
		u.later = u.later[1:]
		if err := u.meet(f); err != nil {
			return err
		}
		if f.Reason == ByOperator || f.Position < at {
			u.again(f)
		}
	}
	return nil
}

// again makes the same two customers one. Where an operator named one of those
// who are told apart now, that one is meant.
func (u *Unmerging) again(f *MergeFact) {
	a, b := u.known(f.Winner), u.known(f.Loser)
	if f.Reason == ByOperator {
		a, b = u.known(f.Named[0]), u.known(f.Named[1])
	}
	if u.people[a] == nil || u.people[b] == nil || u.resolver.apart(a, b) {
		return
	}
	if m, ok := u.resolver.Join(a, b); ok {
		m.Reason, m.Identity, m.Lead, m.Named = f.Reason, f.Identity, f.Lead, f.Named
		u.merge(m, f.Position, f.At)
	}
}

// known returns who somebody of the family is here.
func (u *Unmerging) known(id cx.CustomerID) cx.CustomerID {
	for u.people[id] == nil {
		winner, ok := u.family[id]
		if !ok {
			return id
		}
		id = winner
	}
	return u.resolver.Current(id)
}

func (u *Unmerging) merge(m Merge, at cx.Position, now cx.Instant) {
	winner, loser := u.person(m.Winner, now), u.person(m.Loser, now)
	f := MergeFact{Merge: m.Clone(), Position: at, Index: u.next(at), At: now, Workspace: u.present.Workspace}
	f.WinnerBefore, f.LoserBefore = AppendCustomer(nil, winner), AppendCustomer(nil, loser)
	u.facts = append(u.facts, f)
	out := u.folder.Merge(u.plan, winner, loser, now)
	u.marks[m.Winner] = append(append(u.marks[m.Winner], u.marks[m.Loser]...), out.Spilled...)
}

// next returns which merge at a position comes next: behind the undone one, and
// behind those that were made there before one of these people took part.
func (u *Unmerging) next(at cx.Position) uint8 {
	if n := len(u.facts); n > 0 && u.facts[n-1].Position == at {
		return u.facts[n-1].Index + 1
	}
	if at == u.fact.Position {
		return u.fact.Index + 1
	}
	return u.first[at]
}

// End brings up what is left and returns what was found. It fails with kind
// Conflict when there is one customer all the same, or when the present
// customer's id is of one of those who would not be.
func (u *Unmerging) End() (*Unmerged, error) {
	if err := u.advance(math.MaxUint64); err != nil {
		return nil, err
	}
	heir := u.present.ID
	if u.people[heir] == nil || u.resolver.Current(heir) != heir {
		return nil, cx.E(cx.Conflict, "", "a later merge stands in the way: undo that first")
	}
	out := &Unmerged{Facts: u.facts, Forget: u.forget}
	ids := slices.DeleteFunc(slices.Clone(u.order), func(id cx.CustomerID) bool { return u.resolver.Current(id) != id })
	if len(ids) < 2 {
		return nil, cx.E(cx.Conflict, "", "what was told since makes them one customer all the same")
	}
	slices.SortFunc(ids, func(a, b cx.CustomerID) int {
		return cmp.Or(cmp.Compare(order(a != heir), order(b != heir)), cmp.Compare(a.Position(), b.Position()))
	})
	for _, id := range ids {
		out.Parts = append(out.Parts, u.part(id))
	}
	out.Said = u.said()
	for _, id := range ids {
		u.people[id].Ledger = nil
	}
	u.leaveRest(out)
	for _, e := range u.events {
		if e.Customer != u.holder(e.Position) {
			out.Events = append(out.Events, e)
		} else {
			out.Stayed = append(out.Stayed, e)
		}
	}
	return out, nil
}

// said returns which lines of present's ledger were said to others than whoever
// keeps the id, and to whom those whose fate is still to come. Those of timers
// since the merge cannot be told apart.
func (u *Unmerging) said() (out []Said) {
	for i := range u.present.Ledger {
		l := &u.present.Ledger[i]
		if id := u.saidTo(l.Decision); id != u.present.ID || l.State == cx.Outgoing {
			out = append(out, Said{l.Decision, id})
		}
	}
	return out
}

func (u *Unmerging) saidTo(d cx.DecisionID) cx.CustomerID {
	for _, id := range u.order {
		if u.resolver.Current(id) == id && slices.ContainsFunc(u.people[id].Ledger, func(l cx.Attention) bool { return l.Decision == d }) {
			return id
		}
	}
	i, found := slices.BinarySearchFunc(u.events, d.Position(), func(e Sorted, at cx.Position) int { return cmp.Compare(e.Position, at) })
	if found && cx.NewDecisionID(d.Position()) == d {
		return u.resolver.Current(u.events[i].Customer)
	}
	return u.present.ID
}

func order(after bool) int {
	if after {
		return 1
	}
	return 0
}

// part returns a customer without identities that are others' by now.
func (u *Unmerging) part(id cx.CustomerID) UnmergedPart {
	c := u.people[id]
	c.Identities = slices.DeleteFunc(c.Identities, func(n cx.Identity) bool { return !u.free(n.Hash(c.Workspace)) })
	p := UnmergedPart{Part: Part{Customer: c}, Marks: u.marks[id]}
	for _, was := range u.order {
		if was != id && u.resolver.Current(was) == id {
			p.Aliases = append(p.Aliases, was)
		}
	}
	for was := range u.family {
		if u.people[was] == nil && u.known(was) == id {
			p.Aliases = append(p.Aliases, was)
		}
	}
	slices.Sort(p.Aliases)
	return p
}

// leaveRest leaves identities that nobody here came by with who keeps the id.
func (u *Unmerging) leaveRest(out *Unmerged) {
	taken := map[cx.HashKey]bool{}
	for _, p := range out.Parts {
		for _, n := range p.Customer.Identities {
			taken[n.Hash(p.Customer.Workspace)] = true
		}
	}
	for _, n := range u.present.Identities {
		if !taken[n.Hash(u.present.Workspace)] {
			Link(out.Parts[0].Customer, []cx.Identity{n})
		}
	}
}
