// Package sqlite keeps what must outlive the process in two SQLite files.
//
// State, in state.db, holds checkpoints of the machine: a pipeline.Store.
// Control, in control.db, holds what people did: workspaces, keys, the record of
// changes, published definitions, remembered answers, refused input.
//
// Both files use a write-ahead log and synchronous=FULL, so what a call has
// committed survives a loss of power; the journal may therefore be purged up to
// a checkpoint as soon as Checkpoint has returned. They are two files because
// SQLite has one writer a file: creating a key must never wait for a checkpoint
// of a hundred thousand customers.
package sqlite
