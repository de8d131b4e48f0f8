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
	Message     uint64
	Now         cx.Instant
	Entered     []int
	Customer    []byte // as the caller encoded it, before Reserve
	Event       []byte // as the caller encoded it; empty on a timer

	propensities map[string]cx.Propensity // of the actions that were scored
}

// AppendInput encodes what the decision in out was made from. customer and
// event are the caller's encodings of the customer as it was when Decide
// returned, and of the event.
func AppendInput(dst []byte, in *Input, out *Result, customer, event []byte) []byte {
	dst = append(dst, storedCodec)
	dst = appendBytes(dst, []byte(Engine))
	dst = binary.AppendUvarint(dst, in.Offer.Definitions)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(in.ID))
	dst = binary.LittleEndian.AppendUint64(dst, in.Message)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(in.Scope.Now))
	dst = binary.AppendUvarint(dst, uint64(len(in.Entered)))
	for _, slot := range in.Entered {
		dst = binary.AppendUvarint(dst, uint64(slot))
	}
	dst = appendPropensities(dst, in.Offer, out.asked)
	dst = appendBytes(dst, customer)
	return appendBytes(dst, event)
}

func appendPropensities(dst []byte, o *Offer, all []asked) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	for _, a := range all {
		dst = appendBytes(dst, []byte(o.names[a.action]))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(a.propensity)))
	}
	return dst
}

// DecodeInput reads what AppendInput wrote. Customer and Event alias b. It
// fails with cx.ErrCodec on anything else.
func DecodeInput(b []byte) (*Stored, error) {
	r := reader{b: b}
	if r.byte() != storedCodec {
		return nil, fmt.Errorf("stored decision: %w", cx.ErrCodec)
	}
	s := &Stored{Engine: string(r.bytes()), Definitions: r.uvarint(), ID: cx.DecisionID(r.uint64()), Message: r.uint64(), Now: cx.Instant(r.uint64())}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		s.Entered = append(s.Entered, int(r.uvarint()))
	}
	s.propensities = map[string]cx.Propensity{}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		name := string(r.bytes())
		s.propensities[name] = cx.Propensity(r.float())
	}
	s.Customer, s.Event = r.bytes(), r.bytes()
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("stored decision: %w", cx.ErrCodec)
	}
	return s, nil
}

// Propensity returns what the model said at the time; of an action that was not
// scored then, the mean of its prior. It makes a Stored a Scorer.
func (s *Stored) Propensity(_ cx.Workspace, action string, prior cx.Prior) cx.Propensity {
	if p, ok := s.propensities[action]; ok {
		return p
	}
	if prior.Weight <= 0 {
		return 0.5
	}
	return cx.Propensity(prior.Mean)
}
