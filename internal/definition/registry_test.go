package definition

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// A stored registry gives a statistic of any event the slot that it always had.
func TestRegistryKeepsSlots(t *testing.T) {
	stored := []byte("\x01\x02\x13count(\"Seen\", \"7d\")\x10count(\"\", \"all\")\x00")
	r, err := DecodeRegistry(stored)
	if err != nil {
		t.Fatal(err)
	}
	if slot := r.Statistic(cx.StatisticSpec{Aggregate: cx.Count, Window: cx.Window{Kind: cx.AllTime}}); slot != 1 {
		t.Errorf("slot %d, want 1", slot)
	}
	if again := AppendRegistry(nil, r); string(again) != string(stored) {
		t.Errorf("stored again as %q", again)
	}
}
