// Package deliver sends what was decided for other channels than the page. It
// takes deliveries out of committed checkpoints only, so that nothing is sent
// that a recovery would not know of, and tells their fates to the journal.
//
// How far each delivery has come stands in a Store of its own. It is marked as
// tried before every attempt. When the program ends inside an attempt, or an
// attempt ends without an answer, the delivery is repeated with the same key if
// the receiver can tell a repetition or if somebody is owed it (purpose
// transactional); otherwise its fate is unknown and it is not repeated.
//
// Each destination has a queue, a breaker and attempts of its own, so that a dead
// one delays nobody else. Start with courier.go, then queue.go.
package deliver
