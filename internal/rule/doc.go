// Package rule is the expression language of segments, actions and message
// variables: CEL in which every number is a double, with statistics, traits,
// the event at hand, the session and the clock as its vocabulary.
//
//	sum("Product Added", "price * quantity", "session") >= 3000 && !segment("buyer")
//	event.name == "Product Added" && event.properties.price < 1000
//	since("Order Completed") >= days(10)
//
// Compile parses and checks a rule with cel-go, then turns the checked syntax
// tree into Go closures that allocate nothing. The few sub-expressions without a
// closure of their own, such as exists over an array of the event, are run by
// cel-go itself. Programs are immutable and safe for concurrent use; a Scope
// belongs to one goroutine.
//
// A rule never sees anything but its Scope: no clock, no randomness, no map
// order. The same Scope gives the same answer for ever.
package rule
