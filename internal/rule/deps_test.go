package rule

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

func TestDeps(t *testing.T) {
	spec := func(text string) cx.StatisticSpec {
		s, err := ParseStatistic(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cart := Statistic{0, spec(`sum("Product Added", "price", "session")`)}
	order := Statistic{0, spec(`last_time("Order Completed", "all")`)}
	for text, want := range map[string]Deps{
		`cart >= 3000 && cart < 5000`:                       {Statistics: []Statistic{cart}},
		`traits.plan == "gold" || has(traits.address.city)`: {Traits: []string{"address", "plan"}},
		`"plan" in traits`:                                  {AnyTrait: true},
		`traits.tags.exists(x, x == traits.plan)`:           {Traits: []string{"plan", "tags"}},
		`segment("vip") && !segment("buyer")`:               {Segments: []int{1, 2}},
		`customer.known`:                                    {Links: true},
		`session.running || session.number > 2`:             {Session: true},
		`session.events > 3 && session.duration > 60`:       {Visit: true},
		`time.hour > 9`:                                     {Clock: true},
		`since("Order Completed") >= days(10)`:              {Statistics: []Statistic{order}, Thresholds: []Threshold{{0, 10 * cx.Day}}},
		`minutes(30) < since("Order Completed") + 0`:        {},
		`minutes(30) < since("Order Completed")`:            {Statistics: []Statistic{order}, Thresholds: []Threshold{{0, 30*cx.Minute + 1}}},
		`since("Order Completed") <= 0.1 || since("Order Completed") < 3`: {
			Statistics: []Statistic{order}, Thresholds: []Threshold{{0, 100_001}, {0, 3 * cx.Second}},
		},
		`since("Order Completed") >= 0`:                    {Statistics: []Statistic{order}},
		`traits.l.exists(x, since("Order Completed") < 3)`: {Traits: []string{"l"}, Statistics: []Statistic{order}, Thresholds: []Threshold{{0, 3 * cx.Second}}},
	} {
		p, err := Compile(text, counting())
		if text == `minutes(30) < since("Order Completed") + 0` {
			if err == nil {
				t.Errorf("%s is accepted", text)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(want, *p.Deps()); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestEventNames(t *testing.T) {
	none := []cx.EventName{}
	for text, want := range map[string][]cx.EventName{
		`event.name == "A"`:                                                         {"A"},
		`"A" == event.name && event.properties.x > 3`:                               {"A"},
		`event.name == "A" || event.name == "B"`:                                    {"A", "B"},
		`event.name in ["B", "A", "B"] && customer.known`:                           {"A", "B"},
		`event.name in ["B", "A"] && event.name in ["C", "B"]`:                      {"B"},
		`event.name == "A" && event.name == "B"`:                                    none,
		`event.name == "A" || customer.known`:                                       nil,
		`!(event.name == "A")`:                                                      nil,
		`event.name != "A"`:                                                         nil,
		`event.name == traits.favourite`:                                            nil,
		`customer.known ? event.name == "A" : event.name == "B"`:                    {"A", "B"},
		`event.name == "A" ? customer.known : false`:                                {"A"},
		`event.name == "A" ? customer.known : true`:                                 nil,
		`added && event.properties.l.exists(e, e.price > 3)`:                        {"Product Added"},
		`event.name.startsWith("A")`:                                                nil,
		`event.properties.l.exists(e, e.price > 3 && event.name == "Never Inside")`: nil,
	} {
		env := counting()
		env.Names["added"] = `event.name == "Product Added"`
		p := mustCompile(t, text, env)
		if diff := cmp.Diff(want, p.Deps().Events); diff != "" || (want == nil) != (p.Deps().Events == nil) {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestSchema(t *testing.T) {
	schema := Schema{
		"Product Added":   {"price": KindsOf(cx.Number), "quantity": KindsOf(cx.Number), "name": KindsOf(cx.Text)},
		"Order Completed": {"revenue": KindsOf(cx.Number, cx.Text), "products": KindsOf(cx.List), "products.price": KindsOf(cx.Number)},
	}
	for text, want := range map[string][]string{
		`sum("Product Added", "price * quantity", "session") > 3`:                       nil,
		`sum("Order Completed", "products.price", "all") > 3`:                           nil,
		`count("*", "all") > 3 && event.properties.products[0].price > 3`:               nil,
		`event.name == "Product Added" && event.properties.price >= 3000`:               nil,
		`count("Product Adde", "all") > 0`:                                              {`1:1: no event called "Product Adde" has been seen; did you mean "Product Added"?`},
		`since("Refund") > 3`:                                                           {`1:1: no event called "Refund" has been seen; check the spelling, or send one first`},
		`event.name == "Product added"`:                                                 {`1:12: no event called "Product added" has been seen; did you mean "Product Added"?`},
		`sum("Product Added", "pric", "all") > 3`:                                       {`1:1: no "Product Added" has had a field "pric"; did you mean price?`},
		`sum("Product Added", "name", "all") > 3`:                                       {`1:1: "name" has never been a number, so sum finds nothing; send it as a JSON number, without quotes`},
		`event.properties.colour == "red"`:                                              {`1:18: no event has had a field "colour"; check the spelling, or send one first`},
		`event.name == "Order Completed" && event.properties.price > 3`:                 {`1:53: no "Order Completed" has had a field "price"; check the spelling, or send one first`},
		`event.properties.price == "3000"`:                                              {`1:24: "price" has never been text; compare it with a number`},
		`event.properties.name > 3 || event.properties.pric > 3`:                        {`1:23: "name" has never been a number; compare it with text`, `1:47: no event has had a field "pric"; did you mean price?`},
		`event.name == "Order Completed" && event.properties.revenue in ["free", true]`: {`1:61: "revenue" has never been true or false; compare it with a number or text`},
	} {
		env := counting()
		env.Schema = schema
		p := mustCompile(t, text, env)
		var got []string
		for _, w := range p.Warnings() {
			got = append(got, w.Short())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
		env.Strict = true
		if _, err := Compile(text, env); (err != nil) != (len(want) > 0) {
			t.Errorf("%s: strict says %v", text, err)
		}
	}
}
