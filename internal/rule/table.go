package rule

import (
	"math"
	"strconv"
)

// Table is many rules made ready to be evaluated together for one customer
// after another. What several of them compare is looked up once, and what they
// compare it with lies side by side in memory: of what evaluating a hundred
// small rules takes, most is waiting for memory. It is immutable and safe for
// concurrent use.
type Table struct {
	rows     []row
	levels   []level
	operands []operand
}

// row is one rule: some of the table's levels, of which at least need are to be
// met: all of them (&&) or one (||). Rules that do not fit have a program.
type row struct {
	from, to, need uint32
	program        *Program
}

// level is a condition on an operand: that it is from low to high, or with a
// not of 1 that it is not.
type level struct {
	operand   uint32
	not       uint8
	low, high float64
}

// operand is a part of rules that does not depend on memberships: a statistic,
// another number, or a condition, which counts as 1 or 0.
type operand struct {
	number    numFunc
	condition condFunc
	slot      int // of a statistic, with neither
}

// Memory is what evaluating the rules of a Table has found out so far about one
// customer at one moment. The zero Memory is ready.
type Memory struct {
	turn     uint64
	readings []reading // by operand
}

// reading is what an operand came to, good only for the turn noted with it.
type reading struct {
	turn    uint64
	value   float64
	there   uint8 // 1: there is a value
	unknown uint8 // 1: there is none yet
}

// Forget readies m for a table and another customer or moment.
func (m *Memory) Forget(t *Table) {
	m.turn++
	if len(m.readings) < len(t.operands) {
		m.readings = make([]reading, len(t.operands))
	}
}

// Eval is Eval of the rule with index i. From one Forget to the next, t must be
// the table that m was readied for, and nothing that rules see may change but
// the customer's memberships.
//
// Levels are counted, not decided one by one: whether a customer is above a
// level is as good as random, and a processor that guesses wrong loses more time
// than it takes to look at the next one.
func (t *Table) Eval(i int, s *Scope, m *Memory) Truth {
	r := &t.rows[i]
	if r.program != nil {
		return r.program.Eval(s)
	}
	var met, missed uint32
	var unknown uint8
	levels := t.levels[r.from:r.to]
	for k := range levels {
		l := &levels[k]
		is := &m.readings[l.operand]
		if is.turn != m.turn {
			*is = t.operands[l.operand].read(s, m.turn)
		}
		in := is.there & (bit8(is.value >= l.low)&bit8(is.value <= l.high) ^ l.not)
		met += uint32(in)
		missed += uint32(is.there &^ in)
		unknown |= is.unknown
	}
	if unknown != 0 && met < r.need && (r.need == 1 || missed == 0) {
		return Unknown
	}
	return Truth(bit8(met >= r.need))
}

// bit8 is 1 for true.
func bit8(b bool) uint8 {
	var n uint8
	if b {
		n = 1
	}
	return n
}

func (o *operand) read(s *Scope, turn uint64) reading {
	r := reading{turn: turn}
	var h held
	switch {
	case o.number != nil:
		r.value, h = o.number(s)
	case o.condition == nil:
		r.value, h = s.number(o.slot)
	default:
		if h = o.condition(s); h == yes || h == no {
			r.value, h = float64(bit8(h == yes)), yes
		}
	}
	r.there, r.unknown = bit8(h == yes), bit8(h == unknown)
	return r
}

// NewTable makes a table of conditions.
func NewTable(rules []*Program) *Table {
	b := tabler{known: map[string]uint32{}}
	for _, p := range rules {
		b.add(p)
	}
	return &b.Table
}

// tabler makes a table.
type tabler struct {
	Table
	known map[string]uint32 // operands by key
}

// costly is the cost from which a rule had better stop at the first part that
// settles it.
const costly = 100

func (b *tabler) add(p *Program) {
	if p.root.readsSegment() || p.root.cost() >= costly {
		b.rows = append(b.rows, row{program: p})
		return
	}
	parts, need := []*node{p.root}, 1
	if d := p.root.definition(); d.op == opAnd || d.op == opOr {
		parts = d.args
		if d.op == opAnd {
			need = len(parts)
		}
	}
	r := row{from: uint32(len(b.levels)), need: uint32(need)}
	for _, n := range parts {
		b.levels = append(b.levels, b.level(n))
	}
	r.to = uint32(len(b.levels))
	b.rows = append(b.rows, r)
}

// level returns the level that says what condition n says.
func (b *tabler) level(n *node) level {
	d := n.definition()
	if d.op == opNot {
		l := b.level(d.args[0])
		l.not ^= 1
		return l
	}
	if l, ok := b.comparison(d); ok {
		return l
	}
	return level{operand: b.operand(n, operand{condition: n.cond()}), low: 1, high: 1}
}

// comparison returns the level of a comparison of a number with a constant; ok
// is false for anything else.
func (b *tabler) comparison(n *node) (l level, ok bool) {
	if n.op < opEq || n.op > opGe {
		return level{}, false
	}
	order, a, k := n.op, n.args[0], n.args[1]
	if _, ok := a.constant(); ok {
		order, a, k = mirrored(order), k, a
	}
	bound, constant := k.constant()
	if !constant || a.typ != Number || k.typ != Number || math.IsNaN(bound.Float()) || math.IsInf(bound.Float(), 0) {
		return level{}, false
	}
	l.low, l.high, l.not = span(order, bound.Float())
	o := operand{number: a.num()}
	if d := a.definition(); d.op == opStatistic {
		o = operand{slot: d.slot}
	}
	l.operand = b.operand(a, o)
	return l, true
}

// span returns the numbers that a finite k allows in "number o k".
func span(o op, k float64) (low, high float64, not uint8) {
	low, high = math.Inf(-1), math.Inf(1)
	switch o {
	case opLt:
		high = math.Nextafter(k, low)
	case opLe:
		high = k
	case opGt:
		low = math.Nextafter(k, high)
	case opGe:
		low = k
	default:
		low, high = k, k
	}
	return low, high, bit8(o == opNe)
}

// operand returns the index of what n comes to, taking o for it when it is new.
func (b *tabler) operand(n *node, o operand) uint32 {
	key, ok := n.key()
	if i, known := b.known[key]; ok && known {
		return i
	}
	i := uint32(len(b.operands))
	b.operands = append(b.operands, o)
	if ok {
		b.known[key] = i
	}
	return i
}

// key returns a text that is the same for nodes that come to the same; ok is
// false when n has none.
func (n *node) key() (key string, ok bool) {
	n = n.definition()
	switch n.op {
	case opPath, opHas, opCel, opMatches, opProperties, opContext, opTraits:
		return "", false
	default: // the others are their operation, slot, constant and arguments
	}
	key = "(" + strconv.Itoa(int(n.op)) + " " + strconv.Itoa(int(n.typ)) + " " + strconv.Itoa(n.slot)
	if n.op == opConst {
		key += " " + strconv.Itoa(int(n.konst.Kind)) + strconv.Quote(n.konst.String())
	}
	for _, a := range n.args {
		k, ok := a.key()
		if !ok {
			return "", false
		}
		key += k
	}
	return key + ")", true
}

// readsSegment reports whether n or anything under it looks at a membership.
func (n *node) readsSegment() bool {
	reads := false
	n.walk(func(n *node) bool {
		reads = reads || n.op == opSegment
		return !reads
	})
	return reads
}
