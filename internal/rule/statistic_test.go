package rule

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

func anySpec(t *rapid.T) cx.StatisticSpec {
	name := rapid.StringMatching(`[\p{L}\p{N} _'"\\-]{1,12}`)
	path := rapid.StringMatching(`[\p{L}_$-]{1,6}(\.[\p{L}_$-]{1,6}){0,2}`)
	spec := cx.StatisticSpec{
		Aggregate: cx.Aggregate(rapid.IntRange(int(cx.Count), int(cx.LastTime)).Draw(t, "aggregate")),
		Window:    cx.Window{Kind: cx.WindowKind(rapid.IntRange(int(cx.AllTime), int(cx.CalendarMonth)).Draw(t, "window"))},
	}
	if rapid.Bool().Draw(t, "named") {
		spec.Event = cx.EventName(name.Draw(t, "event"))
	}
	if spec.Window.Kind == cx.Sliding {
		spec.Window.Length = time.Duration(rapid.IntRange(60, 3*366*86400).Draw(t, "seconds")) * time.Second
	}
	switch spec.Aggregate {
	case cx.Count, cx.LastTime:
		return spec
	case cx.TopN, cx.RecentN:
		spec.N = rapid.IntRange(1, 30).Draw(t, "n")
	case cx.SumOf, cx.Min, cx.Max, cx.Avg:
		spec.Currency = cx.Currency(rapid.SampledFrom([]string{"", "JPY", "USD"}).Draw(t, "currency"))
	default: // the others have a field and nothing more
	}
	spec.Field = path.Draw(t, "field")
	if rapid.Bool().Draw(t, "product") {
		spec.Times = path.Draw(t, "times")
	}
	return spec
}

// TestStatisticsParseBack checks that a rule reads what StatisticSpec writes.
func TestStatisticsParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anySpec(t)
		got, err := ParseStatistic(want.String())
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if got != want {
			t.Fatalf("%s: got %#v, want %#v", want, got, want)
		}
	})
}

func TestParseStatisticRefusesOtherThings(t *testing.T) {
	for _, text := range []string{"", "1", `count("A", "7d") > 3`, `since("A")`, `size("A")`, `x.count("A", "7d")`, `count("A", "7y")`} {
		if spec, err := ParseStatistic(text); err == nil {
			t.Errorf("%s: got %v", text, spec)
		}
	}
}

// TestSlotsAreAskedForOnce checks that one statistic in several places has one
// slot.
func TestSlotsAreAskedForOnce(t *testing.T) {
	calls := 0
	env := &Env{
		Slot:  func(cx.StatisticSpec) int { calls++; return 7 },
		Names: map[string]string{"views": `count("A", "7d")`},
	}
	p := mustCompile(t, `count("A", "7d") > 3 && views < 10 && count('A', "168h") != 5`, env)
	if calls != 1 || len(p.Deps().Statistics) != 1 || p.Deps().Statistics[0].Slot != 7 {
		t.Errorf("%d calls, %v", calls, p.Deps().Statistics)
	}
}

// TestWrongRulesTakeNoSlots checks that a rule which is refused for its types
// leaves nothing behind.
func TestWrongRulesTakeNoSlots(t *testing.T) {
	env := &Env{Slot: func(spec cx.StatisticSpec) int { t.Errorf("%v took a slot", spec); return 0 }}
	for _, text := range []string{`count("A", "7d") > "3"`, `count("A", "7d") > 3 && sum("A", "price", "7y") > 3`, `count("A", "7d") > nothing`} {
		if _, err := Compile(text, env); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// TestSpans checks what stands for seconds.
func TestSpans(t *testing.T) {
	for text, want := range map[string]float64{
		"seconds(1.5)": 1.5, "minutes(30)": 1800, "hours(2)": 7200, "days(10)": 864000, "days(1) + hours(1) * 2": 93600, "-minutes(1)": -60,
	} {
		p := mustCompile(t, text, &Env{})
		if got := p.Value(&Scope{}).Float(); got != want || p.root.op != opConst {
			t.Errorf("%s: got %v, computed once: %v", text, got, p.root.op == opConst)
		}
	}
}

// A statistic of any event is shown as it is written, and both ways of writing it
// are one.
func TestStatisticsOfAnyEvent(t *testing.T) {
	for _, text := range []string{`count("*", "all")`, `sum("*", "price * quantity", "30d", "JPY")`, `top("*", "sku", 3, "week")`} {
		spec, err := ParseStatistic(text)
		if err != nil || spec.Event != "" || spec.String() != text {
			t.Errorf("%s: got %v, %v", text, spec, err)
		}
		if again, err := ParseStatistic(spec.Key()); err != nil || again != spec {
			t.Errorf("%s is stored as %s, which is %v, %v", text, spec.Key(), again, err)
		}
	}
}
