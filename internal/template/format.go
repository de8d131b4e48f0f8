package template

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/kikubari/kikubari/internal/cx"
)

// Format is how a variable's value is written.
type Format uint8

// The formats.
const (
	AsText    Format = iota // texts as they are, numbers as AsNumber
	AsNumber                // 12,345.6: exact to a millionth
	AsMoney                 // in the currency's own digits and the language's convention
	AsPercent               // 0.125 is 12.5%
)

var formatNames = [...]string{"text", "number", "money", "percent"}

// String names the format as definitions write it.
func (f Format) String() string { return formatNames[f] }

// ParseFormat reads what String wrote; "" is text.
func ParseFormat(s string) (Format, bool) {
	for i, n := range formatNames {
		if n == s {
			return Format(i), true
		}
	}
	return AsText, s == ""
}

// maxRunes is how much of a text value is shown.
const maxRunes = 200

// showable reports whether f can write v: a number that is one, or for text
// also a text that has something visible in it.
func showable(v cx.Value, f Format) bool {
	switch v.Kind {
	case cx.Number:
		_, ok := micros(v.Float())
		return ok
	case cx.Text:
		return f == AsText && strings.ContainsFunc(v.Str(), visible)
	default:
		return false
	}
}

// format writes v; what is not showable becomes "".
func format(v cx.Value, f Format, l Language, currency cx.Currency) string {
	if f == AsText && v.Kind == cx.Text {
		return clean(v.Str())
	}
	m, ok := micros(v.Float())
	if !ok || v.Kind != cx.Number {
		return ""
	}
	switch f {
	case AsMoney:
		return money(m, currency, l)
	case AsPercent:
		return percent(m)
	default:
		return grouped(m, 6, true)
	}
}

// micros converts to the nearest millionth, which undoes what a float64 lost of
// an exact amount below 2^53 millionths.
func micros(f float64) (cx.Micros, bool) {
	scaled := math.RoundToEven(f * cx.MicrosPerUnit)
	if math.IsNaN(scaled) || math.Abs(scaled) >= 1<<62 {
		return 0, false
	}
	return cx.Micros(scaled), true
}

// percent writes a share with at most one decimal.
func percent(m cx.Micros) string {
	if m > math.MaxInt64/100 || m < math.MinInt64/100 {
		return grouped(m/cx.MicrosPerUnit, 0, false) + "%"
	}
	return grouped(m*100, 1, true) + "%"
}

// symbols are the English signs and Japanese words of currencies; others are
// written with their code.
var symbols = map[cx.Currency]struct{ sign, word string }{
	"JPY": {"¥", "円"},
	"USD": {"$", "ドル"},
	"EUR": {"€", "ユーロ"},
	"GBP": {"£", "ポンド"},
	"KRW": {"₩", "ウォン"},
	"CNY": {"CN¥", "人民元"},
	"TWD": {"NT$", "台湾ドル"},
	"HKD": {"HK$", "香港ドル"},
	"AUD": {"A$", "豪ドル"},
	"CAD": {"CA$", "カナダドル"},
	"INR": {"₹", "ルピー"},
}

// money writes an amount in the currency's own digits: 1,000円 and 40.00ドル in
// Japanese, ¥1,000 and $40.00 in English, "CHF 40.00" where there is no sign.
func money(m cx.Micros, c cx.Currency, l Language) string {
	amount := grouped(m, c.Digits(), false)
	s, known := symbols[c]
	if l == Japanese && known {
		return amount + s.word
	}
	unsigned, negative := strings.CutPrefix(amount, "-")
	sign := s.sign
	if !known {
		sign = string(c) + " "
	}
	if negative {
		return "-" + sign + unsigned
	}
	return sign + unsigned
}

// grouped writes m with commas between thousands and the given number of
// decimals, rounded half away from zero; trim drops trailing zero decimals.
func grouped(m cx.Micros, decimals int, trim bool) string {
	step := uint64(1)
	for i := decimals; i < 6; i++ {
		step *= 10
	}
	n := magnitude(m)
	n = (n + step/2) / step
	scale := cx.MicrosPerUnit / step
	whole, fraction := strconv.FormatUint(n/scale, 10), ""
	if decimals > 0 {
		fraction = strconv.FormatUint(scale+n%scale, 10)[1:]
	}
	if trim {
		fraction = strings.TrimRight(fraction, "0")
	}
	var b strings.Builder
	if m < 0 && n > 0 {
		b.WriteByte('-')
	}
	for i, d := range []byte(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(d)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

func magnitude(m cx.Micros) uint64 {
	if m < 0 {
		return -uint64(m)
	}
	return uint64(m)
}

// clean makes a text value fit to be shown in a line: control and formatting
// characters (bidirectional overrides among them) become spaces, spaces are
// joined, and after 200 characters it ends with an ellipsis.
func clean(s string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if !visible(r) {
			space = b.Len() > 0
			continue
		}
		if n++; n > maxRunes {
			return b.String() + "…"
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

func visible(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.Is(unicode.Cc, r) && !unicode.Is(unicode.Cf, r)
}
