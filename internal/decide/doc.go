// Package decide answers "what now?" for one customer at one moment. It takes
// the actions on offer, drops those that consent, eligibility, caps or etiquette
// forbid, scores the rest
//
//	Propensity × Context × Value × Lever
//
// and picks at most one for each place, or none: silence is a good answer. For
// every decision it writes a Trace of what became of every candidate.
//
// A Decider never changes the customer. What follows from a decision is put
// into the customer's ledger of attention by Reserve, Report, Release and
// Refresh, so that a decision can be made again from what it was made from.
package decide

// Engine names the version of the deciding code. It changes whenever the same
// input could give another decision or another trace.
const Engine = "1"
