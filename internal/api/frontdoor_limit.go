package api

import (
	"errors"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Rate is how many events a key may send.
type Rate struct {
	PerSecond float64
	Burst     float64 // how many at once after a rest
}

// limiter holds each key to a Rate. A request may overdraw it, so that a batch
// is never cut; then the key waits until it is level again.
type limiter struct {
	rate Rate
	mu   sync.RWMutex
	keys map[cx.KeyID]*bucket
}

type bucket struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

// take charges n events to key, or fails with kind Limited and the time to
// wait.
func (l *limiter) take(key cx.KeyID, n int, now time.Time) error {
	b := l.bucket(key, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if gone := now.Sub(b.at); gone > 0 {
		b.left = min(l.rate.Burst, b.left+float64(gone.Seconds()*l.rate.PerSecond))
		b.at = now
	}
	if b.left <= 0 {
		return &cx.Error{Kind: cx.Limited, Err: &waitError{time.Duration((1 - b.left) / l.rate.PerSecond * float64(time.Second))}}
	}
	b.left -= float64(n)
	return nil
}

// bucket returns the bucket of a key, a full one when the key is new.
func (l *limiter) bucket(key cx.KeyID, now time.Time) *bucket {
	l.mu.RLock()
	b := l.keys[key]
	l.mu.RUnlock()
	if b != nil {
		return b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = make(map[cx.KeyID]*bucket)
	}
	if l.keys[key] == nil {
		l.keys[key] = &bucket{left: l.rate.Burst, at: now}
	}
	return l.keys[key]
}

// waitError says how long to wait before trying again.
type waitError struct{ wait time.Duration }

func (e *waitError) Error() string             { return "this key sends too many events: wait and try again" }
func (e *waitError) RetryAfter() time.Duration { return max(e.wait, time.Second) }

// waitOf returns how long a caller is to wait after err.
func waitOf(err error) time.Duration {
	var w interface{ RetryAfter() time.Duration }
	if errors.As(err, &w) {
		return w.RetryAfter()
	}
	return retryAfter
}
