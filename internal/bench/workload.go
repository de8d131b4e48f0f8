package bench

import (
	"fmt"
	"strings"
)

// How much the published set holds.
const (
	workloadSegments = 100
	workloadActions  = 20
)

// patterns are rules of the kinds that people write; %[1]d is a level from 1 to
// 5. Together they need 22 statistics, of which a typical event changes a half.
var patterns = [...]string{
	`count("Product Viewed", "session") >= %[1]d * 2`,
	`count("Product Viewed", "7d") >= %[1]d * 3 && count("Order Completed", "30d") == 0`,
	`sum("Product Added", "price * quantity", "session") >= %[1]d * 2000`,
	`cart > %[1]d * 500 && cart < %[1]d * 3000`,
	`count("*", "session") >= %[1]d * 4`,
	`count("Order Completed", "all") >= %[1]d`,
	`sum("Order Completed", "subtotal", "30d") >= %[1]d * 10000`,
	`avg("Product Viewed", "price", "7d") >= %[1]d * 1500`,
	`max("Product Viewed", "price", "session") >= %[1]d * 3000`,
	`distinct("Product Viewed", "product_id", "session") >= %[1]d * 2`,
	`distinct("Product Viewed", "category", "7d") >= %[1]d + 1`,
	`last("Product Viewed", "category", "session") == "%[2]s"`,
	`"%[2]s" in top("Product Viewed", "category", 3, "30d")`,
	`count("Product Added", "session") > 0 && count("Product Removed", "session") >= %[1]d - 1`,
	`since("Product Added") >= minutes(%[1]d5) && cart > 0`,
	`since("Order Completed") >= days(%[1]d)`,
	`count("Page Viewed", "day") >= %[1]d * 3 || count("Product Viewed", "1h") >= %[1]d * 5`,
	`session.number >= %[1]d && session.events >= %[1]d * 2`,
	`customer.known && count("Order Completed", "all") == 0 && count("Product Viewed", "30d") >= %[1]d * 4`,
	`count("Products Searched", "session") >= %[1]d && min("Product Viewed", "price", "session") < 2000`,
}

// Definitions returns a set of 100 segments and 20 actions for the given
// workspace, as YAML. It is the same every time.
func Definitions(workspace string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `kind: workspace
name: %s
time_zone: Asia/Tokyo
currency: JPY
language: ja
consent:
  allowed: [on_site_service]
values:
  cart: >
    sum("Product Added", "price * quantity", "session")
    - sum("Product Removed", "price * quantity", "session")
    - sum("Order Completed", "subtotal", "session")
---
kind: policy
name: default
caps:
  session: 20
  day: 40
`, workspace)
	for i := range workloadSegments {
		level, pattern := i/len(patterns)+1, patterns[i%len(patterns)]
		rule := fmt.Sprintf(pattern, level, categories[i%len(categories)])
		fmt.Fprintf(&b, "---\nkind: segment\nname: segment-%03d\nwhen: '%s'\n", i, rule)
	}
	for i := range workloadActions {
		b.WriteString(action(i))
	}
	return b.String()
}

// triggers of the actions, %d is a level from 1 to 4. Together they make a
// decision of about one event in five, and each decision judges all actions.
var triggers = [...]string{
	`event: Product Viewed
    when: count("Product Viewed", "session") == %d * 2`,
	`event: Product Added
    when: count("Product Added", "session") <= %d * 2`,
	`segment: segment-%03d`,
	`event: Cart Viewed
    when: cart >= %d * 500`,
	`event: Page Viewed
    when: session.events == %d`,
}

func action(i int) string {
	level := i/5 + 1
	applicable := [...]string{
		`count("Product Viewed", "session") >= %d`,
		`cart > 0 && cart < %d * 5000`,
		`segment("segment-%03d")`,
		`max("Product Viewed", "price", "session") >= %d * 1000`,
		`cart >= %d * 1000`,
	}[i%5]
	place := [...]string{"top-bar", "bottom-bar", "center"}[i%3]
	return fmt.Sprintf(`---
kind: action
name: action-%02d
purpose: on_site_service
issue: service
group: group-%d
place: %s
live: %t
trigger:
  - %s
applicable: '%s'
caps:
  session: 1
  day: 3
value: %d
variables:
  cart:
    value: cart
    format: money
copy:
  ja:
    text: "カートは{{ cart }}です（%d）"
  en:
    text: "Your cart is {{ cart }} (%d)"
`, i, i%4, place, i%5 == 1, fmt.Sprintf(triggers[i%5], level), fmt.Sprintf(applicable, level), 1+i, i, i)
}
