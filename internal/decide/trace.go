package decide

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"github.com/kikubari/kikubari/internal/cx"
)

const traceCodec = 1

// fullNumbers is how many candidates keep all their numbers in a packed trace.
const fullNumbers = 8

// What a candidate's byte says besides its gate; see PackTrace.
const (
	gateBits  = 0x1f
	wonBit    = 0x20
	numberBit = 0x40
	runBit    = 0x80
	maxRun    = 0x7f
)

// PackTrace appends the packed form of t to dst. Candidates must be all those
// of an offer in the order of Offer.Names, because a packed trace counts in it.
//
//	version, engine, definitions, number of candidates
//	for each run of up to 127 candidates stopped at the trigger: 0x80 | length
//	for each other candidate: gate | won 0x20 | has a number 0x40; the number as a float32
//	how many have all numbers (at most the best eight), then for each of them:
//	its index, propensity, context, value and lever as float64
//
// The product of the factors is not stored: it is computed again.
func PackTrace(dst []byte, t *cx.Trace) []byte {
	dst = append(dst, traceCodec)
	dst = binary.AppendUvarint(dst, uint64(len(t.Engine)))
	dst = append(dst, t.Engine...)
	dst = binary.AppendUvarint(dst, t.Definitions)
	dst = binary.AppendUvarint(dst, uint64(len(t.Candidates)))
	dst = packGates(dst, t.Candidates)
	best, buf := 0, [fullNumbers]int{}
	best = pickBest(t.Candidates, &buf)
	dst = append(dst, byte(best))
	for _, i := range buf[:best] {
		c := &t.Candidates[i]
		dst = binary.AppendUvarint(dst, uint64(i))
		for _, f := range [...]float64{float64(c.Propensity), c.Context, c.Value, c.Lever} {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		}
	}
	return dst
}

func packGates(dst []byte, candidates []cx.Candidate) []byte {
	run := 0
	for i := range candidates {
		c := &candidates[i]
		if c.Gate == cx.GateTrigger && run < maxRun {
			run++
			continue
		}
		if run > 0 {
			dst = append(dst, runBit|byte(run))
			run = 0
		}
		if c.Gate == cx.GateTrigger {
			run = 1
			continue
		}
		b := byte(c.Gate) & gateBits
		if c.Won {
			b |= wonBit
		}
		if c.Number == 0 {
			dst = append(dst, b)
			continue
		}
		dst = append(dst, b|numberBit)
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(c.Number)))
	}
	if run > 0 {
		dst = append(dst, runBit|byte(run))
	}
	return dst
}

// pickBest fills buf with the indices of the scored candidates that are most
// worth keeping, winners first, then by score, then by index; and returns how
// many there are.
func pickBest(candidates []cx.Candidate, buf *[fullNumbers]int) (n int) {
	for i := range candidates {
		if !scored(&candidates[i]) {
			continue
		}
		at := sort.Search(n, func(j int) bool { return outranks(&candidates[i], &candidates[buf[j]]) })
		if at == fullNumbers {
			continue
		}
		n = min(n+1, fullNumbers)
		copy(buf[at+1:n], buf[at:n-1])
		buf[at] = i
	}
	return n
}

func scored(c *cx.Candidate) bool {
	return c.Gate == cx.Passed || c.Gate == cx.GateFloor || c.Gate == cx.GatePlace
}

func outranks(a, b *cx.Candidate) bool {
	if a.Won != b.Won {
		return a.Won
	}
	return a.Score > b.Score
}

// UnpackTrace reads what PackTrace wrote; names are those of the offer that the
// trace was made from. Numbers of gates come back rounded to a float32. It
// fails with cx.ErrCodec when b is not a trace over that many names.
func UnpackTrace(b []byte, names []string) (cx.Trace, error) {
	r := reader{cx.NewReader(b)}
	if r.Byte() != traceCodec {
		return cx.Trace{}, fmt.Errorf("trace: %w", cx.ErrCodec)
	}
	t := cx.Trace{Engine: string(r.Bytes()), Definitions: r.Uvarint()}
	if r.Uvarint() != uint64(len(names)) {
		r.Fail()
	}
	for r.OK() && len(t.Candidates) < len(names) {
		t.Candidates = unpackGate(&r, t.Candidates, names)
	}
	for n := r.Byte(); n > 0 && r.OK(); n-- {
		unpackNumbers(&r, t.Candidates)
	}
	if r.End() != nil {
		return cx.Trace{}, fmt.Errorf("trace: %w", cx.ErrCodec)
	}
	return t, nil
}

func unpackGate(r *reader, dst []cx.Candidate, names []string) []cx.Candidate {
	b := r.Byte()
	if b&runBit != 0 {
		n := int(b & maxRun)
		if n == 0 || len(dst)+n > len(names) {
			r.Fail()
			return dst
		}
		for range n {
			dst = append(dst, cx.Candidate{Action: names[len(dst)], Gate: cx.GateTrigger})
		}
		return dst
	}
	c := cx.Candidate{Action: names[len(dst)], Gate: cx.Gate(b & gateBits), Won: b&wonBit != 0}
	if b&numberBit != 0 {
		c.Number = float64(math.Float32frombits(r.Uint32()))
	}
	return append(dst, c)
}

func unpackNumbers(r *reader, candidates []cx.Candidate) {
	i := r.Uvarint()
	if i >= uint64(len(candidates)) {
		r.Fail()
		return
	}
	c := &candidates[i]
	c.Propensity = cx.Propensity(r.float())
	c.Context, c.Value, c.Lever = r.float(), r.float(), r.float()
	c.Score = product(c)
}
