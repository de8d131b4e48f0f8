package rule_test

import (
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// totals are statistics by slot.
type totals []float64

func (t totals) Value(slot int) cx.Value { return cx.NumberValue(t[slot]) }

func ExampleCompile() {
	env := &rule.Env{
		Slot:  func(cx.StatisticSpec) int { return 0 },
		Names: map[string]string{"cart": `sum("Product Added", "price * quantity", "session")`},
	}
	p, err := rule.Compile(`event.name == "Product Added" && cart < 5000`, env)
	if err != nil {
		fmt.Println(err)
		return
	}
	scope := &rule.Scope{Event: &cx.Event{Name: "Product Added"}, Statistics: totals{4000}}
	fmt.Println(p.Eval(scope), p.Deps().Statistics[0].Spec)
	fmt.Print(p.Explain(scope))
	// Output:
	// true sum("Product Added", "price * quantity", "session")
	// yes  event.name == "Product Added" && cart < 5000
	//   yes  event.name == "Product Added"
	//          event.name = "Product Added"
	//   yes  cart < 5000
	//          cart = 4000
	//            sum("Product Added", "price * quantity", "session") = 4000
}

func ExampleError() {
	_, err := rule.Compile(`event.nam == "Product Added"`, &rule.Env{})
	fmt.Println(err)
	// Output:
	// 1:7: there is no event.nam; did you mean event.name?
	//   event.nam == "Product Added"
	//         ^
}

func ExampleProgram_Wake() {
	env := &rule.Env{Slot: func(cx.StatisticSpec) int { return 0 }}
	p, err := rule.CompileState(`since("Order Completed") >= days(10)`, env)
	if err != nil {
		fmt.Println(err)
		return
	}
	bought := 1_795_000_000 * cx.Second
	scope := &rule.Scope{Now: bought + cx.Hour, Statistics: lastTime(bought)}
	wake := p.Wake(scope, func(int) (cx.Instant, bool) { return 0, false })
	fmt.Println(p.Eval(scope), wake.Sub(bought))
	// Output: false 240h0m0s
}

// lastTime is one statistic, the instant of the latest event.
type lastTime cx.Instant

func (l lastTime) Value(int) cx.Value { return cx.TimeValue(cx.Instant(l)) }
