package profile

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// A distinct cell is exact up to 256 different values: their number as a
// varint, then their hashes, six bytes each, ascending. Two of 256 values share
// a 48-bit hash with a probability of 1 in 8 milliard. Beyond, it is a 0 and the
// 2048 registers of a HyperLogLog (Flajolet et al. 2007) over the same hashes,
// whose standard error is 1.04/√2048 = 2.3 %. The state depends on the set of
// values only.
const (
	exactDistinct = 256
	hashSize      = 6
	registerBits  = 11
	registers     = 1 << registerBits
	rankBits      = 8*hashSize - registerBits
)

func appendDistinct(dst []byte, values []sample) []byte {
	var scalar [maxText + 16]byte
	var list [8 * hashSize]byte
	hashes := list[:0]
	for i := range values {
		hashes = insertHash(hashes, cx.Hash(alias(values[i].appendScalar(scalar[:0]))))
	}
	n := len(hashes) / hashSize
	if n <= exactDistinct {
		return append(appendUvarint(dst, uint64(n)), hashes...)
	}
	dst = append(dst, 0)
	dst = append(dst, make([]byte, registers)...)
	countHashes(dst[len(dst)-registers:], hashes)
	return dst
}

// insertHash puts the low 48 bits of h in its place unless they are there.
func insertHash(hashes []byte, h uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], h)
	key := b[8-hashSize:]
	i, found := findHash(hashes, key)
	if found {
		return hashes
	}
	return slices.Insert(hashes, i, key...)
}

// findHash returns the offset at which key is or belongs.
func findHash(hashes, key []byte) (int, bool) {
	lo, hi := 0, len(hashes)/hashSize
	for lo < hi {
		mid := (lo + hi) / 2
		switch bytes.Compare(hashes[mid*hashSize:(mid+1)*hashSize], key) {
		case 0:
			return mid * hashSize, true
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo * hashSize, false
}

func skipDistinct(b []byte, i int) int {
	n, i := uvarint(b, i)
	if n == 0 {
		return i + registers
	}
	return i + int(n)*hashSize
}

func mergeDistinct(dst, a, b []byte) []byte {
	n, i := uvarint(a, 0)
	m, j := uvarint(b, 0)
	if n != 0 && m != 0 {
		return mergeExact(dst, a[i:], b[j:])
	}
	if n != 0 {
		a, b, i, j, m = b, a, j, i, n
	}
	dst = append(append(dst, 0), a[i:i+registers]...)
	regs := dst[len(dst)-registers:]
	if m != 0 {
		countHashes(regs, b[j:])
		return dst
	}
	for k, r := range b[j : j+registers] {
		regs[k] = max(regs[k], r)
	}
	return dst
}

// mergeExact merges two sorted lists of hashes. A list of one, which is what an
// event brings, is put in by binary search.
func mergeExact(dst, a, b []byte) []byte {
	if len(a) < len(b) {
		a, b = b, a
	}
	start := len(dst)
	dst = append(dst, 0, 0) // room for the number
	body := len(dst)
	for len(b) > 0 {
		i, found := findHash(a, b[:hashSize])
		dst = append(dst, a[:i]...)
		if !found {
			dst = append(dst, b[:hashSize]...)
		}
		a, b = a[i:], b[hashSize:]
	}
	dst = append(dst, a...)
	n := (len(dst) - body) / hashSize
	if n > exactDistinct {
		return toRegisters(dst, start, body)
	}
	head := binary.PutUvarint(dst[start:body], uint64(n))
	copy(dst[start+head:], dst[body:])
	return dst[:len(dst)-(body-start-head)]
}

func toRegisters(dst []byte, start, body int) []byte {
	var regs [registers]byte
	countHashes(regs[:], dst[body:])
	return append(append(dst[:start], 0), regs[:]...)
}

// countHashes raises the registers by the hashes: the low bits choose the
// register, the rest gives the rank of its first 1.
func countHashes(regs, hashes []byte) {
	for ; len(hashes) > 0; hashes = hashes[hashSize:] {
		h := uint64(binary.BigEndian.Uint16(hashes))<<32 | uint64(binary.BigEndian.Uint32(hashes[2:]))
		rest := h >> registerBits
		rank := byte(rankBits - bits.Len64(rest) + 1)
		if r := &regs[h&(registers-1)]; rank > *r {
			*r = rank
		}
	}
}

// distinctCount reads how many different values there are, a whole number.
func distinctCount(cell []byte) float64 {
	n, i := uvarint(cell, 0)
	if n != 0 {
		return float64(n)
	}
	sum, empty := 0.0, 0 // the sum of powers of two is exact: 2^11 terms of at least 2^-38
	for _, r := range cell[i : i+registers] {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	const m = float64(registers)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && empty > 0 {
		estimate = m * math.Log(m/float64(empty)) // linear counting
	}
	return math.Round(math.Max(estimate, exactDistinct+1))
}
