package decide

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

const storedCodec = 1

// Stored is what a decision was made from, as it is kept beside it. Together
// with the published set it is enough to decide again.
type Stored struct {
	Engine      string
	Definitions uint64 // sequence number of the published set
	ID          cx.DecisionID
	Now         cx.Instant
	Entered     []int
	Customer    []byte // as the caller encoded it
	Event       []byte // as the caller encoded it; empty on a timer

	propensities map[int]cx.Propensity // by action, where they are not what its prior says
	ledger       []storedLine
}

// AppendInput encodes what the decision in out was made from, before Reserve.
// customer and event are the caller's encodings of the customer as it was when
// Decide returned, whose ledger may be left out, and of the event.
func AppendInput(dst []byte, in *Input, out *Result, customer, event []byte) []byte {
	dst = append(dst, storedCodec)
	dst = cx.AppendBytes(dst, Engine)
	dst = binary.AppendUvarint(dst, in.Offer.Definitions)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(in.ID))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(in.Scope.Now))
	dst = binary.AppendUvarint(dst, uint64(len(in.Entered)))
	for _, slot := range in.Entered {
		dst = binary.AppendUvarint(dst, uint64(slot))
	}
	dst = appendPropensities(dst, in.Offer, out.asked)
	dst = appendLines(dst, in)
	dst = cx.AppendBytes(dst, customer)
	return cx.AppendBytes(dst, event)
}

// appendPropensities writes what the model said about actions it has learned of:
// each by its number from 1, then a 0.
func appendPropensities(dst []byte, o *Offer, all []asked) []byte {
	for _, a := range all {
		if a.propensity != untaught(o.actions[a.action].Prior) {
			dst = binary.AppendUvarint(dst, uint64(a.action)+1)
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(a.propensity)))
		}
	}
	return append(dst, 0)
}

// untaught is the propensity of an action that the model knows nothing of.
func untaught(prior cx.Prior) cx.Propensity {
	if prior.Weight <= 0 {
		return 0.5
	}
	return cx.Propensity(prior.Mean)
}

// storedLine is a line of the ledger as far as a decision looks at it: of an
// exposure, only that there was one.
type storedLine struct {
	action int // index in the offer, -1 when it is not on offer
	line   cx.Attention
}

// What a line's byte says besides its state.
const (
	stateBits = 0x3f
	shownBit  = 0x40
	endBit    = 0x80
)

// appendLines writes for each line of the ledger the number of its action from
// 1, its state and how long ago it was decided; and how long it lasted, when it
// has ended or will end.
func appendLines(dst []byte, in *Input) []byte {
	ledger := in.Scope.Customer.Ledger
	dst = binary.AppendUvarint(dst, uint64(len(ledger)))
	for i := range ledger {
		l := &ledger[i]
		dst = binary.AppendUvarint(dst, uint64(in.Offer.indexOf(l.Notice)+1))
		b := byte(l.State) & stateBits
		if l.ShownAt != 0 {
			b |= shownBit
		}
		if l.End != 0 {
			b |= endBit
		}
		dst = binary.AppendVarint(append(dst, b), int64(in.Scope.Now-l.At))
		if l.End != 0 {
			dst = binary.AppendVarint(dst, int64(l.End-l.At))
		}
	}
	return dst
}

// DecodeInput reads what AppendInput wrote. Customer and Event alias b. It
// fails with cx.ErrCodec on anything else.
func DecodeInput(b []byte) (*Stored, error) {
	r := reader{cx.NewReader(b)}
	if r.Byte() != storedCodec {
		return nil, fmt.Errorf("stored decision: %w", cx.ErrCodec)
	}
	s := &Stored{Engine: string(r.Bytes()), Definitions: r.Uvarint(), ID: cx.DecisionID(r.Uint64()), Now: cx.Instant(r.Uint64())}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		s.Entered = append(s.Entered, int(r.Uvarint()))
	}
	s.propensities = map[int]cx.Propensity{}
	for i := r.Uvarint(); i > 0 && r.OK(); i = r.Uvarint() {
		s.propensities[int(i)-1] = cx.Propensity(r.float())
	}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		s.ledger = append(s.ledger, r.line(s.Now))
	}
	s.Customer, s.Event = r.Bytes(), r.Bytes()
	if r.End() != nil {
		return nil, fmt.Errorf("stored decision: %w", cx.ErrCodec)
	}
	return s, nil
}

func (r *reader) line(now cx.Instant) storedLine {
	s := storedLine{action: int(r.Uvarint()) - 1}
	b := r.Byte()
	s.line = cx.Attention{State: cx.AttentionState(b & stateBits), At: now - cx.Instant(r.Varint())}
	if b&shownBit != 0 {
		s.line.ShownAt = s.line.At
	}
	if b&endBit != 0 {
		s.line.End = s.line.At + cx.Instant(r.Varint())
	}
	return s
}

// Ledger returns the customer's ledger as far as a decision over the offer, which
// must be the one of then, looks at it.
func (s *Stored) Ledger(o *Offer) []cx.Attention {
	ledger := make([]cx.Attention, len(s.ledger))
	for i, l := range s.ledger {
		ledger[i] = l.line
		if l.action >= 0 && l.action < len(o.terms) {
			ledger[i].Notice = o.terms[l.action].notice
		}
	}
	return ledger
}

// memory says what the model said at the time.
type memory struct {
	stored *Stored
	offer  *Offer
}

// Propensity makes memory a Scorer.
func (m memory) Propensity(_ cx.Workspace, action string, prior cx.Prior) cx.Propensity {
	if p, ok := m.stored.propensities[m.offer.index(action)]; ok {
		return p
	}
	return untaught(prior)
}
