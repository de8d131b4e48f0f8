package decide

import (
	"bytes"
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
	dst = appendPropensities(dst, out.Candidates)
	dst = appendBytes(dst, customer)
	return appendBytes(dst, event)
}

func appendPropensities(dst []byte, candidates []cx.Candidate) []byte {
	n := 0
	for i := range candidates {
		if scored(&candidates[i]) {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := range candidates {
		if c := &candidates[i]; scored(c) {
			dst = appendBytes(dst, []byte(c.Action))
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(float64(c.Propensity)))
		}
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

// Explanation is a decision made again.
type Explanation struct {
	Engine string         // version of the code that decided today
	Same   bool           // today's trace is byte for byte the recorded one
	Then   cx.Trace       // as recorded
	Now    cx.Trace       // as today's code says
	Says   []cx.Treatment // what today's code would answer
}

// Explain decides again from in, whose ID, Message, Entered and Scorer it takes
// from s, and compares the result with the trace that was recorded. The caller
// fills in the scope from s.Customer, s.Event and s.Now, and offer and policy
// from the set with sequence s.Definitions.
func Explain(s *Stored, in Input, recorded []byte) (*Explanation, error) {
	then, err := UnpackTrace(recorded, in.Offer.Names())
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", s.ID, err)
	}
	in.ID, in.Message, in.Entered, in.Scorer = s.ID, s.Message, s.Entered, s
	var d Decider
	var out Result
	d.Decide(&in, &out)
	now := cx.Trace{Engine: Engine, Definitions: in.Offer.Definitions, Candidates: out.Candidates}
	return &Explanation{Engine: Engine, Same: bytes.Equal(out.Trace, recorded), Then: then, Now: now, Says: out.Decision.Treatments}, nil
}
