package decide_test

import (
	"fmt"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/rule"
)

// shopOf defines twenty actions, of which the first n listen to Product Added
// and pass every gate.
func shopOf(n int) []byte {
	b := []byte(`kind: workspace
name: shop
time_zone: Asia/Tokyo
currency: JPY
language: ja
consent: {allowed: [on_site_service]}
values:
  cart: sum("Product Added", "price * quantity", "session") - sum("Order Completed", "subtotal", "session")
`)
	for i := range 20 {
		event := "Product Added"
		if i >= n {
			event = "Order Completed"
		}
		b = fmt.Appendf(b, `---
kind: action
name: action-%02d
purpose: on_site_service
live: true
place: %s
trigger: [{event: %s}]
eligible: count("Product Viewed", "7d") >= 0
applicable: cart > 0 && cart < 5000
context: [{when: session.number > 1, percent: 20}]
value: %d
variables: {remaining: {value: 5000 - cart, format: money}}
copy:
  ja: {text: "あと{{ remaining }}で送料無料"}
  en: {text: "{{ remaining }} more"}
`, i, []string{"top-bar", "bottom-bar", "center"}[i%3], event, 1+i)
	}
	return b
}

// amounts are statistics that are there already: the first, what was put into
// the cart, is 4,000 and the others are nought.
type amounts struct{}

func (amounts) Value(slot int) cx.Value {
	if slot == 0 {
		return cx.NumberValue(4000)
	}
	return cx.NumberValue(0)
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{0, 1, 5} {
		b.Run(fmt.Sprintf("triggered=%d", n), func(b *testing.B) {
			p := newPlay(b, definition.File{Name: "shop.yaml", Text: shopOf(n)})
			statistics := cx.Statistics(amounts{})
			in := decide.Input{
				ID: 5, Offer: p.set.Offer, Policy: p.set.Policy, Scorer: p.rates,
				Scope: &rule.Scope{
					Event: &cx.Event{Name: "Product Added", Flags: cx.WantsAnswer, Locale: "ja"}, Fields: cx.ParseFields(nil, []byte(`{"price":1000,"quantity":1}`)),
					Customer: &cx.Customer{Session: cx.Visit{Start: noon, End: noon, Number: 2}}, Statistics: statistics, Now: noon, Zone: p.set.Settings.Zone,
				},
			}
			var d decide.Decider
			var out decide.Result
			if d.Decide(&in, &out) != (n > 0) || len(out.Decision.Treatments) != min(n, 3) {
				b.Fatalf("%d triggered, and %d treatments:\n%+v", n, len(out.Decision.Treatments), out.Candidates)
			}
			b.ReportAllocs()
			for b.Loop() {
				d.Decide(&in, &out)
			}
		})
	}
}

// BenchmarkDecideSilent judges twenty actions, of which five are triggered; three
// of these are on screen already and hold their places.
func BenchmarkDecideSilent(b *testing.B) {
	p := newPlay(b, definition.File{Name: "shop.yaml", Text: shopOf(5)})
	in := decide.Input{ID: 5, Offer: p.set.Offer, Policy: p.set.Policy, Scorer: p.rates, Scope: &rule.Scope{
		Event:    &cx.Event{Name: "Product Added", Flags: cx.WantsAnswer, Locale: "ja"},
		Customer: &cx.Customer{Session: cx.Visit{Start: noon, End: noon, Number: 2}}, Statistics: amounts{}, Now: noon, Zone: p.set.Settings.Zone,
	}}
	var d decide.Decider
	var out decide.Result
	d.Decide(&in, &out)
	decide.Reserve(in.Scope.Customer, out.Lines, noon, in.Scope.Zone)
	b.ReportAllocs()
	for b.Loop() {
		d.Decide(&in, &out)
	}
	if len(out.Lines) > 0 {
		b.Fatalf("%d were said", len(out.Lines))
	}
}

// BenchmarkAppendInput encodes what that decision was made from.
func BenchmarkAppendInput(b *testing.B) {
	p := newPlay(b, definition.File{Name: "shop.yaml", Text: shopOf(5)})
	in := decide.Input{ID: 5, Offer: p.set.Offer, Policy: p.set.Policy, Scorer: p.rates, Scope: &rule.Scope{
		Event:    &cx.Event{Name: "Product Added", Flags: cx.WantsAnswer, Locale: "ja"},
		Customer: &cx.Customer{Session: cx.Visit{Start: noon, End: noon, Number: 2}}, Statistics: amounts{}, Now: noon, Zone: p.set.Settings.Zone,
	}}
	var d decide.Decider
	var out decide.Result
	d.Decide(&in, &out)
	decide.Reserve(in.Scope.Customer, out.Lines, noon, in.Scope.Zone)
	d.Decide(&in, &out)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = decide.AppendInput(buf[:0], &in, &out, nil, nil)
	}
	b.ReportMetric(float64(len(buf)), "B")
}

// BenchmarkRefresh keeps a bar on screen that says the same as before.
func BenchmarkRefresh(b *testing.B) {
	p := newPlay(b, definition.File{Name: "shop.yaml", Text: shopOf(1)})
	in := decide.Input{ID: 5, Offer: p.set.Offer, Policy: p.set.Policy, Scorer: p.rates, Scope: &rule.Scope{
		Event:    &cx.Event{Name: "Product Added", Flags: cx.WantsAnswer, Locale: "ja"},
		Customer: &cx.Customer{Session: cx.Visit{Start: noon, End: noon, Number: 2}}, Statistics: amounts{}, Now: noon, Zone: p.set.Settings.Zone,
	}}
	var d decide.Decider
	var out decide.Result
	d.Decide(&in, &out)
	decide.Reserve(in.Scope.Customer, out.Lines, noon, in.Scope.Zone)
	b.ReportAllocs()
	for b.Loop() {
		d.Refresh(&in, &out)
	}
}
