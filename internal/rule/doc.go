// Package rule is the expression language of segments, actions and message
// variables: CEL in which every number is a double, with statistics, traits,
// the event at hand, the session and the clock as its vocabulary.
//
// Statistics say how often, how much, which, over a window; an event "*" is any:
//
//	count("Product Viewed", "7d") >= 3
//	sum("Product Added", "price * quantity", "session") >= 3000
//	sum("Order Completed", "revenue", "all", "USD") > 100
//	min("Product Viewed", "price", "day") < max("Product Viewed", "price", "month")
//	avg("Product Viewed", "price", "week") > 1000 && distinct("Product Viewed", "product_id", "45m") > 5
//	first("Page Viewed", "path", "session") == "/sale" || last("Search", "query", "previous_session") == "socks"
//	"shirts" in top("Product Viewed", "category", 3, "30d") && "p_1" in recent("Product Viewed", "product_id", 5, "30d")
//	since("Order Completed") >= days(10) && since("Product Added") < minutes(30)
//
// The customer, the event, the session and the workspace's clock:
//
//	traits.plan == "gold" && has(traits.birthday) && customer.known && !customer.claimed
//	event.name == "Product Added" && event.type == "track" && event.locale.startsWith("ja")
//	event.properties.price * event.properties.quantity > 3000 && event.context.page.path.matches("^/p/")
//	event.properties.products.exists(p, p.price > 1000) && event.properties["odd name"] in ["a", "b"]
//	session.running && session.number == 1 && session.events > 3 && session.duration > 60
//	time.hour >= 9 && time.minute < 30 && time.weekday <= 5 && time.day == 1 && time.month != 12
//	segment("vip") ? size(traits.tags) > 2 : false
//
// What is missing makes its comparison an error; && and || absorb errors as in
// CEL, and a rule that is an error as a whole does not hold.
//
// Compile parses and checks a rule with cel-go, then turns the checked syntax
// tree into Go closures. The few sub-expressions without a closure of their own,
// such as exists over an array of the event, are run by cel-go itself. Programs
// are immutable and safe for concurrent use; a Scope belongs to one goroutine.
//
// A rule never sees anything but its Scope: no clock, no randomness, no map
// order. The same Scope gives the same answer for ever.
package rule
