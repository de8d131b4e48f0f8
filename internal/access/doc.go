// Package access says who may say what: workspaces, the keys that speak for
// them, the record of every change that somebody made, and the Store in which
// all of it is kept.
//
// The text of a key is never stored, only its SHA-256; a Ring answers "whose
// key is this?" without touching the Store, and a Keyring swaps in a new Ring
// when keys change.
package access
