package cx

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// Micros is an exact count of millionths of a unit: £0.001 is 1,000 Micros.
type Micros int64

// MicrosPerUnit is how many Micros make one unit.
const MicrosPerUnit = 1_000_000

// Float returns m as the nearest float64 number of units.
func (m Micros) Float() float64 { return float64(m) / MicrosPerUnit }

// ParseMicros reads a JSON number (optional sign, digits, fraction, exponent)
// exactly, rounding half to even below a millionth. ok is false when b is not
// a number or does not fit.
func ParseMicros(b []byte) (m Micros, ok bool) {
	i, neg := 0, false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
		i++
	}
	var n uint64
	digits, frac := 0, -1
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits > 12 || frac >= 6 {
				return parseMicrosSlow(b)
			}
			n = n*10 + uint64(c-'0')
			if frac >= 0 {
				frac++
			}
		case c == '.' && frac < 0 && digits > 0:
			frac = 0
		case (c == 'e' || c == 'E') && digits > 0:
			return parseMicrosSlow(b)
		default:
			return 0, false
		}
	}
	if digits == 0 || frac == 0 {
		return 0, false
	}
	if frac < 0 {
		frac = 0
	}
	for ; frac < 6; frac++ {
		n *= 10
	}
	if n > math.MaxInt64 {
		return parseMicrosSlow(b)
	}
	if neg {
		return -Micros(n), true
	}
	return Micros(n), true
}

func parseMicrosSlow(b []byte) (Micros, bool) {
	if len(b) > 400 {
		return 0, false
	}
	if f, err := strconv.ParseFloat(string(b), 64); err != nil || math.Abs(f) > math.MaxInt64/MicrosPerUnit || math.Abs(f) < 1e-12 && f != 0 {
		return 0, err == nil && math.Abs(f) < 1 // too small to count is nothing; too large is not a number we keep
	}
	r, ok := new(big.Rat).SetString(string(b))
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(MicrosPerUnit, 1))
	return ratToMicros(r)
}

func ratToMicros(r *big.Rat) (Micros, bool) {
	q, rem := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	switch rem.Abs(rem).Lsh(rem, 1).Cmp(r.Denom()) {
	case 1:
		q.Add(q, big.NewInt(int64(r.Sign())))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(int64(r.Sign())))
		}
	}
	if !q.IsInt64() {
		return 0, false
	}
	return Micros(q.Int64()), true
}

// MulMicros returns a×b exactly rounded half to even to a millionth; ok is
// false when the product does not fit.
func MulMicros(a, b Micros) (m Micros, ok bool) {
	neg := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(abs64(int64(a)), abs64(int64(b)))
	if hi >= MicrosPerUnit {
		return 0, false
	}
	q, r := bits.Div64(hi, lo, MicrosPerUnit)
	if 2*r > MicrosPerUnit || 2*r == MicrosPerUnit && q&1 == 1 {
		q++
	}
	if q > math.MaxInt64 {
		return 0, false
	}
	if neg {
		return -Micros(q), true
	}
	return Micros(q), true
}

func abs64(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// Sum is an exact running total of Micros: a signed 128-bit integer. It cannot
// overflow before 2^64 additions. The zero Sum is nothing added.
type Sum struct {
	Hi int64
	Lo uint64
}

// Add returns s + m.
func (s Sum) Add(m Micros) Sum { return s.Plus(Sum{Hi: int64(m) >> 63, Lo: uint64(m)}) }

// Plus returns s + o. It is commutative and associative.
func (s Sum) Plus(o Sum) Sum {
	lo, carry := bits.Add64(s.Lo, o.Lo, 0)
	hi, _ := bits.Add64(uint64(s.Hi), uint64(o.Hi), carry)
	return Sum{Hi: int64(hi), Lo: lo}
}

// Neg returns −s.
func (s Sum) Neg() Sum {
	lo, borrow := bits.Sub64(0, s.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(s.Hi), borrow)
	return Sum{Hi: int64(hi), Lo: lo}
}

// IsZero reports whether the total is nought.
func (s Sum) IsZero() bool { return s == Sum{} }

// Float returns the total in units, as near as a float64 can say it.
func (s Sum) Float() float64 {
	if s.Hi == 0 && s.Lo <= math.MaxInt64 || s.Hi == -1 && s.Lo > math.MaxInt64 {
		return Micros(s.Lo).Float()
	}
	neg := s.Hi < 0
	if neg {
		s = s.Neg()
	}
	f := (math.Ldexp(float64(uint64(s.Hi)), 64) + float64(s.Lo)) / MicrosPerUnit
	if neg {
		return -f
	}
	return f
}

// Currency is an ISO 4217 code such as "JPY"; "" means the workspace's own.
type Currency string

// Digits is how many decimals the currency is shown with: 0 for JPY, 2 for
// most, 3 for a few.
func (c Currency) Digits() int {
	switch c {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// Money is an exact amount in one currency.
type Money struct {
	Amount   Micros
	Currency Currency
}
