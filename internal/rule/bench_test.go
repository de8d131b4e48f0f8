package rule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// shopScope is a customer in the middle of a visit, having just put something
// into the cart.
func shopScope(statistics int) *Scope {
	ev := &cx.Event{
		Type: cx.Track, Name: "Product Added", Locale: "ja",
		Properties: []byte(`{"product_id":"p_1024","name":"シャツ","category":"shirts","price":4000,"quantity":1,"currency":"JPY","url":"https://shop.example/p/1024"}`),
		Context:    []byte(`{"page":{"path":"/p/1024","title":"シャツ"},"locale":"ja","userAgent":"Mozilla/5.0"}`),
	}
	now := cx.Instant(1_795_000_000_000_000)
	values := make(slots, statistics)
	for i := range values {
		values[i] = cx.NumberValue(float64(i * 400))
	}
	return &Scope{
		Event: ev, Fields: cx.ParseFields(nil, ev.Properties), Statistics: values, Now: now, Zone: time.UTC,
		Customer: &cx.Customer{
			Segments:   []uint64{0b1010},
			Identities: []cx.Identity{{Namespace: cx.UserID, Value: "u_1"}},
			Traits:     []cx.Trait{{Name: "plan", Raw: []byte(`"gold"`)}, {Name: "points", Raw: []byte("1200")}},
			Session:    cx.Visit{Start: now - 10*cx.Minute, End: now, Number: 3, Events: 12},
		},
	}
}

func mustCompile(tb testing.TB, text string, env *Env) *Program {
	tb.Helper()
	p, err := Compile(text, env)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func BenchmarkEval(b *testing.B) {
	for name, text := range map[string]string{
		"hit":     `sum("Product Added", "price", "session") >= 0 && event.name == "Product Added"`,
		"miss":    `sum("Product Added", "price", "session") >= 3000 && event.name == "Product Added"`,
		"path":    `event.properties.price >= 3000`,
		"context": `event.context.page.path.startsWith("/p/")`,
		"trait":   `traits.plan == "gold"`,
		"clock":   `time.hour >= 9 && time.hour < 18`,
		"exists":  `event.properties.products.exists(p, p.price > 1000)`,
	} {
		p, s := mustCompile(b, text, counting()), shopScope(4)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Eval(s)
			}
		})
	}
}

// shopRules are the 100 rules and 20 actions of a shop: 20 statistics, traits,
// segments and the event at hand.
func shopRules(tb testing.TB) (segments, actions []*Program) {
	tb.Helper()
	env := counting()
	statistic := func(i int) string {
		return [...]string{
			`count("Product Viewed", "session")`, `count("Product Viewed", "7d")`, `count("Product Added", "session")`, `count("Product Added", "30d")`,
			`sum("Product Added", "price * quantity", "session")`, `sum("Order Completed", "revenue", "all")`, `sum("Order Completed", "revenue", "30d")`,
			`max("Product Viewed", "price", "7d")`, `min("Product Viewed", "price", "7d")`, `avg("Product Viewed", "price", "30d")`,
			`distinct("Product Viewed", "product_id", "7d")`, `distinct("Product Viewed", "category", "30d")`, `count("*", "session")`, `count("*", "30d")`,
			`count("Page Viewed", "session")`, `count("Page Viewed", "day")`, `count("Search", "7d")`, `count("Order Completed", "all")`,
			`count("Product Removed", "session")`, `count("Coupon Entered", "30d")`,
		}[i%20]
	}
	for i := range 100 {
		text := fmt.Sprintf(`%s >= %d && %s < %d`, statistic(i), i%7+1, statistic(i+7), i*100)
		switch i % 5 {
		case 1:
			text += ` && traits.plan == "gold"`
		case 2:
			text += ` || session.events > 20`
		case 3:
			text += ` && !segment("vip")`
		case 4:
			text = "customer.known && (" + text + ")"
		}
		segments = append(segments, mustCompile(tb, text, env))
	}
	for i := range 20 {
		text := fmt.Sprintf(`event.name == "Product Added" && %s >= %d`, statistic(i), i%3)
		switch i % 4 {
		case 1:
			text += ` && event.properties.price >= 3000`
		case 2:
			text += ` && event.properties.category in ["shirts", "socks"]`
		case 3:
			text += ` && segment("buyer")`
		}
		actions = append(actions, mustCompile(tb, text, env))
	}
	return segments, actions
}

// BenchmarkEvent evaluates what one event leaves to evaluate: 50 of 100 segments
// after the index, and all of 20 actions.
func BenchmarkEvent(b *testing.B) {
	segments, actions := shopRules(b)
	s := shopScope(20)
	for _, run := range []struct {
		name     string
		segments []*Program
	}{{"indexed", segments[:50]}, {"all", segments}} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range run.segments {
					p.Eval(s)
				}
				for _, p := range actions {
					p.Eval(s)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	env := counting()
	b.ReportAllocs()
	for b.Loop() {
		mustCompile(b, `cart >= 3000 && event.name == "Product Added"`, env)
	}
}

// TestNativeRulesDoNotAllocate guards the hot path.
func TestNativeRulesDoNotAllocate(t *testing.T) {
	segments, actions := shopRules(t)
	s := shopScope(20)
	s.Statistics = append(s.Statistics.(slots), cx.RawList(`["socks","shirts"]`))
	s.Event.Properties = []byte(`{"l":[1,{"a":"x"}],"m":{"a":1},"t":"text"}`)
	s.Fields = cx.ParseFields(nil, s.Event.Properties)
	all := slices.Concat(segments, actions)
	env := &Env{Slot: func(cx.StatisticSpec) int { return 20 }, Segments: map[string]int{"vip": 1}}
	for _, text := range []string{
		`"shirts" in top("Product Viewed", "category", 3, "30d")`, `event.properties.l[1].a == "x"`, `size(event.properties.l) + size(event.properties.t) > 2`,
		`has(event.properties.m.a) && !has(traits.none)`, `event.properties.t.matches("^t") || event.properties.t.endsWith("y")`, `event.properties.m.a in [3, 2, 1]`,
		`traits.points * 2 >= 100 ? segment("vip") : time.weekday < 6`, `event.context.page.path == "/p/1024"`, `since("Product Added") > 3`, `"a" in event.properties.m`,
		`event.name in ["Product Added", "Product Viewed"] && event.type == "track" && event.locale.startsWith("ja")`,
	} {
		all = append(all, mustCompile(t, text, env))
	}
	for _, p := range all {
		if !p.Native() {
			t.Errorf("%s is not native", p.Source())
		}
		if n := testing.AllocsPerRun(10, func() { p.Eval(s) }); n > 0 {
			t.Errorf("%s allocates %v times", p.Source(), n)
		}
	}
}
