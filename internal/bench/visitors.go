package bench

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// shoppers is how many visits one connection carries at a time.
const shoppers = 64

// Visitors is a model of the people in a shop. It writes their events as
// analytics.js does, about 780 bytes each. The same seed, stream and times give
// the same bytes, for ever.
//
// A Visitors belongs to one goroutine; streams of one seed share the catalogue
// and the customers and draw them independently.
type Visitors struct {
	shop      *Shop
	r         *rand.Rand
	stream    uint64
	sent      uint64
	visits    [shoppers]visit
	next      func() uint32 // the customer of the next visit
	clock     stamp
	letter    byte // of the last event: t, p or i
	remaining int  // in order mode: events of the current customer still to write
}

// Shop is what all streams of one run share. It is safe for concurrent use.
type Shop struct {
	seed      uint64
	customers int
	catalogue *catalogue
}

// NewShop returns the shop of a seed, with so many customers.
func NewShop(seed uint64, customers int) *Shop {
	return &Shop{seed: seed, customers: customers, catalogue: newCatalogue(rand.New(rand.NewPCG(seed, 1)))}
}

// Visitors returns one stream of visitors, drawn by their activity: the n-th
// most active of N customers comes in proportion to n^(-1/3). That is milder
// than the visits of a year would be, because an hour of load is squeezed into
// a minute, and nobody must come so often that they look like a flood.
func (s *Shop) Visitors(stream int) *Visitors {
	v := &Visitors{shop: s, r: rand.New(rand.NewPCG(s.seed, uint64(stream)+2)), stream: uint64(stream)}
	v.next = func() uint32 {
		u := v.r.Float64()
		return uint32(float64(s.customers) * float64(u*math.Sqrt(u)))
	}
	for i := range v.visits {
		v.visits[i].start(v.next(), v.r)
		v.visits[i].left = 1 + v.r.IntN(v.visits[i].left) // do not all leave together
	}
	return v
}

// Roll returns a stream in which each customer from first on, in steps of step,
// comes once and sends exactly the given number of events, one customer after
// the other: to fill a server.
func (s *Shop) Roll(stream, first, step, events int) *Visitors {
	v := &Visitors{shop: s, r: rand.New(rand.NewPCG(s.seed, uint64(stream)+2)), stream: uint64(stream), remaining: events}
	customer := uint32(first)
	v.visits[0].start(customer, v.r)
	v.visits[0].left = events
	v.next = func() uint32 { customer += uint32(step); return customer }
	return v
}

// AppendEvent writes the next event, which happens at now, without its closing
// brace.
func (v *Visitors) AppendEvent(dst []byte, now time.Time) []byte {
	who := &v.visits[0]
	if v.remaining == 0 {
		who = &v.visits[v.r.Uint64()%shoppers]
	}
	if who.over() {
		who.start(v.next(), v.r)
		if v.remaining > 0 {
			who.left = v.remaining
		}
	}
	v.clock.set(now)
	v.sent++
	return v.render(dst, who, who.next(v.shop.catalogue, v.r))
}

// AppendBatch writes a whole batch of n events.
func (v *Visitors) AppendBatch(dst []byte, n int, now time.Time) []byte {
	dst = append(dst, `{"batch":[`...)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(v.AppendEvent(dst, now), '}')
	}
	dst = append(append(append(dst, `],"sentAt":"`...), v.clock.text...), `"}`...)
	return dst
}

// AppendSingle writes one event as a request of its own. letter is the one that
// the browser's SDK sends it under: /v1/t, /v1/p or /v1/i.
func (v *Visitors) AppendSingle(dst []byte, now time.Time) (_ []byte, letter byte) {
	dst = v.AppendEvent(dst, now)
	return append(append(append(dst, `,"sentAt":"`...), v.clock.text...), `"}`...), v.letter
}

// stamp is a moment as text, written again only when the millisecond changes.
type stamp struct {
	ms   int64
	text []byte // RFC 3339 with milliseconds
	unix []byte // milliseconds since 1970
}

func (s *stamp) set(now time.Time) {
	if ms := now.UnixMilli(); ms != s.ms || s.text == nil {
		s.ms = ms
		s.text = time.UnixMilli(ms).UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05.000Z")
		s.unix = strconv.AppendInt(s.unix[:0], ms, 10)
	}
}

// scatter is a bijection on 64 bits (the finaliser of splitmix64).
func scatter(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

const hexDigits = "0123456789abcdef"

// appendUUID writes 128 bits as a version 4 UUID.
func appendUUID(dst []byte, hi, lo uint64) []byte {
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 1<<63
	for i := 60; i >= 0; i -= 4 {
		dst = append(dst, hexDigits[hi>>i&15])
		if i == 32 || i == 16 {
			dst = append(dst, '-')
		}
	}
	dst = append(dst, '-')
	for i := 60; i >= 0; i -= 4 {
		dst = append(dst, hexDigits[lo>>i&15])
		if i == 48 {
			dst = append(dst, '-')
		}
	}
	return dst
}
