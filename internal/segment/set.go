// Package segment keeps customers in named segments. A segment is a lasting
// state, not an event: membership is a bit of the customer, re-evaluated when
// something the segment's rule looks at has changed, or when time alone changes
// it.
package segment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// Segment is one named rule. Slot is its bit in Customer.Segments.
type Segment struct {
	Slot int
	Name string
	When *rule.Program
}

// Set is all segments of one published set of definitions, with an index from
// inputs to the segments that look at them. It is immutable and safe for
// concurrent use.
type Set struct {
	segments   []Segment // a segment comes after those it refers to
	dependents [][]int   // segment -> the later ones that refer to it, all by index
	bySlot     []int     // slot -> index, -1 when the set has no such segment
	slots      []int     // index -> slot
	rules      *rule.Table

	all, anyTrait, session, visit, links, timed mask
	byStatistic                                 []mask // by slot of the statistic
	byTrait                                     map[string]mask

	causes  []cause // what time may do to memberships
	clocked []int   // segments that look at the clock, by index
}

// NewSet orders and indexes segments. It fails when two share a slot or a name,
// when one looks at the event at hand, when one refers to a slot that is not in
// the set, and when segments refer to each other in a circle.
func NewSet(segments []Segment) (*Set, error) {
	s := &Set{segments: slices.Clone(segments), byTrait: map[string]mask{}}
	slices.SortFunc(s.segments, func(a, b Segment) int { return a.Slot - b.Slot })
	if err := s.validate(); err != nil {
		return nil, err
	}
	if err := s.order(); err != nil {
		return nil, err
	}
	s.index()
	return s, nil
}

// Len returns the number of segments.
func (s *Set) Len() int { return len(s.segments) }

// All returns the segments in order of evaluation. The caller does not change
// them.
func (s *Set) All() []Segment { return s.segments }

// BySlot returns the segment in a slot; ok is false when there is none.
func (s *Set) BySlot(slot int) (seg Segment, ok bool) {
	if slot < 0 || slot >= len(s.bySlot) || s.bySlot[slot] < 0 {
		return Segment{}, false
	}
	return s.segments[s.bySlot[slot]], true
}

// Names returns the names of the segments that c is in, by slot.
func (s *Set) Names(c *cx.Customer) []string {
	var names []string
	for slot, i := range s.bySlot {
		if i >= 0 && c.InSegment(slot) {
			names = append(names, s.segments[i].Name)
		}
	}
	return names
}

// validate checks each segment for itself; s.segments are sorted by slot.
func (s *Set) validate() error {
	named := map[string]bool{}
	for i, seg := range s.segments {
		switch {
		case seg.Slot < 0:
			return invalid("segment %s has no slot", seg.Name)
		case i > 0 && s.segments[i-1].Slot == seg.Slot:
			return invalid("segments %s and %s share slot %d", s.segments[i-1].Name, seg.Name, seg.Slot)
		case named[seg.Name]:
			return invalid("there are two segments called %s: rename one", seg.Name)
		case seg.When.Deps().Event:
			return invalid("segment %s looks at event.…, which is gone once the event is over: use a statistic instead", seg.Name)
		}
		named[seg.Name] = true
	}
	return nil
}

// order sorts the segments so that each comes after those it refers to, and by
// slot where that leaves a choice.
func (s *Set) order() error {
	bySlot := map[int]Segment{}
	for _, seg := range s.segments {
		bySlot[seg.Slot] = seg
	}
	var sorted []Segment
	done, open := map[int]bool{}, []string{}
	var place func(Segment) error
	place = func(seg Segment) error {
		if at := slices.Index(open, seg.Name); at >= 0 {
			return invalid("segments refer to each other in a circle: %s: take one reference out", strings.Join(append(open[at:], seg.Name), " -> "))
		}
		if done[seg.Slot] {
			return nil
		}
		open = append(open, seg.Name)
		for _, slot := range seg.When.Deps().Segments {
			to, ok := bySlot[slot]
			if !ok {
				return invalid("segment %s refers to a segment that is not in the set", seg.Name)
			}
			if err := place(to); err != nil {
				return err
			}
		}
		open = open[:len(open)-1]
		done[seg.Slot] = true
		sorted = append(sorted, seg)
		return nil
	}
	for _, seg := range s.segments {
		if err := place(seg); err != nil {
			return err
		}
	}
	s.segments = sorted
	return nil
}

func invalid(format string, args ...any) error {
	return cx.E(cx.Invalid, "", fmt.Sprintf(format, args...))
}

// index notes for each input which segments look at it.
func (s *Set) index() {
	s.dependents = make([][]int, len(s.segments))
	programs := make([]*rule.Program, len(s.segments))
	for i, seg := range s.segments {
		programs[i] = seg.When
		s.slots = append(s.slots, seg.Slot)
		for len(s.bySlot) <= seg.Slot {
			s.bySlot = append(s.bySlot, -1)
		}
		s.bySlot[seg.Slot] = i
		s.indexOne(i, seg.When)
	}
	s.sortCauses()
	s.rules = rule.NewTable(programs)
}

func (s *Set) indexOne(i int, p *rule.Program) {
	d := p.Deps()
	s.all.add(i)
	for _, st := range d.Statistics {
		for len(s.byStatistic) <= st.Slot {
			s.byStatistic = append(s.byStatistic, nil)
		}
		s.byStatistic[st.Slot].add(i)
		if k := st.Spec.Window.Kind; k == cx.Session || k == cx.PreviousSession {
			s.session.add(i)
		}
	}
	for _, name := range d.Traits {
		m := s.byTrait[name]
		m.add(i)
		s.byTrait[name] = m
	}
	for _, slot := range d.Segments {
		from := s.bySlot[slot]
		s.dependents[from] = append(s.dependents[from], i)
	}
	s.anyTrait.addIf(d.AnyTrait, i)
	s.session.addIf(d.Session || d.Visit, i)
	s.visit.addIf(d.Visit, i)
	s.links.addIf(d.Links, i)
	s.timed.addIf(p.Timed(), i)
	if p.Timed() {
		s.indexTime(i, d)
	}
}
