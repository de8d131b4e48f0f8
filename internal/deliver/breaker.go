package deliver

import "time"

// tolerated is how many attempts may fail in a row before the breaker opens.
const tolerated = 5

// breaker keeps attempts away from a destination that does not answer. After some
// failures in a row it is open for a while; then one attempt at a time may try,
// until one succeeds. It is used by one goroutine.
type breaker struct {
	first, longest time.Duration // how long it stays open

	failures uint32 // in a row
	until    time.Time
}

// allows returns how many of up to free attempts may be begun at now while others
// are under way.
func (b *breaker) allows(now time.Time, free, underWay int) int {
	switch {
	case now.Before(b.until):
		return 0
	case b.open():
		return min(free, max(0, 1-underWay))
	}
	return free
}

func (b *breaker) open() bool { return b.failures >= tolerated }

// succeed notes a success and reports whether that closed the breaker.
func (b *breaker) succeed() (closed bool) {
	closed = b.open()
	b.failures, b.until = 0, time.Time{}
	return closed
}

// fail notes a failure; nothing is tried before after has passed.
func (b *breaker) fail(now time.Time, after time.Duration) {
	b.failures++
	if b.open() {
		after = max(after, backoff(b.failures-tolerated+1, b.first, b.longest))
	}
	if until := now.Add(after); until.After(b.until) {
		b.until = until
	}
}
