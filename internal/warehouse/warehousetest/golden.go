package warehousetest

import (
	"fmt"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// golden asks the questions that reports ask of a fixed shop and compares with
// answers that were worked out by hand: twelve people view a product on twelve
// days; every second one adds it the next hour, every third of all orders.
func golden(t *testing.T, open func() Warehouse) {
	w := open()
	var b pipeline.Batch
	sequence := uint64(0)
	add := func(c cx.CustomerID, when cx.Instant, name cx.EventName, price int) {
		sequence++
		b.Events = append(b.Events, event(at(sequence, 0), "demo", c, when, name, fmt.Sprintf(`{"price":%d,"currency":"JPY"}`, price)))
	}
	for n := range 12 {
		c, when := cx.CustomerID(n+1), day0+cx.Instant(n)*cx.Day+cx.Hour
		add(c, when, "Product Viewed", 1000)
		if n%2 == 0 {
			add(c, when+cx.Hour, "Product Added", 1000*(n+1))
		}
		if n%3 == 0 {
			add(c, when+2*cx.Hour, cx.OrderCompleted, 1000*(n+1))
		}
	}
	b.Upto = at(sequence+1, 0)
	appendTo(t, w, b)

	for _, q := range []struct{ statement, want string }{
		{
			"select name, count(*) as n from events group by all order by n desc, name",
			`[["Product Viewed",12],["Product Added",6],["Order Completed",4]]`,
		},
		{
			"select sum((properties->>'price')::BIGINT)::BIGINT from events where name = 'Order Completed'",
			`[[22000]]`,
		}, // 1 + 4 + 7 + 10 thousand
		{
			"select count(distinct customer) from events where time < TIMESTAMP '2026-11-05'",
			`[[3]]`,
		},
		{
			`select count(distinct customer) filter (where viewed), count(distinct customer) filter (where viewed and added), count(distinct customer) filter (where viewed and added and ordered)
		  from (select customer, bool_or(name = 'Product Viewed') as viewed, bool_or(name = 'Product Added') as added, bool_or(name = 'Order Completed') as ordered from events group by customer)`,
			`[[12,6,2]]`,
		}, // people 1 and 7 did all three
		{
			"select customer from events where name = 'Order Completed' order by time desc limit 1",
			`[["` + cx.CustomerID(10).String() + `"]]`,
		},
		{
			"select count(*) from events where customer = '" + cx.CustomerID(7).String() + "'",
			`[[3]]`,
		},
	} {
		equal(t, q.statement, ask(t, w, "demo", q.statement), q.want)
	}
}
