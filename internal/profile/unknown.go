package profile

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Doubt notes that the statistics of some slots cannot be known for c. Adopt
// makes them known again, if it adopts them from somebody of whom they are.
func Doubt(c *cx.Customer, slots []int) { c.Unknown = unionSlots(c.Unknown, slots) }

// unionSlots returns the slots of both, ascending; it shares memory with neither
// when it has to add something.
func unionSlots(a, b []int) []int {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// keepSlots returns those of slots that keep says, nil for none.
func keepSlots(slots []int, keep func(int) bool) (kept []int) {
	for _, s := range slots {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// Doubt returns what was found with no statistics but those of some slots, which
// cannot be known.
func (u *Unmerged) Doubt(slots []int) (*Unmerged, error) {
	out := *u
	out.Parts, out.Facts = nil, nil
	nobody := &cx.Customer{Unknown: slots}
	for _, p := range u.Parts {
		c := *p.Customer
		c.Stats, c.Unknown = nil, slots
		p.Customer = &c
		out.Parts = append(out.Parts, p)
	}
	for _, f := range u.Facts {
		var err error
		if f.WinnerBefore, err = withStatistics(f.WinnerBefore, nobody); err != nil {
			return nil, err
		}
		if f.LoserBefore, err = withStatistics(f.LoserBefore, nobody); err != nil {
			return nil, err
		}
		out.Facts = append(out.Facts, f)
	}
	return &out, nil
}
