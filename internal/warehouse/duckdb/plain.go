package duckdb

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"
)

// plain turns a value as the driver gives it into one that encodes as JSON, and
// says about how many bytes it takes. Times become RFC 3339 in UTC, decimals and
// numbers that JSON does not have (NaN, infinities) become text, maps become
// objects with their keys written as text.
func plain(v any) (any, int) {
	switch x := v.(type) {
	case nil:
		return nil, 4
	case string:
		return x, len(x) + 2
	case []byte:
		return x, len(x) * 4 / 3
	case float64:
		return number(x), 16
	case float32:
		return number(float64(x)), 16
	case time.Time:
		return x.UTC().Format("2006-01-02T15:04:05.999999Z"), 28
	case *big.Int:
		return json.Number(x.String()), 40
	case duck.Decimal:
		return json.Number(x.String()), 24
	case duck.UUID:
		return x.String(), 38
	case duck.Interval:
		return fmt.Sprintf("%d months %d days %d µs", x.Months, x.Days, x.Micros), 40
	case []any:
		return list(x)
	case map[string]any:
		return object(x)
	case duck.OrderedMap:
		m := make(map[string]any, x.Len())
		keys, values := x.Keys(), x.Values()
		for i := range keys {
			m[fmt.Sprint(keys[i])] = values[i]
		}
		return object(m)
	case duck.Map:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[fmt.Sprint(k)] = v
		}
		return object(m)
	case duck.Union:
		return plain(x.Value)
	case fmt.Stringer:
		s := x.String()
		return s, len(s)
	}
	return v, 16
}

func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return f
}

func list(x []any) (any, int) {
	out, size := make([]any, len(x)), 2
	for i := range x {
		var n int
		out[i], n = plain(x[i])
		size += n
	}
	return out, size
}

func object(x map[string]any) (any, int) {
	out, size := make(map[string]any, len(x)), 2
	for k, v := range x {
		p, n := plain(v)
		out[k] = p
		size += n + len(k) + 3
	}
	return out, size
}
