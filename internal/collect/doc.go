// Package collect turns the bytes of a request into events: it finds the
// events in a body, checks them against limits, corrects their times, weighs
// who vouches for them and removes what may not be kept. What it refuses or
// alters it says, event by event.
//
// It is pure: the same bytes, sender and time of receipt always give the same
// events, so a retried request gives the same message ids.
//
// Decisions about input that JSON leaves open:
//   - Of members with the same name the last one counts. What may not be kept is
//     removed from all of them; of several addresses only the last is kept,
//     shortened.
//   - A context within a context is removed: nothing would be shortened or
//     redacted in there.
//   - Text that is not UTF-8, half of a surrogate pair included, is refused: a
//     single event with its request, an event of a batch alone.
//   - An event may be nested 64 levels deep. Nesting beyond 10,000 levels is
//     not taken for JSON at all.
//   - Ids given as numbers become text as they are written: 42.0 stays "42.0".
//   - Numbers given as times are milliseconds since 1970, or seconds when they
//     are below 10^11.
package collect
