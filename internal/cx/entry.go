package cx

import (
	"math/bits"
	"strconv"
	"strings"
)

// Position is a place in the journal: the record's stream sequence and the
// entry's index in it. Positions order all that ever happened.
type Position uint64

const indexBits = 16

// MaxEntries is how many entries one record may hold.
const MaxEntries = 1 << indexBits

// At joins a record's sequence (below 2^48) and an entry's index.
func At(sequence uint64, index int) Position {
	return Position(sequence<<indexBits | uint64(index))
}

// Sequence returns the record's stream sequence.
func (p Position) Sequence() uint64 { return uint64(p >> indexBits) }

// Index returns the entry's index in its record.
func (p Position) Index() int { return int(p & (MaxEntries - 1)) }

// String gives "sequence.index".
func (p Position) String() string {
	return strconv.FormatUint(p.Sequence(), 10) + "." + strconv.Itoa(p.Index())
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (Position, bool) {
	before, after, ok := strings.Cut(s, ".")
	sequence, err := strconv.ParseUint(before, 10, 64-indexBits)
	index, err2 := strconv.ParseUint(after, 10, indexBits)
	if !ok || err != nil || err2 != nil || At(sequence, int(index)).String() != s {
		return 0, false
	}
	return At(sequence, int(index)), true
}

// EntryKind says what a journal entry holds. The journal keeps external inputs
// only; what the machine derives from them is never appended.
type EntryKind uint8

// The kinds of entry. The numbers are part of the format and never change.
const (
	EntryEvent       EntryKind = 1 // AppendEvent
	EntryTick        EntryKind = 2 // empty: log time is the record's
	EntryDefinitions EntryKind = 3 // a published set of definitions
	EntryCommand     EntryKind = 4 // an operator's command
	EntryFate        EntryKind = 5 // how a delivery ended
	EntryErased      EntryKind = 6 // AppendErased: what stays of the event of an erased person
)

// Entry is one journal entry.
type Entry struct {
	Kind    EntryKind
	Payload []byte
}

// mix is a bijection on 64 bits (the finaliser of splitmix64, Steele et al.
// 2014) that scatters neighbouring numbers.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// unmix inverts mix.
func unmix(x uint64) uint64 {
	x ^= x>>31 ^ x>>62
	x *= 0x319642b2d24d8ec3
	x ^= x>>27 ^ x>>54
	x *= 0x96de1b173f119089
	return x ^ x>>30 ^ x>>60
}

// Odd numbers without a pattern: digits of the golden ratio and of splitmix64's
// finaliser.
const (
	odd1 = 0x9e3779b97f4a7c15
	odd2 = 0xbf58476d1ce4e5b9
	odd3 = 0x94d049bb133111eb
)

// Hash returns a 64-bit hash of parts, the same on every machine. Eight bytes at
// a time are mixed in by a product of 128 bits folded in half (as in Wang Yi's
// wyhash). It is not secure against chosen input.
func Hash(parts ...string) uint64 {
	h := uint64(odd1)
	for _, s := range parts {
		h = absorb(h, s, odd2)
	}
	return mix(h)
}

// HashKey is a 128-bit hash for exact-enough look-up of long keys.
type HashKey [2]uint64

// Hash128 hashes parts twice, independently.
func Hash128(parts ...string) HashKey {
	h, g := uint64(odd1), uint64(odd3)
	for _, s := range parts {
		h, g = absorb(h, s, odd2), absorb(g, s, odd1)
	}
	return HashKey{mix(h), mix(g)}
}

// absorb mixes s and its length into h.
func absorb(h uint64, s string, odd uint64) uint64 {
	n := uint64(len(s))
	for ; len(s) >= 8; s = s[8:] {
		h = fold(h^word(s), odd)
	}
	rest := uint64(0)
	for i := range len(s) {
		rest |= uint64(s[i]) << (8 * i)
	}
	return fold(h^rest, odd^n<<1)
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// word reads the first eight bytes of s.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
