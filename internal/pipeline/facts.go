package pipeline

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
)

// What is kept beside every decision, so that it can be made again, is not the
// whole customer but the facts that the offer's rules and gates look at: values
// of statistics, some traits, memberships, the ledger. The event is a row of
// the warehouse already.

// interest is what a workspace's offer looks at.
type interest struct {
	slots    []int    // of statistics, ascending
	traits   []string // sorted
	anyTrait bool
}

// interestOf gathers what the rules of all actions depend on.
func interestOf(o *decide.Offer) (in interest) {
	look := func(p *rule.Program) {
		if p == nil {
			return
		}
		d := p.Deps()
		for _, s := range d.Statistics {
			in.slots = append(in.slots, s.Slot)
		}
		in.traits = append(in.traits, d.Traits...)
		in.anyTrait = in.anyTrait || d.AnyTrait
	}
	for _, name := range o.Names() {
		a := o.Action(name)
		for _, p := range [...]*rule.Program{a.Eligible, a.Applicable, a.Suitable} {
			look(p)
		}
		for _, t := range a.Triggers {
			look(t.When)
		}
		for _, weight := range a.Context {
			look(weight.When)
		}
		for _, p := range a.Variables {
			look(p)
		}
	}
	slices.Sort(in.slots)
	slices.Sort(in.traits)
	in.slots, in.traits = slices.Compact(in.slots), slices.Compact(in.traits)
	return in
}

// facts are a customer as a decision sees them: the customer without what no
// gate looks at, the values of statistics, and which segments were not known.
type facts struct {
	customer *cx.Customer
	values   map[int]cx.Value // by slot
	unsure   []uint64
}

// Value makes facts cx.Statistics.
func (f *facts) Value(slot int) cx.Value { return f.values[slot] }

// The first byte of encoded facts: nearly always every segment was known.
const (
	factsCodec  = 1
	unsureCodec = 2 // then come the segments that were not
)

// appendFacts encodes what in is interested in of the customer and its
// statistics.
func (in *interest) appendFacts(dst []byte, c *cx.Customer, stats cx.Statistics, unsure []uint64, f *factsScratch) []byte {
	if len(unsure) == 0 {
		dst = append(dst, factsCodec)
	} else {
		dst = binary.AppendUvarint(append(dst, unsureCodec), uint64(len(unsure)))
		for _, word := range unsure {
			dst = binary.LittleEndian.AppendUint64(dst, word)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(in.slots)))
	for _, slot := range in.slots {
		dst = binary.AppendUvarint(dst, uint64(slot))
		dst = appendValue(dst, stats.Value(slot))
	}
	return profile.AppendCustomer(dst, f.slim(in, c))
}

// factsScratch is memory for one slim customer at a time.
type factsScratch struct {
	customer   cx.Customer
	identities []cx.Identity
	traits     []cx.Trait
}

// slim returns c without what no gate looks at and without the ledger, which
// decide.AppendInput encodes, valid until the next call.
func (f *factsScratch) slim(in *interest, c *cx.Customer) *cx.Customer {
	f.identities, f.traits = f.identities[:0], f.traits[:0]
	for _, id := range c.Identities {
		if id.Namespace == cx.UserID || id.Namespace == cx.ClaimedUserID {
			f.identities = append(f.identities, cx.Identity{Namespace: id.Namespace, Value: "*"}) // that there is one matters, not which
		}
	}
	f.identities = slices.CompactFunc(f.identities, func(a, b cx.Identity) bool { return a.Namespace == b.Namespace })
	for _, t := range c.Traits {
		if _, found := slices.BinarySearch(in.traits, t.Name); found || in.anyTrait {
			f.traits = append(f.traits, t)
		}
	}
	f.customer = cx.Customer{
		ID: c.ID, Workspace: c.Workspace, CreatedAt: c.CreatedAt, LastSeen: c.LastSeen, Flags: c.Flags,
		Identities: f.identities, Traits: f.traits, Consent: c.Consent, Session: c.Session, Previous: c.Previous,
		Segments: c.Segments, Judged: c.Judged, Tallies: c.Tallies,
	}
	return &f.customer
}

func decodeFacts(b []byte) (*facts, error) {
	if len(b) == 0 || b[0] != factsCodec && b[0] != unsureCodec {
		return nil, fmt.Errorf("facts of a decision: %w", cx.ErrCodec)
	}
	r := reader{cx.NewReader(b[1:])}
	f := &facts{values: map[int]cx.Value{}}
	if b[0] == unsureCodec {
		for n := r.Uvarint(); n > 0 && r.OK(); n-- {
			f.unsure = append(f.unsure, r.Uint64())
		}
	}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		slot := int(r.Uvarint())
		f.values[slot] = r.value()
	}
	if !r.OK() {
		return nil, fmt.Errorf("facts of a decision: %w", cx.ErrCodec)
	}
	var err error
	f.customer, err = profile.DecodeCustomer(r.Rest())
	return f, err
}

// whole marks the kind of a number that has no fraction, which most have.
const whole = 0x80

func appendValue(dst []byte, v cx.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case cx.Bool:
		if v.IsTrue() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case cx.Number:
		if n := int64(v.Float()); float64(n) == v.Float() && n > -1<<53 && n < 1<<53 && !(n == 0 && math.Signbit(v.Float())) {
			dst[len(dst)-1] |= whole
			return binary.AppendVarint(dst, n)
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case cx.Time:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Instant()))
	case cx.Text, cx.List, cx.Map:
		dst = binary.AppendUvarint(dst, uint64(len(v.Str())))
		return append(dst, v.Str()...)
	default: // the kind says it all
		return dst
	}
}

func (r *reader) value() cx.Value {
	switch kind := cx.ValueKind(r.Byte()); kind {
	case cx.Null:
		return cx.Value{Kind: cx.Null}
	case cx.Bool:
		return cx.BoolValue(r.Byte() == 1)
	case cx.Number | whole:
		return cx.NumberValue(float64(r.Varint()))
	case cx.Number:
		return cx.NumberValue(math.Float64frombits(r.Uint64()))
	case cx.Time:
		return cx.TimeValue(cx.Instant(r.Uint64()))
	case cx.Text:
		return cx.TextValue(r.Text())
	case cx.List:
		return cx.RawList(r.Text())
	case cx.Map:
		return cx.RawMap(r.Text())
	case cx.Unknown:
		return cx.UnknownValue()
	default:
		return cx.Value{}
	}
}

// onEvent says that the decision was made on an event, the one at its position.
var onEvent = []byte{1}

// encodeInput keeps what the decision was made from.
func (w *worker) encodeInput(in *decide.Input, c *cx.Customer, ev *cx.Event) []byte {
	w.known = w.ws.interest.appendFacts(w.known[:0], c, w.scope.Statistics, w.scope.Unsure, &w.slim)
	event := []byte(nil)
	if ev != nil {
		event = onEvent
	}
	w.encoded = decide.AppendInput(w.encoded[:0], in, &w.result, w.known, event)
	return w.stash.keep(w.encoded)
}

// Explain makes a recorded decision again with today's code, from what was
// stored beside it and the set that was in force, and compares. event finds the
// event that a decision was made on; it is not asked for those that a timer
// made. since says since when statistics count that do not count everything, by
// slot.
func Explain(row *DecisionRow, set *definition.Set, since map[int]cx.Instant, event func() (*cx.Event, error)) (*decide.Explanation, error) {
	stored, err := decide.DecodeInput(row.Input)
	if err != nil {
		return nil, err
	}
	known, err := decodeFacts(stored.Customer)
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", row.ID, err)
	}
	scope := rule.Scope{Customer: known.customer, Statistics: known, Now: stored.Now, Zone: set.Settings.Zone, Unsure: known.unsure, Counted: counted(set, since)}
	if len(stored.Event) > 0 {
		if scope.Event, err = event(); err != nil {
			return nil, fmt.Errorf("explain %s: %w", row.ID, err)
		}
		scope.Fields = cx.ParseFields(nil, scope.Event.Properties)
	}
	return decide.Explain(stored, decide.Input{Scope: &scope, Offer: set.Offer, Policy: set.Policy}, row.Trace)
}

// counted adds to the statistics that do not count everything the segments that
// hang on them: each counts since the latest of these.
func counted(set *definition.Set, since map[int]cx.Instant) rule.Counted {
	if len(since) == 0 {
		return rule.Counted{}
	}
	segments := map[int]cx.Instant{}
	for _, s := range set.Segments.All() { // a segment comes after those it refers to
		at, d := cx.Instant(0), s.When.Deps()
		for _, st := range d.Statistics {
			at = max(at, since[st.Slot])
		}
		for _, slot := range d.Segments {
			at = max(at, segments[slot])
		}
		segments[s.Slot] = at
	}
	return rule.Counted{Statistics: since, Segments: segments}
}
