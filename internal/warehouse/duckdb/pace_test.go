package duckdb

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_800_000_000_000 + int64(ms)) }
	var p pace
	for _, step := range []struct {
		begin, end int // milliseconds
		hurry      bool
	}{
		{0, 900, false},     // the first one: nothing is known
		{1000, 1400, true},  // the last took 900 of 1,000
		{2000, 2500, false}, // 400 of 1,000
		{3000, 3510, false}, // 500 of 1,000 is not more than half
		{4000, 4010, true},  // 510 of 1,000
		{4015, 4020, true},  // 10 of 15: batches come one after the other
		{60000, 60001, false},
	} {
		if hurry := p.begin(at(step.begin)); hurry != step.hurry {
			t.Errorf("at %d ms: hurry %v, want %v", step.begin, hurry, step.hurry)
		}
		p.end(at(step.end))
	}
}
