package rule

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTableAgreesWithPrograms compares tables of random rules, for one customer
// after another, with each rule by itself.
func TestTableAgreesWithPrograms(t *testing.T) {
	fits, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g, env := grammar{t}, generatedEnv()
		var rules []*Program
		for range 6 {
			text := g.level()
			if rapid.IntRange(0, 2).Draw(t, "join") == 0 {
				text += g.pick(" && ", " || ") + g.pick(g.level(), g.condition(1))
			}
			p, err := Compile(text, env)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, p)
		}
		table, m := NewTable(rules), Memory{}
		for range 5 {
			s := g.scope()
			m.Forget(table)
			for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "order") {
				if got, want := table.Eval(i, s, &m), rules[i].Eval(s); got != want {
					t.Fatalf("%s\nevent %+v\ncustomer %+v\nstatistics %v\nthe table says %v, the rule %v", rules[i].Source(), s.Event, s.Customer, s.Statistics, got, want)
				}
			}
		}
		for i := range rules {
			if all++; table.rows[i].program == nil {
				fits++
			}
		}
	})
	if fits < all/2 {
		t.Errorf("only %d of %d rules fit into tables: the test says little", fits, all)
	}
}

// level draws a comparison as most rules have it.
func (g grammar) level() string {
	number := g.pick(generated[0], generated[1], generated[2], generated[6], "total", "session.number", "-"+generated[1])
	text := number + g.pick(" < ", " <= ", " > ", " >= ", " == ", " != ") + g.pick("0", "-3", "2.5", "3", "1000", "1e308", "0.0 / 0.0", "1.0 / 0.0", "total")
	return g.pick(text, "!("+text+")", g.condition(1))
}

// TestTableRemembers asks for each number once between two Forgets.
func TestTableRemembers(t *testing.T) {
	env := counting()
	table := NewTable([]*Program{
		mustCompile(t, `cart > 1000`, env), mustCompile(t, `sum("Product Added", "price", "session") <= 3000 && customer.known`, env),
		mustCompile(t, `5000 > cart || cart == 0`, env),
	})
	if len(table.operands) != 2 {
		t.Errorf("%d operands, want the cart and whether the customer is known", len(table.operands))
	}
}
