package segment_test

import (
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
)

func Example() {
	gold, err := rule.CompileState(`traits.plan == "gold"`, &rule.Env{})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := segment.NewSet([]segment.Segment{{Slot: 0, Name: "gold", When: gold}})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cx.Customer{Traits: []cx.Trait{{Name: "plan", Raw: []byte(`"gold"`)}}}
	var e segment.Evaluator
	entered, left := e.Evaluate(set, &c, &rule.Scope{Customer: &c}, &cx.Change{Traits: []string{"plan"}})
	fmt.Println(entered, left, set.Names(&c))
	// Output: [0] [] [gold]
}
