package channeltest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Book is what a receiver has been given. It is safe for concurrent use.
type Book struct {
	// Idempotent says that a delivery is accepted once, however often it comes
	// with the same key.
	Idempotent bool

	mu       sync.Mutex
	arrivals []Arrival
	accepted map[string]int
}

// Arrival is one attempt as it arrived.
type Arrival struct {
	Key     string
	Payload string
	At      time.Time
	Again   bool // taken for a repetition, and not accepted again
}

// Arrive notes an attempt and reports whether it was accepted as something new.
func (b *Book) Arrive(key string, payload []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.accepted == nil {
		b.accepted = map[string]int{}
	}
	again := b.Idempotent && b.accepted[key] > 0
	if !again {
		b.accepted[key]++
	}
	b.arrivals = append(b.arrivals, Arrival{Key: key, Payload: string(payload), At: time.Now(), Again: again})
	return !again
}

// Arrivals returns every attempt so far, in order.
func (b *Book) Arrivals() []Arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals)
}

// Accepted returns how often each key was accepted.
func (b *Book) Accepted() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.accepted)
}
