package pipeline

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// unmerge is the body of a CommandUnmerge. There are two: the first begins to
// watch a customer, the second says what is to become of it. The second carries
// the states, and also what they were worked out from: which merge was undone
// and which events went to whom, so that a filler, which keeps other statistics,
// can fold them by itself (refold.go).
type unmerge struct {
	Customer cx.CustomerID // who it is now
	Begun    cx.Position   // of the first entry; 0 in it

	Undone  profile.FactKey
	Whole   bool // Stayed is told too, else it is empty
	Earlier bool // of version 1: the states do not say what in them is unknown
	profile.Unmerged
}

// unmergeCodec is the first byte. decodeUnmerge keeps reading the earlier one: 1
// had no events that stayed, and did not say in the states what is unknown.
const (
	unmergeCodec = 2

	beginUnmerge  = 1
	finishUnmerge = 2
)

// maxUnmerge is how long a body may be, in bytes: with the rest of the entry it
// must fit into one record.
const maxUnmerge = 480 << 10

func encodeUnmerge(u *unmerge) []byte {
	if u.Begun == 0 {
		return binary.AppendUvarint([]byte{unmergeCodec, beginUnmerge}, uint64(u.Customer))
	}
	codec := byte(unmergeCodec)
	if u.Earlier {
		codec = 1
	}
	b := binary.AppendUvarint([]byte{codec, finishUnmerge}, uint64(u.Customer))
	b = binary.AppendUvarint(b, uint64(u.Begun))
	b = appendKey(b, u.Undone)
	b = binary.AppendUvarint(b, uint64(len(u.Parts)))
	for _, p := range u.Parts {
		b = cx.AppendBytes(b, profile.AppendCustomer(nil, p.Customer))
		b = binary.AppendUvarint(b, uint64(len(p.Aliases)))
		for _, id := range p.Aliases {
			b = binary.AppendUvarint(b, uint64(id))
		}
		b = binary.AppendUvarint(b, uint64(len(p.Marks)))
		for _, m := range p.Marks {
			b = binary.AppendUvarint(binary.AppendUvarint(b, m.Message()), uint64(m.At))
		}
	}
	b = appendSorted(b, u.Events)
	switch {
	case u.Earlier:
	case u.Whole:
		b = appendSorted(append(b, 1), u.Stayed)
	default:
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(u.Said)))
	for _, l := range u.Said {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(l.Decision)), uint64(l.Customer))
	}
	b = binary.AppendUvarint(b, uint64(len(u.Forget)))
	for _, k := range u.Forget {
		b = appendKey(b, k)
	}
	b = binary.AppendUvarint(b, uint64(len(u.Facts)))
	for i := range u.Facts {
		b = appendFact(b, &u.Facts[i])
	}
	return b
}

// appendSorted writes whose each event is: the customers, then for each event the
// distance from the one before and the number of its customer.
func appendSorted(b []byte, events []profile.Sorted) []byte {
	var who []cx.CustomerID
	for _, e := range events {
		if !slices.Contains(who, e.Customer) {
			who = append(who, e.Customer)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(who)))
	for _, id := range who {
		b = binary.AppendUvarint(b, uint64(id))
	}
	b = binary.AppendUvarint(b, uint64(len(events)))
	last := cx.Position(0)
	for _, e := range events {
		b = binary.AppendUvarint(b, uint64(e.Position-last))
		b = binary.AppendUvarint(b, uint64(slices.Index(who, e.Customer)))
		last = e.Position
	}
	return b
}

func appendKey(b []byte, k profile.FactKey) []byte {
	b = binary.AppendUvarint(b, uint64(k.Position))
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(k.Winner)), uint64(k.Loser))
}

func appendFact(b []byte, f *MergeFact) []byte {
	b = appendKey(b, f.Key())
	b = binary.AppendUvarint(append(b, f.Index), uint64(f.At))
	b = cx.AppendBytes(b, f.Reason)
	for _, n := range [...]cx.Identity{f.Identity, f.Lead} {
		b = cx.AppendBytes(append(b, byte(n.Namespace)), n.Value)
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(f.Named[0])), uint64(f.Named[1]))
	return cx.AppendBytes(cx.AppendBytes(b, f.WinnerBefore), f.LoserBefore)
}

func decodeUnmerge(b []byte) (u *unmerge, err error) {
	if len(b) < 2 || b[0] < 1 || b[0] > unmergeCodec || b[1] < beginUnmerge || b[1] > finishUnmerge {
		return nil, cx.ErrCodec
	}
	r := reader{cx.NewReader(b[2:])}
	u = &unmerge{Customer: r.customer()}
	if b[1] == beginUnmerge {
		return u, r.End()
	}
	u.Begun, u.Undone, u.Earlier = r.position(), r.factKey(), b[0] == 1
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		var p profile.UnmergedPart
		if p.Customer, err = profile.DecodeCustomer([]byte(r.Text())); err != nil {
			return nil, err
		}
		for n := r.Uvarint(); n > 0 && r.OK(); n-- {
			p.Aliases = append(p.Aliases, r.customer())
		}
		for n := r.Uvarint(); n > 0 && r.OK(); n-- {
			p.Marks = append(p.Marks, cx.NewSeen(r.Uvarint(), uint32(r.Uvarint())))
		}
		u.Parts = append(u.Parts, p)
	}
	u.Events = r.sorted()
	if b[0] >= 2 {
		switch r.Byte() {
		case 0:
		case 1:
			u.Whole, u.Stayed = true, r.sorted()
		default:
			r.Fail()
		}
	}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		u.Said = append(u.Said, profile.Said{Decision: cx.DecisionID(r.Uvarint()), Customer: r.customer()})
	}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		u.Forget = append(u.Forget, r.factKey())
	}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		u.Facts = append(u.Facts, r.fact())
	}
	if len(u.Parts) < 2 || u.Parts[0].Customer.ID != u.Customer {
		r.Fail()
	}
	return u, r.End()
}

func (r *reader) customer() cx.CustomerID { return cx.CustomerID(r.Uvarint()) }
func (r *reader) position() cx.Position   { return cx.Position(r.Uvarint()) }

func (r *reader) factKey() profile.FactKey {
	return profile.FactKey{Position: r.position(), Winner: r.customer(), Loser: r.customer()}
}

func (r *reader) identity() cx.Identity {
	return cx.Identity{Namespace: cx.Namespace(r.Byte()), Value: r.Text()}
}

func (r *reader) fact() (f MergeFact) {
	k := r.factKey()
	f.Position, f.Winner, f.Loser = k.Position, k.Winner, k.Loser
	f.Index, f.At = r.Byte(), cx.Instant(r.Uvarint())
	f.Reason, f.Identity, f.Lead = r.Text(), r.identity(), r.identity()
	f.Named = [2]cx.CustomerID{r.customer(), r.customer()}
	f.WinnerBefore, f.LoserBefore = []byte(r.Text()), []byte(r.Text())
	return f
}

func (r *reader) sorted() (events []profile.Sorted) {
	var who []cx.CustomerID
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		who = append(who, r.customer())
	}
	last := cx.Position(0)
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		last += r.position()
		i := r.Uvarint()
		if i >= uint64(len(who)) {
			r.Fail()
			return nil
		}
		events = append(events, profile.Sorted{Position: last, Customer: who[i]})
	}
	return events
}

// errStirred says that an un-merge came too late: the customer is not what it
// was worked out from.
var errStirred = cx.E(cx.Conflict, "unmerge", "the customer has changed meanwhile; ask again")

// commandUnmerge takes either entry of an un-merge.
func (s *Shard) commandUnmerge(at cx.Position, c *cx.Command) error {
	u, err := decodeUnmerge(c.Body)
	if err != nil {
		return fmt.Errorf("un-merge at %v: %w: run a newer one", at, err)
	}
	switch {
	case u.Begun == 0 && s.resolver.Current(u.Customer) == u.Customer:
		s.watch(c.Workspace, u.Customer, at)
		s.outcomes.give(at, Commanded{Position: at, At: s.now})
	case u.Begun != 0 && s.watches.stand(u.Customer, u.Begun):
		if s.opts.reduced != nil { // while the watch stands: it saves what is before this entry
			if u.Unmerged, err = s.refold(u); err != nil {
				return fmt.Errorf("un-merge at %v: %w", at, err)
			}
		}
		s.stir(u.Customer)
		s.split(at, c, u)
	default:
		s.stir(u.Customer)
		s.outcomes.give(at, Commanded{Position: at, At: s.now, Err: errStirred})
	}
	return nil
}

// split makes several customers of one.
func (s *Shard) split(at cx.Position, c *cx.Command, u *unmerge) {
	parts := make([]profile.Part, len(u.Parts))
	for i, p := range u.Parts {
		p.Customer.Workspace = c.Workspace
		p.Customer.Identities = slices.DeleteFunc(p.Customer.Identities, func(n cx.Identity) bool {
			owner := s.resolver.Lookup(c.Workspace, n)
			return owner != 0 && owner != u.Customer // somebody else has it by now
		})
		parts[i] = p.Part
	}
	s.resolver.Split(parts, u.Merged())
	s.resolver.KeepApart(u.Undone.Winner, u.Undone.Loser)
	s.address(u)
	s.partedMoved = true
	x := newSplit(u, c)
	for i, p := range u.Parts {
		if p.Customer.Flags&cx.SpillSeen == 0 {
			continue
		}
		for _, alias := range p.Aliases {
			hand := &handoff{loser: make(chan given, 1)}
			x.heritage[i] = append(x.heritage[i], hand)
			s.order(order{kind: orderBequeath, at: at, customer: alias, about: c.Workspace, hand: hand, fresh: true})
		}
	}
	s.order(order{kind: orderSplit, at: at, customer: u.Customer, about: c.Workspace, split: x})
	for i, p := range u.Parts[1:] {
		s.order(order{kind: orderRevive, at: at, customer: p.Customer.ID, about: c.Workspace, split: x, index: i + 1, fresh: true})
	}
}

// reason is what the warehouse says of why a merge was undone.
func reason(c *cx.Command) string {
	switch {
	case c.Who == "" && c.Why != "":
		return c.Why // by the program itself
	case c.Why == "":
		return profile.ByOperator
	}
	return fmt.Sprintf("%s: %s", profile.ByOperator, c.Why)
}
