package decide_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
)

// traces draws traces as Decide makes them: scored candidates have numbers, and
// the score is their product.
var traces = rapid.Custom(func(t *rapid.T) cx.Trace {
	trace := cx.Trace{Engine: rapid.StringN(0, 8, 8).Draw(t, "engine"), Definitions: rapid.Uint64().Draw(t, "definitions")}
	for i := range rapid.IntRange(0, 300).Draw(t, "candidates") {
		c := cx.Candidate{Action: fmt.Sprintf("action-%03d", i), Gate: cx.GateTrigger}
		if rapid.IntRange(0, 3).Draw(t, "triggered") == 0 {
			c.Gate = cx.Gate(rapid.IntRange(0, 16).Draw(t, "gate"))
		}
		switch c.Gate {
		case cx.GateTrigger:
		case cx.Passed, cx.GateFloor, cx.GatePlace:
			c.Propensity = cx.Propensity(rapid.Float64Range(0, 1).Draw(t, "p"))
			c.Context, c.Value, c.Lever = rapid.Float64Range(0, 10).Draw(t, "c"), rapid.Float64Range(0, 1e6).Draw(t, "v"), rapid.Float64Range(0, 10).Draw(t, "l")
			c.Score = float64(c.Propensity) * c.Context * c.Value * c.Lever
			c.Won = c.Gate == cx.Passed
			fallthrough
		default:
			c.Number = float64(rapid.Float32Range(0, 1e6).Draw(t, "number"))
		}
		trace.Candidates = append(trace.Candidates, c)
	}
	return trace
})

func names(t cx.Trace) (out []string) {
	for _, c := range t.Candidates {
		out = append(out, c.Action)
	}
	return out
}

func TestTraceComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := traces.Draw(t, "trace")
		packed := decide.PackTrace(nil, &trace)
		got, err := decide.UnpackTrace(packed, names(trace))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(bestOf(trace), got); diff != "" {
			t.Fatal(diff)
		}
		if again := decide.PackTrace(nil, &got); !slices.Equal(again, packed) && len(trace.Candidates) < 8 {
			t.Fatal("the trace that came back packs to something else")
		}
		if _, err := decide.UnpackTrace(packed[:rapid.IntRange(0, len(packed)-1).Draw(t, "cut")], names(trace)); !errors.Is(err, cx.ErrCodec) {
			t.Fatalf("cut short: %v", err)
		}
	})
}

// bestOf takes the numbers from all but the best eight candidates.
func bestOf(t cx.Trace) cx.Trace {
	var order []int
	for i, c := range t.Candidates {
		if c.Gate == cx.Passed || c.Gate == cx.GateFloor || c.Gate == cx.GatePlace {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := t.Candidates[i], t.Candidates[j]
		switch {
		case a.Won && !b.Won, a.Won == b.Won && a.Score > b.Score:
			return -1
		case b.Won && !a.Won, b.Score > a.Score:
			return 1
		}
		return 0
	})
	out := t
	out.Candidates = slices.Clone(t.Candidates)
	for n, i := range order {
		if n >= 8 {
			c := &out.Candidates[i]
			c.Propensity, c.Context, c.Value, c.Lever, c.Score = 0, 0, 0, 0, 0
		}
	}
	return out
}

// TestTraceIsSmall packs the largest trace that a hundred candidates can have.
func TestTraceIsSmall(t *testing.T) {
	trace := cx.Trace{Engine: decide.Engine, Definitions: 1 << 40}
	for i := range 100 {
		trace.Candidates = append(trace.Candidates, cx.Candidate{
			Action: fmt.Sprintf("action-%03d", i), Gate: cx.GatePlace, Number: 1234.5, Propensity: 0.1, Context: 1.5, Value: 100, Lever: 1.1, Score: 16.5,
		})
	}
	n := len(decide.PackTrace(nil, &trace))
	t.Logf("%d bytes at 100 candidates that all have numbers", n)
	if n > 1024 {
		t.Errorf("%d bytes, want at most 1024", n)
	}
	for i := 10; i < 100; i++ {
		trace.Candidates[i] = cx.Candidate{Action: trace.Candidates[i].Action, Gate: cx.GateTrigger}
	}
	n = len(decide.PackTrace(nil, &trace))
	t.Logf("%d bytes when ten of them are triggered", n)
	if n > 400 {
		t.Errorf("%d bytes, want at most 400", n)
	}
}

func FuzzUnpackTrace(f *testing.F) {
	all := []string{"a", "b", "c"}
	f.Add(decide.PackTrace(nil, &cx.Trace{Engine: "1", Candidates: []cx.Candidate{
		{Action: "a", Won: true, Propensity: 0.5, Context: 1, Value: 1, Lever: 1, Score: 0.5},
		{Action: "b", Gate: cx.GateTrigger},
		{Action: "c", Gate: cx.GateCooldown, Number: 30},
	}}))
	f.Add([]byte{1, 0, 0, 3, 0x83, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		trace, err := decide.UnpackTrace(b, all)
		if err == nil && len(trace.Candidates) != len(all) {
			t.Fatalf("%d candidates over %d names", len(trace.Candidates), len(all))
		}
	})
}

func FuzzDecodeInput(f *testing.F) {
	s := situation{Rates: rates{"a": 0.5}}
	in := s.input([]decide.Action{{Name: "a"}})
	in.Entered = []int{3, 70}
	f.Add(decide.AppendInput(nil, in, new(decide.Result), []byte("customer"), []byte("event")))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decide.DecodeInput(b)
		if (err == nil) != (s != nil) {
			t.Fatal("neither an answer nor an error")
		}
	})
}

// TestFormatsDoNotChange holds what is stored for years: when it fails, the
// codec needs another version and has to read this one.
func TestFormatsDoNotChange(t *testing.T) {
	trace := cx.Trace{Engine: "1", Definitions: 300, Candidates: []cx.Candidate{
		{Action: "a", Gate: cx.GateCooldown, Number: 30},
		{Action: "b", Won: true, Propensity: 0.5, Context: 1, Value: 10, Lever: 1.25, Score: 6.25},
		{Action: "c", Gate: cx.GateTrigger},
		{Action: "d", Gate: cx.GateTrigger},
		{Action: "e", Gate: cx.GateConsent},
	}}
	const packed = "010131ac0205" + "4a0000f041" + "20" + "82" + "02" +
		"01" + "01" + "000000000000e03f" + "000000000000f03f" + "0000000000002440" + "000000000000f43f"
	if got := fmt.Sprintf("%x", decide.PackTrace(nil, &trace)); got != packed {
		t.Errorf("trace\n%s, want\n%s", got, packed)
	}
	s := situation{Rates: rates{"a": 0.25, "b": 0.5}, Allowed: []cx.Purpose{cx.OnSiteService}}
	actions := []decide.Action{{Name: "a"}, {Name: "b"}}
	for i := range actions {
		a := &actions[i]
		a.Purpose, a.Channel, a.Place, a.Message, a.Value, a.Triggers = cx.OnSiteService, cx.Web, "center", text(t, "hello"), 1, []decide.Trigger{{Event: "E"}}
	}
	in := s.input(actions)
	in.Entered = []int{3, 200}
	in.Scope.Customer.Ledger = []cx.Attention{line(1, "gone", cx.Dismissed), line(2, "b", cx.Released)}
	var d decide.Decider
	var out decide.Result
	d.Decide(in, &out)
	const stored = "01" + "0131" + "07" + "6ec05925f789d932" + "00ccf6e7fc600600" + "0203c801" +
		"01" + "000000000000d03f" + "00" + "02" + "00c4008092f401" + "0285008092f401" + "0163" + "0165"
	got := fmt.Sprintf("%x", decide.AppendInput(nil, in, &out, []byte("c"), []byte("e")))
	if got != stored {
		t.Errorf("stored\n%s, want\n%s", got, stored)
	}
}
