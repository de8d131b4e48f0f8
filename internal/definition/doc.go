// Package definition reads what a workspace has written down, in YAML, about
// itself: its settings, segments, actions and policy. A published set replaces
// all that was published before.
//
// Parse checks the form of every document and Build what they mean together:
// rules are compiled, references looked up, slots allocated. Both report every
// problem they find and not only the first, each with file, line and what to do.
// Canonical is the same set in the form in which it is journaled, so that the
// machine builds from the journal exactly what was checked.
package definition
