package profile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

// DecodeCustomer reads what AppendCustomer wrote. The customer aliases nothing
// of b. The error wraps cx.ErrCodec when b is not an encoding that this version
// reads.
func DecodeCustomer(b []byte) (*cx.Customer, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > customerCodec {
		return nil, fmt.Errorf("decode customer: %w", cx.ErrCodec)
	}
	d := decoder{b: b[1:]}
	c := &cx.Customer{ID: cx.CustomerID(d.word()), Workspace: cx.Workspace(d.text()), CreatedAt: d.time()}
	c.LastSeen, c.Flags, c.SpilledAt = c.CreatedAt+d.time(), cx.CustomerFlags(d.byte()), d.uint32()
	c.Session, c.Previous, c.Rate, c.Stats = d.visit(c.LastSeen), d.visit(0), d.rate(), d.stats()
	c.Identities, c.Seen, c.Segments, c.Judged = d.identities(c.CreatedAt), d.seen(), d.segments(), d.uint()
	if b[0] >= 2 {
		c.Filled, c.Unknown = d.uint(), d.slots()
	}
	c.Timers, c.Traits, c.Consent = d.timers(c.LastSeen), d.traits(), d.consent()
	c.Ledger, c.Tallies = d.ledger(), d.tallies()
	if d.bad || len(d.b) != 0 {
		return nil, fmt.Errorf("decode customer: %w", cx.ErrCodec)
	}
	return c, nil
}

// decoder reads from the front of b; after the first thing that is wrong, bad
// is set and everything reads as zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() {
	d.b, d.bad = nil, true
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 { // a longer encoding than needed is none of ours
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64       { return unzigzag(d.uint()) }
func (d *decoder) time() cx.Instant { return cx.Instant(d.int()) }

func (d *decoder) uint32() uint32 {
	v := d.uint()
	if v > math.MaxUint32 {
		d.fail()
		return 0
	}
	return uint32(v)
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) word() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

// piece reads a length and that many bytes, which alias b.
func (d *decoder) piece() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string { return string(d.piece()) }

// bytes reads a copy, nil for none.
func (d *decoder) bytes() []byte { return append([]byte(nil), d.piece()...) }

// count reads how many items follow, each of at least size bytes.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) visit(from cx.Instant) cx.Visit {
	start := from + d.time()
	return cx.Visit{Start: start, End: start + d.time(), Number: d.uint32(), Events: d.uint32()}
}

func (d *decoder) rate() cx.Rate {
	second, count := d.uint32(), d.uint()
	if count > math.MaxUint16 {
		d.fail()
	}
	return cx.Rate{Second: second, Count: uint16(count), Hot: d.byte(), Quiet: d.byte()}
}

// stats reads the packed statistics and checks that their entries are whole, in
// order and not empty.
func (d *decoder) stats() []byte {
	out := d.bytes()
	check := decoder{b: out}
	for last := -1; len(check.b) > 0; {
		slot := check.uint()
		if slot > math.MaxInt32 || int(slot) <= last || len(check.piece()) == 0 {
			d.fail()
			return nil
		}
		last = int(slot)
	}
	return out
}

func (d *decoder) identities(from cx.Instant) []cx.Identity {
	out := list[cx.Identity](d, 3)
	for i := range out {
		out[i] = cx.Identity{Namespace: cx.Namespace(d.byte()), Value: d.text(), Since: from + d.time()}
	}
	return out
}

func (d *decoder) seen() []cx.Seen {
	out := list[cx.Seen](d, 9)
	last := int64(0)
	for i := range out {
		message := d.word()
		last += d.int()
		if last < 0 || last > math.MaxUint32 {
			d.fail()
		}
		out[i] = cx.NewSeen(message, uint32(last))
	}
	return out
}

func (d *decoder) segments() []uint64 {
	out := list[uint64](d, 8)
	for i := range out {
		out[i] = d.word()
	}
	return out
}

func (d *decoder) slots() []int {
	out := list[int](d, 1)
	for i := range out {
		out[i] = int(d.uint())
	}
	return out
}

func (d *decoder) timers(from cx.Instant) []cx.Timer {
	out := list[cx.Timer](d, 3)
	for i := range out {
		out[i] = cx.Timer{Due: from + d.time(), Kind: cx.TimerKind(d.byte()), Ref: d.uint()}
	}
	return out
}

func (d *decoder) traits() []cx.Trait {
	out := list[cx.Trait](d, 5)
	for i := range out {
		out[i] = cx.Trait{Name: d.text(), Raw: d.bytes(), At: d.time(), By: cx.Position(d.uint()), Level: cx.KeyKind(d.byte())}
	}
	return out
}

func (d *decoder) consent() cx.Consent {
	out := list[cx.Grant](d, 4)
	for i := range out {
		out[i] = cx.Grant{Purpose: cx.Purpose(d.text()), Channel: cx.Channel(d.text()), Allowed: d.flag(), At: d.time()}
	}
	return out
}

func (d *decoder) flag() bool {
	v := d.byte()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) tallies() []cx.Tally {
	out := list[cx.Tally](d, 7)
	for i := range out {
		out[i] = cx.Tally{
			Action: d.text(), Total: d.uint32(), Session: d.uint32(), InSession: d.uint32(),
			Day: d.time(), InDay: d.uint32(), DismissedAt: d.time(),
		}
	}
	return out
}

// list makes room for the items that follow, each of at least size bytes; nil
// for none.
func list[T any](d *decoder, size int) []T {
	n := d.count(size)
	if n == 0 {
		return nil
	}
	return make([]T, n)
}
