package mapping

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// decimal is an exact decimal number: digits / 10^places.
type decimal struct {
	small  int64
	large  *big.Int // instead of small, when that is too small
	places int
}

// exact is how many digits surely fit into an int64.
const exact = 18

// decimal reads a number as the file writes it: a sign, digits, and after the
// mark the decimals. Groups of three digits may be set apart.
func (m *Mapping) decimal(s string) (decimal, error) {
	point, group := byte('.'), byte(',')
	if m.comma {
		point, group = group, point
	}
	digits := make([]byte, 0, 24)
	var d decimal
	rest, negative := s, false
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		negative, rest = rest[0] == '-', rest[1:]
	}
	places, sinceGroup, grouped := -1, 0, false
	for i := range len(rest) {
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
			sinceGroup++
			if places >= 0 {
				places++
			}
		case c == point && places < 0 && (!grouped || sinceGroup == 3):
			places, grouped = 0, false
		case c == group && places < 0 && len(digits) > 0 && (sinceGroup == 3 || !grouped && sinceGroup < 3):
			sinceGroup, grouped = 0, true
		default:
			return d, notANumber(s)
		}
	}
	if len(digits) == 0 || len(digits) > 60 || grouped && sinceGroup != 3 {
		return d, notANumber(s)
	}
	d.places = max(places, 0)
	if len(digits) <= exact {
		d.small, _ = strconv.ParseInt(string(digits), 10, 64)
		if negative {
			d.small = -d.small
		}
		return d, nil
	}
	d.large, _ = new(big.Int).SetString(string(digits), 10)
	if negative {
		d.large.Neg(d.large)
	}
	return d, nil
}

func notANumber(s string) error {
	return fmt.Errorf("%q is no number; 1234, -1,234.50 and, with decimal: comma, 1.234,50 are", s)
}

// times returns the product, with every digit.
func (d decimal) times(o decimal) decimal {
	out := decimal{places: d.places + o.places}
	if d.large == nil && o.large == nil {
		if out.small = d.small * o.small; d.small == 0 || out.small/d.small == o.small {
			return out // neither is the smallest int64, whose negative would be lost
		}
		out.small = 0
	}
	out.large = new(big.Int).Mul(d.big(), o.big())
	return out
}

func (d decimal) big() *big.Int {
	if d.large != nil {
		return d.large
	}
	return big.NewInt(d.small)
}

// appendTo writes the number as JSON, without zeros that say nothing.
func (d decimal) appendTo(dst []byte) []byte {
	var s string
	if d.large != nil {
		s = d.large.String()
	} else {
		s = strconv.FormatInt(d.small, 10)
	}
	if strings.HasPrefix(s, "-") {
		dst, s = append(dst, '-'), s[1:]
	}
	if d.places == 0 {
		return append(dst, s...)
	}
	if missing := d.places + 1 - len(s); missing > 0 {
		s = strings.Repeat("0", missing) + s
	}
	whole, part := s[:len(s)-d.places], strings.TrimRight(s[len(s)-d.places:], "0")
	dst = append(dst, whole...)
	if part != "" {
		dst = append(append(dst, '.'), part...)
	}
	return dst
}
