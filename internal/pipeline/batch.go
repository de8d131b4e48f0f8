package pipeline

import "sync"

var batches = sync.Pool{New: func() any { return new(batch) }}

func newBatch() *batch { return batches.Get().(*batch) }

// recycle clears b, so that it keeps no record alive, and makes it free to be
// used again.
func recycle(b *batch) {
	clear(b.orders)
	*b = batch{orders: b.orders[:0]}
	if cap(b.orders) <= 4096 {
		batches.Put(b)
	}
}
