package cx_test

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestHashDoesNotChange holds still what marks of messages and packed statistics
// are made of.
func TestHashDoesNotChange(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, "[e220a8397b1dcdaf 2848d6a4a7b28bc1]"},
		{[]string{""}, "[28aed06b79bc90e0 7c967b1be02a0fb0]"},
		{[]string{"key", "ajs-next-1"}, "[66030121aff2c03c 2d948d25d09616e5]"},
	} {
		if got := fmt.Sprintf("%016x", cx.Hash128(c.parts...)); got != c.want {
			t.Errorf("%q: %s, want %s", c.parts, got, c.want)
		}
		if cx.Hash(c.parts...) != cx.Hash128(c.parts...)[0] {
			t.Errorf("%q: the short hash is not half of the long one", c.parts)
		}
	}
}

// TestHashScatters hashes texts that are much alike: none may collide, each bit
// of the hash is set in about half of them, and parts are kept apart.
func TestHashScatters(t *testing.T) {
	const n = 200_000
	seen, keys, ones := make(map[uint64]bool, n), make(map[cx.HashKey]bool, n), [64]int{}
	for i := range n {
		s := fmt.Sprintf("5f0c2d2e-6b0e-4b57-9d52-%012x", i)
		h := cx.Hash("key", s)
		seen[h], keys[cx.Hash128("demo", "anonymous_id", s)] = true, true
		for ; h != 0; h &= h - 1 {
			ones[bits.TrailingZeros64(h)]++
		}
	}
	if len(seen) != n || len(keys) != n {
		t.Errorf("%d and %d different hashes of %d texts", len(seen), len(keys), n)
	}
	for bit, count := range ones {
		if count < n*48/100 || count > n*52/100 {
			t.Errorf("bit %d is set in %d of %d", bit, count, n)
		}
	}
	for _, pair := range [...][2][]string{{{"ab", "c"}, {"a", "bc"}}, {{"a"}, {"a", ""}}, {{"a"}, {"a\x00"}}, {{"12345678"}, {"12345678", ""}}, {{"", "a"}, {"a", ""}}} {
		if cx.Hash(pair[0]...) == cx.Hash(pair[1]...) || cx.Hash128(pair[0]...) == cx.Hash128(pair[1]...) {
			t.Errorf("%q and %q have one hash", pair[0], pair[1])
		}
	}
}

func BenchmarkHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		cx.Hash("k_0123456789", "ajs-next-0123456789abcdef-00000001")
	}
}
