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
