package segment

import (
	"math/bits"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// mask is a set of indexes of segments.
type mask []uint64

func (m *mask) add(i int) {
	for i>>6 >= len(*m) {
		*m = append(*m, 0)
	}
	(*m)[i>>6] |= 1 << (i & 63)
}

func (m *mask) addIf(yes bool, i int) {
	if yes {
		m.add(i)
	}
}

// Evaluator evaluates sets for one lane: it owns the memory for the answers. The
// zero Evaluator is ready.
type Evaluator struct {
	dirty         mask
	entered, left []int
	memory        rule.Memory
	due           []cx.Instant // when each cause of a set comes
}

// Evaluate brings the memberships of c up to date after one step and returns
// the slots of the segments that c entered and left, ascending; the slices are
// valid until the next call. It looks only at segments whose inputs changed as
// ch says, and when sc.Event is nil, which is a step of time alone, also at those
// that time changes. sc.Customer must be c. A segment whose rule is Unknown stays
// as it is. With ch.All, bits that belong to no segment of the set are cleared
// without being reported. Nothing is allocated unless c enters a segment whose
// slot is higher than any before.
func (e *Evaluator) Evaluate(set *Set, c *cx.Customer, sc *rule.Scope, ch *cx.Change) (entered, left []int) {
	e.entered, e.left = e.entered[:0], e.left[:0]
	e.mark(set, sc, ch)
	e.memory.Forget(set.rules)
	for w := range e.dirty {
		for e.dirty[w] != 0 {
			i := w<<6 + bits.TrailingZeros64(e.dirty[w])
			e.dirty[w] &= e.dirty[w] - 1
			if e.move(set.slots[i], set.rules.Eval(i, sc, &e.memory), c) {
				for _, d := range set.dependents[i] {
					e.dirty.add(d)
				}
			}
		}
	}
	if ch.All {
		set.clean(c)
	}
	slices.Sort(e.entered)
	slices.Sort(e.left)
	return e.entered, e.left
}

// mark makes dirty the segments whose inputs changed.
func (e *Evaluator) mark(set *Set, sc *rule.Scope, ch *cx.Change) {
	if len(e.dirty) < len(set.all) {
		e.dirty = make(mask, len(set.all))
	}
	if ch.All {
		e.merge(set.all)
		return
	}
	for w, word := range ch.Slots {
		for ; word != 0; word &= word - 1 {
			if slot := w<<6 + bits.TrailingZeros64(word); slot < len(set.byStatistic) {
				e.merge(set.byStatistic[slot])
			}
		}
	}
	for _, name := range ch.Traits {
		e.merge(set.byTrait[name])
	}
	if len(ch.Traits) > 0 {
		e.merge(set.anyTrait)
	}
	if ch.Session {
		e.merge(set.session)
	}
	if ch.Links {
		e.merge(set.links)
	}
	if sc.Event == nil {
		e.merge(set.timed)
	} else {
		e.merge(set.visit)
	}
}

func (e *Evaluator) merge(m mask) {
	for w, word := range m {
		e.dirty[w] |= word
	}
}

// move puts c into or out of the segment in slot, as the truth of its rule says,
// and reports whether that was a change.
func (e *Evaluator) move(slot int, is rule.Truth, c *cx.Customer) bool {
	was := c.InSegment(slot)
	switch {
	case is == rule.True && !was:
		enter(c, slot)
		e.entered = append(e.entered, slot)
	case is == rule.False && was:
		leave(c, slot)
		e.left = append(e.left, slot)
	default:
		return false
	}
	return true
}

func enter(c *cx.Customer, slot int) {
	for slot>>6 >= len(c.Segments) {
		c.Segments = append(c.Segments, 0)
	}
	c.Segments[slot>>6] |= 1 << (slot & 63)
}

func leave(c *cx.Customer, slot int) {
	c.Segments[slot>>6] &^= 1 << (slot & 63)
	trim(c)
}

// trim takes off trailing zero words, so that equal memberships are equal bytes.
func trim(c *cx.Customer) {
	n := len(c.Segments)
	for n > 0 && c.Segments[n-1] == 0 {
		n--
	}
	c.Segments = c.Segments[:n]
}

// clean clears the bits of slots that the set does not have.
func (s *Set) clean(c *cx.Customer) {
	for w := range c.Segments {
		for word := c.Segments[w]; word != 0; word &= word - 1 {
			slot := w<<6 + bits.TrailingZeros64(word)
			if _, ok := s.BySlot(slot); !ok {
				c.Segments[w] &^= 1 << (slot & 63)
			}
		}
	}
	trim(c)
}
