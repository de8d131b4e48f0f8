package rule

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestUnsureMembership: while it cannot be known who is in a segment, a rule that
// hangs on it is neither true nor false.
func TestUnsureMembership(t *testing.T) {
	env := &Env{Segments: map[string]int{"buyer": 70, "fan": 3}}
	c := &cx.Customer{Segments: []uint64{1 << 3, 0}}
	for _, tc := range []struct {
		rule string
		want Truth
	}{
		{`segment("buyer")`, Unknown},
		{`!segment("buyer")`, Unknown},
		{`segment("buyer") || segment("fan")`, True},
		{`segment("buyer") && !segment("fan")`, False},
		{`[1.0, 2.0].exists(x, x == 2.0) && segment("buyer")`, Unknown},
		{`segment("fan")`, True},
	} {
		p, err := CompileCondition(tc.rule, env)
		if err != nil {
			t.Fatal(err)
		}
		s := &Scope{Customer: c, Unsure: []uint64{0, 1 << 6}}
		if got := p.Eval(s); got != tc.want {
			t.Errorf("%s is %v, want %v", tc.rule, got, tc.want)
		}
	}
}
