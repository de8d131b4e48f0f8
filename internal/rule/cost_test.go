package rule

import (
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestCostLimit checks that loops inside loops over a large event are cut off,
// and that the explanation says so.
func TestCostLimit(t *testing.T) {
	list := "[" + strings.Repeat("1,", 4000) + "1]"
	event := &cx.Event{Properties: []byte(`{"l":` + list + `}`)}
	s := &Scope{Event: event, Fields: cx.ParseFields(nil, event.Properties)}

	p := mustCompile(t, `event.properties.l.exists(a, event.properties.l.exists(b, event.properties.l.exists(c, a + b + c > 10)))`, counting())
	if got := p.Eval(s); got != False {
		t.Errorf("got %v", got)
	}
	if e := p.Explain(s); e.Held != HeldFailed || !strings.Contains(e.Reason, "cost limit") {
		t.Errorf("got %s: %s", e.Held, e.Reason)
	}
	if p := mustCompile(t, `event.properties.l.all(a, a == 1)`, counting()); p.Eval(s) != True {
		t.Errorf("one loop over 4001 elements is too much:\n%v", p.Explain(s))
	}
}

// TestNativeSaysWhoRuns tells rules that cel-go has a part in from those that it
// has not.
func TestNativeSaysWhoRuns(t *testing.T) {
	for text, want := range map[string]bool{
		`event.name == "A" && traits.a in [1, 2] && size(event.properties.l) > 3`: true,
		`cart * 2 + 1 >= 3 ? traits.a : event.properties.l[3].x`:                  true,
		`event.name == "A" && event.properties.l.exists(e, e > 3)`:                false,
		`event.properties.l == [1, 2]`:                                            false,
		`"a" in traits`:                                                           false,
	} {
		if p := mustCompile(t, text, counting()); p.Native() != want || p.Source() != text {
			t.Errorf("%s: native is %v", p.Source(), p.Native())
		}
	}
}

// TestEvalOfOtherTypes checks that a rule that is not a condition does not hold,
// and that a field that happens to be true does.
func TestEvalOfOtherTypes(t *testing.T) {
	s := shopScope(4)
	s.Customer.Traits = []cx.Trait{{Name: "no", Raw: []byte("false")}, {Name: "number", Raw: []byte("1")}, {Name: "yes", Raw: []byte("true")}}
	for text, want := range map[string]Truth{
		"1": False, `"true"`: False, "traits.yes": True, "traits.no": False, "traits.number": False, "!traits.no": True, "traits.none": False,
	} {
		if got := mustCompile(t, text, counting()).Eval(s); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

// TestWithoutScope checks that nothing is needed of a Scope.
func TestWithoutScope(t *testing.T) {
	for _, text := range []string{
		"cart > 3", `since("A") > 3`, "traits.a == 1", "has(traits.a)", "has(event.properties.a)", `event.name == "A"`, "customer.known", "customer.claimed",
		"session.running", "session.events > 3", `segment("vip")`, `"a" in top("A", "b", 3, "all")`, `first("A", "b", "all") == 1`, `event.locale.contains("a")`,
	} {
		p := mustCompile(t, text, counting())
		if got := p.Value(&Scope{}); got.Kind != cx.Missing {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if got := mustCompile(t, "time.hour", counting()).Value(&Scope{}); got.Float() != 0 || got.Kind != cx.Number {
		t.Errorf("time.hour: got %v", got)
	}
}
