package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/kikubari/kikubari/internal/cx"
)

// Ring is what was in force at one moment: every workspace and every key that
// is not revoked. It never changes and is safe for concurrent use.
type Ring struct {
	workspaces map[cx.Workspace]*Workspace
	byHash     map[[32]byte]*Key
	byID       map[cx.KeyID]*Key
}

// NewRing makes a Ring. Revoked keys, and keys of workspaces that do not exist,
// are left out.
func NewRing(workspaces []Workspace, keys []Key) *Ring {
	r := &Ring{
		workspaces: make(map[cx.Workspace]*Workspace, len(workspaces)),
		byHash:     make(map[[32]byte]*Key, len(keys)),
		byID:       make(map[cx.KeyID]*Key, len(keys)),
	}
	for _, w := range workspaces {
		r.workspaces[w.Slug] = &w
	}
	for _, k := range keys {
		if _, ok := r.workspaces[k.Workspace]; k.Revoked() || !ok && k.Workspace != Everywhere {
			continue
		}
		r.byHash[k.Hash] = &k
		r.byID[k.ID] = &k
	}
	return r
}

// Key returns the key with the given text, or nil. How long it takes does not
// depend on how much of the text is right: what is looked up is its SHA-256.
// The Key must not be changed.
func (r *Ring) Key(text string) *Key {
	if text == "" || len(text) > MaxKeyText {
		return nil
	}
	return r.byHash[HashText(text)]
}

// KeyByID returns the key with the given id, or nil.
func (r *Ring) KeyByID(id cx.KeyID) *Key { return r.byID[id] }

// Workspace returns the workspace with the given slug, or nil. It must not be
// changed.
func (r *Ring) Workspace(slug cx.Workspace) *Workspace { return r.workspaces[slug] }

// Workspaces returns every workspace, by slug.
func (r *Ring) Workspaces() []Workspace {
	all := make([]Workspace, 0, len(r.workspaces))
	for _, w := range r.workspaces {
		all = append(all, *w)
	}
	slices.SortFunc(all, func(a, b Workspace) int { return strings.Compare(string(a.Slug), string(b.Slug)) })
	return all
}

// Keyring holds the Ring that is in force now. The zero Keyring has none yet.
// It is safe for concurrent use.
type Keyring struct{ now atomic.Pointer[Ring] }

// Ring returns the Ring in force, nil before the first.
func (k *Keyring) Ring() *Ring { return k.now.Load() }

// Use puts r in force.
func (k *Keyring) Use(r *Ring) { k.now.Store(r) }

// Reload puts in force what s holds now. After an error the earlier Ring stays.
func (k *Keyring) Reload(ctx context.Context, s Store) error {
	workspaces, err := s.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("load workspaces: %w", err)
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	k.Use(NewRing(workspaces, keys))
	return nil
}
