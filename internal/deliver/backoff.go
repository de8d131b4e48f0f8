package deliver

import (
	"math/rand/v2"
	"time"
)

// backoff returns how long to wait after the n-th failure, from 1: any time up to
// first × 2ⁿ⁻¹ and up to longest, so that those who failed together do not come
// back together ("full jitter", Brooker 2015). It is never less than a tenth of
// first.
func backoff(n uint32, first, longest time.Duration) time.Duration {
	top := longest
	if n < 40 && first<<(n-1)>>(n-1) == first {
		top = min(longest, first<<(n-1))
	}
	return max(first/10, rand.N(top)+1)
}
