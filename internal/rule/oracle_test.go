package rule

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// slots are statistics with fixed values, by slot.
type slots []cx.Value

func (s slots) Value(slot int) cx.Value {
	if slot >= len(s) {
		return cx.Value{}
	}
	return s[slot]
}

// The statistics that generated rules use, by slot.
var generated = []string{
	`count("A", "all")`, `sum("A", "price", "session")`, `avg("B", "x", "7d")`, `first("A", "c", "all")`,
	`last("A", "c", "day")`, `top("A", "c", 3, "30d")`, `max("A", "price", "all")`, `since("A")`,
}

// generatedSlots maps the specs of generated to their slots.
var generatedSlots = func() map[cx.StatisticSpec]int {
	out := map[cx.StatisticSpec]int{}
	for slot, text := range generated {
		spec, err := ParseStatistic(strings.Replace(text, `since("A")`, `last_time("A", "all")`, 1))
		if err != nil {
			panic(err)
		}
		out[spec] = slot
	}
	return out
}()

// generatedEnv gives every generated statistic its place in generated.
func generatedEnv() *Env {
	return &Env{
		Slot:     func(spec cx.StatisticSpec) int { return generatedSlots[spec] },
		Segments: map[string]int{"in": 1, "out": 70},
		Names:    map[string]string{"total": `sum("A", "price", "session") * 2 - count("A", "all")`, "shiny": `event.properties.a == "x" || traits.a > 3`},
	}
}

// grammar writes random rules. Every rule it writes is well typed.
type grammar struct{ *rapid.T }

func (g grammar) pick(of ...string) string { return rapid.SampledFrom(of).Draw(g.T, "pick") }

// leaf draws whether to stop nesting.
func (g grammar) leaf(depth int) bool {
	return depth <= 0 || rapid.IntRange(0, 3).Draw(g.T, "leaf") == 0
}

func (g grammar) number(depth int) string {
	if g.leaf(depth) {
		return g.pick("0", "1", "2.5", "-3", "1e308", "3", "minutes(1)", "total", generated[0], generated[1], generated[2], generated[6],
			"session.number", "session.events", "session.duration", "time.hour", "time.weekday", "time.minute", "time.day", "time.month", "0.0 / 0.0")
	}
	switch rapid.IntRange(0, 5).Draw(g.T, "number") {
	case 0:
		return "-(" + g.number(depth-1) + ")"
	case 1:
		return "(" + g.condition(depth-1) + " ? " + g.number(depth-1) + " : " + g.number(depth-1) + ")"
	case 2:
		return "size(" + g.any(depth-1) + ")"
	case 3:
		return "(" + g.any(depth-1) + g.pick(" - ", " * ", " / ", " % ") + g.number(depth-1) + ")"
	}
	return "(" + g.number(depth-1) + g.pick(" + ", " - ", " * ", " / ", " % ") + g.number(depth-1) + ")"
}

func (g grammar) text(depth int) string {
	if g.leaf(depth) {
		return g.pick(`""`, `"x"`, `"xy"`, `"日本"`, "event.name", "event.type", "event.locale")
	}
	if rapid.Bool().Draw(g.T, "text") {
		return "(" + g.condition(depth-1) + " ? " + g.text(depth-1) + " : " + g.text(depth-1) + ")"
	}
	return "(" + g.text(depth-1) + " + " + g.text(depth-1) + ")"
}

// any is something whose type is only known when it is looked at.
func (g grammar) any(depth int) string {
	if g.leaf(depth) {
		return g.pick("event.properties.a", "event.properties.b", "event.properties.m.a", "event.properties.l[0]", "event.properties.l[1].a",
			`event.properties["b"]`, "event.properties.l", "event.properties.m", "traits.a", "traits.m.b", "event.context.page.path",
			generated[3], generated[4], "event.properties.missing", "event.properties.l[7]", generated[5]+"[1]")
	}
	if rapid.Bool().Draw(g.T, "any") {
		return "(" + g.condition(depth-1) + " ? " + g.any(0) + " : " + g.any(0) + ")"
	}
	return "(" + g.any(0) + " + " + g.any(0) + ")"
}

func (g grammar) condition(depth int) string {
	if g.leaf(depth) {
		return g.pick("true", "false", "session.running", "customer.known", "customer.claimed", `segment("in")`, `segment("out")`, "shiny",
			"has(traits.a)", "has(traits.m.b)", "has(event.properties.a)", "has(event.properties.m.a)", "has(event.properties.b.a)", "has(event.context.page)",
			`since("A") >= minutes(30)`, `hours(1) > since("A")`, `event.name == "A"`, `event.name in ["A", "B"]`,
			`"a" in traits`, `event.name in event.properties`, "event.properties == event.context", "event.properties.m == event.context.page",
			"event.properties.m != traits.m", "event.properties.l == [event.properties.a, 1]", "traits.exists(k, traits[k] == 3)", "size(traits) > 1")
	}
	order := g.pick(" < ", " <= ", " > ", " >= ", " == ", " != ")
	d := depth - 1
	switch rapid.IntRange(0, 15).Draw(g.T, "condition") {
	case 0, 1:
		return "(" + g.condition(d) + " && " + g.condition(d) + ")"
	case 2, 3:
		return "(" + g.condition(d) + " || " + g.condition(d) + ")"
	case 4:
		return "!(" + g.condition(d) + ")"
	case 5:
		return "(" + g.condition(d) + " ? " + g.condition(d) + " : " + g.condition(d) + ")"
	case 6:
		return "(" + g.number(d) + order + g.number(d) + ")"
	case 7:
		return "(" + g.text(d) + order + g.text(d) + ")"
	case 8:
		return "(" + g.any(d) + order + g.any(d) + ")"
	case 9:
		return "(" + g.any(d) + order + g.pick(g.number(d), g.text(d)) + ")"
	case 10:
		return "(" + g.any(d) + g.pick(" == ", " != ") + g.pick("null", "true", "[1, 2]", g.any(d)) + ")"
	case 11:
		return "(" + g.pick(g.any(d), g.number(d), g.text(d)) + " in [" + g.any(d) + ", " + g.pick(g.text(d), g.number(d)) + "])"
	case 12:
		return "(" + g.pick(g.any(d), g.number(d), g.text(d), "null") + " in " + g.pick(g.any(d), generated[5]) + ")"
	case 13:
		return g.pick(g.text(d), g.any(0)) + g.pick(".contains(", ".startsWith(", ".endsWith(") + g.pick(g.text(d), g.any(d)) + ")"
	case 14:
		return g.pick(g.text(d), g.any(0)) + `.matches("^x?y*$")`
	}
	if rapid.Bool().Draw(g.T, "sizes") {
		return "event.properties.l" + g.pick(".exists", ".all") + "(p, size(p)" + order + g.number(d) + ")"
	}
	return "event.properties." + g.pick("l", "m", "a") + g.pick(".exists", ".all", ".exists_one") + "(p, " +
		g.pick("p", "p.a", "p["+g.pick("0", `"a"`)+"]") + order + g.pick(g.number(d), g.text(d), g.any(d)) + ")"
}

// chain is conditions side by side, as most rules are.
func (g grammar) rule() string {
	if rapid.IntRange(0, 4).Draw(g.T, "kind") == 0 {
		return g.pick(g.number(3), g.text(3), g.any(3), "["+g.any(2)+", "+g.number(1)+", [null, "+g.text(1)+"], true]", "["+g.any(1)+", 1][0]", generated[5])
	}
	parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return grammar{t}.condition(3) }), 1, 4).Draw(g.T, "parts")
	return strings.Join(parts, g.pick(" && ", " || "))
}

// json draws a raw JSON value.
func (g grammar) json(depth int) string {
	if depth == 0 || rapid.IntRange(0, 2).Draw(g.T, "scalar") > 0 {
		return g.pick("0", "-0", "1", "3", "2.5", "4000", "1e400", `""`, `"x"`, `"xy"`, `"\u65e5本"`, "true", "false", "null", `"1"`)
	}
	if rapid.Bool().Draw(g.T, "list") {
		return "[ " + strings.Join(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return grammar{t}.json(depth - 1) }), 0, 3).Draw(g.T, "elements"), " , ") + "]"
	}
	return g.object(depth-1, "a", "b", "m", "a")
}

func (g grammar) object(depth int, names ...string) string {
	var members []string
	for _, name := range names {
		if rapid.IntRange(0, 4).Draw(g.T, name) > 0 {
			members = append(members, ` "`+name+`" :`+g.json(depth))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g grammar) value(list bool) cx.Value {
	switch rapid.IntRange(0, 7).Draw(g.T, "value") {
	case 0:
		return cx.Value{}
	case 1:
		return cx.UnknownValue()
	case 2:
		return cx.NumberValue(rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}).Draw(g.T, "odd"))
	case 3:
		return cx.TextValue(g.pick("", "x", "日本"))
	}
	if list {
		return cx.RawList(g.pick("[]", `["x","y"]`, `[1,2]`, `["x",3,null]`))
	}
	return cx.NumberValue(float64(rapid.IntRange(-3, 4000).Draw(g.T, "n")))
}

func (g grammar) scope() *Scope {
	tokyo := time.FixedZone("JST", 9*3600)
	s := &Scope{Now: cx.Instant(rapid.Int64Range(0, 2e15).Draw(g.T, "now")), Zone: tokyo}
	if rapid.IntRange(0, 9).Draw(g.T, "event") > 0 {
		s.Event = &cx.Event{
			Type: cx.Track, Name: cx.EventName(g.pick("A", "B", "x")), Locale: g.pick("", "ja", "x"),
			Properties: []byte(g.object(2, "a", "b", "m", "l", "a")), Context: []byte(g.object(2, "page", "a")),
		}
		s.Fields = cx.ParseFields(nil, s.Event.Properties)
	}
	if rapid.IntRange(0, 9).Draw(g.T, "customer") > 0 {
		c := &cx.Customer{Segments: []uint64{2}}
		for _, f := range cx.ParseFields(nil, []byte(g.object(2, "a", "m"))) {
			c.Traits = append(c.Traits, cx.Trait{Name: f.Name, Raw: f.Raw})
		}
		if rapid.Bool().Draw(g.T, "known") {
			c.Identities = []cx.Identity{{Namespace: cx.UserID, Value: "u"}}
		}
		c.Session = cx.Visit{Start: s.Now - cx.Hour, End: s.Now - cx.Instant(rapid.IntRange(0, 60).Draw(g.T, "ago"))*cx.Minute, Number: 2, Events: 5}
		s.Customer = c
	}
	if rapid.IntRange(0, 9).Draw(g.T, "statistics") > 0 {
		values := slots{}
		for i := range generated {
			values = append(values, g.value(i == 5))
		}
		if last := values[7]; last.Kind == cx.Number {
			values[7] = cx.TimeValue(s.Now - cx.Instant(rapid.IntRange(-1, 120).Draw(g.T, "minutes"))*cx.Minute)
		}
		s.Statistics = values
	}
	return s
}

// TestClosuresAgreeWithCel compares the closures with cel-go itself on random
// rules and scopes: the value, whether it failed, and whether it is unknown.
func TestClosuresAgreeWithCel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 3 {
			agree(t, grammar{t})
		}
	})
}

// agree compares one rule in several scopes.
func agree(t *rapid.T, g grammar) {
	text, env := g.rule(), generatedEnv()
	p, err := Compile(text, env)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	c, err := analyse(text, env)
	if err != nil {
		t.Fatal(err)
	}
	oracle := c.viaCel(c.checked.Expr()).run()
	for range 6 {
		s := g.scope()
		got, want := p.Value(s), oracle(s)
		if !same(got, want) {
			t.Fatalf("%s\nevent %+v\ncustomer %+v\nstatistics %v\nclosures say %v\ncel-go says %v", text, s.Event, s.Customer, s.Statistics, got, want)
		}
		if truth := truthOf(want); p.Eval(s) != truth {
			t.Fatalf("%s\nEval says %v, cel-go says %v", text, p.Eval(s), want)
		}
		if e := p.Explain(s); e.Value != short(got.String()) {
			t.Fatalf("%s\nExplain says %s, Value says %v", text, e.Value, got)
		}
	}
}

func truthOf(v cx.Value) Truth {
	switch {
	case v.IsTrue():
		return True
	case v.Kind == cx.Unknown:
		return Unknown
	}
	return False
}

func same(a, b cx.Value) bool {
	if a.Kind == cx.Number && b.Kind == cx.Number && math.IsNaN(a.Float()) && math.IsNaN(b.Float()) {
		return true
	}
	if a.Kind == b.Kind && (a.Kind == cx.List || a.Kind == cx.Map) {
		return equal(a, b) == yes
	}
	return a.Equal(b)
}
