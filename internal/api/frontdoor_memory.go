package api

import (
	"context"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/access"
)

// keyMemory remembers by which text, a header or a key's own, a good key was
// found in a Ring, so that the same few texts need not be hashed with every
// request. A text is compared only when its hash, by a seed that nobody knows,
// is right already: how long that takes tells nothing. The zero keyMemory is
// empty. It is safe for concurrent use.
type keyMemory [64]atomic.Pointer[foundKey]

type foundKey struct {
	ring *access.Ring
	hash uint64
	text string
	key  *access.Key
}

var keySeed = maphash.MakeSeed()

// find returns the key that text has in ring, nil when it is not remembered.
func (m *keyMemory) find(ring *access.Ring, text string) *access.Key {
	hash := maphash.String(keySeed, text)
	if f := m[hash%uint64(len(m))].Load(); f != nil && f.ring == ring && f.hash == hash && f.text == text {
		return f.key
	}
	return nil
}

// keep remembers that text has the key in ring.
func (m *keyMemory) keep(ring *access.Ring, text string, key *access.Key) {
	hash := maphash.String(keySeed, text)
	m[hash%uint64(len(m))].Store(&foundKey{ring: ring, hash: hash, text: strings.Clone(text), key: key})
}

// patience gives contexts that end after a span, or up to a twentieth of it
// later: requests that begin close together share one, so none needs a timer of
// its own. It is safe for concurrent use.
type patience struct {
	span   time.Duration
	shared atomic.Pointer[deadline]
}

type deadline struct {
	context.Context
	until time.Time // when it is no longer given out
}

func (p *patience) context() context.Context {
	now := time.Now()
	if d := p.shared.Load(); d != nil && now.Before(d.until) {
		return d
	}
	slack := p.span / 20
	ctx, cancel := context.WithTimeout(context.Background(), p.span+slack) //nolint:forbidigo // shared by requests, it ends with none of them
	context.AfterFunc(ctx, cancel)
	d := &deadline{Context: ctx, until: now.Add(slack)}
	p.shared.Store(d)
	return d
}
