// Package profile folds events into customers. It finds out whose event it is
// (Resolver), and then, one writer per customer, what the event adds up to:
// de-duplication, sessions, consent, traits and statistics (Folder). It also
// joins two customers that turn out to be one (Folder.Merge) and keeps the
// encoding in which customers are stored (AppendCustomer).
//
// Everything here is a function of its arguments: log time is handed in, and
// the same events in the same order always give the same bytes.
package profile
