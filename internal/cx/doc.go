// Package cx holds the words of the product: Event, Customer, Identity, Trait,
// Statistic, Consent, Decision and what they are made of. It imports the
// standard library only, does no I/O and reads no clock, so that every other
// package can speak the same language without depending on anything else.
//
// Raw JSON travels as []byte and is looked into with Fields; money and other
// exact amounts are Micros and Sum; every instant is an Instant in UTC.
package cx
