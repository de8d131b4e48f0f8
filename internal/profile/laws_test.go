package profile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// allAggregates and allWindows span every kind of statistic.
var (
	allAggregates = []cx.Aggregate{cx.Count, cx.SumOf, cx.Min, cx.Max, cx.Avg, cx.First, cx.Last, cx.Distinct, cx.TopN, cx.RecentN, cx.LastTime}
	allWindows    = []cx.Window{
		{Kind: cx.AllTime},
		{Kind: cx.Session},
		{Kind: cx.PreviousSession},
		{Kind: cx.Sliding, Length: time.Minute},
		{Kind: cx.Sliding, Length: 7 * time.Hour},
		{Kind: cx.Sliding, Length: 30 * 24 * time.Hour},
		{Kind: cx.CalendarDay},
		{Kind: cx.CalendarWeek},
		{Kind: cx.CalendarMonth},
	}
)

func specOf(a cx.Aggregate, w cx.Window) cx.StatisticSpec {
	s := cx.StatisticSpec{Aggregate: a, Window: w}
	if a != cx.Count && a != cx.LastTime {
		s.Field = "v"
	}
	if a == cx.TopN || a == cx.RecentN {
		s.N = 3
	}
	return s
}

// happening is one generated event as far as statistics see it.
type happening struct {
	values []sample
	at     stamp
	key    int64
}

func happenings(t *rapid.T, s *statistic, now cx.Instant, zone *time.Location, value *rapid.Generator[string]) []happening {
	return rapid.Custom(func(t *rapid.T) []happening {
		n := rapid.IntRange(0, 40).Draw(t, "events")
		out := make([]happening, n)
		for i := range out {
			ago := cx.Instant(rapid.Int64Range(0, int64(40*cx.Day)).Draw(t, "ago"))
			if rapid.Bool().Draw(t, "lately") {
				ago %= 3 * cx.Minute
			}
			h := happening{at: stamp{now - ago, cx.Position(i + 1)}}
			for range rapid.IntRange(1, 3).Draw(t, "elements") {
				v, ok := sampleOf([]byte(value.Draw(t, "value")))
				if !ok {
					t.Fatal("the generator made something that is no value")
				}
				h.values = append(h.values, v)
			}
			h.key = keyFor(s, h.at.at, zone)
			out[i] = h
		}
		return out
	}).Draw(t, "happenings")
}

func keyFor(s *statistic, at cx.Instant, zone *time.Location) int64 {
	switch s.window {
	case cx.Sliding:
		return floorDiv(at, s.width)
	case cx.Session, cx.PreviousSession:
		return sessionKey(at - at%(6*cx.Hour)) // four pretended sessions a day
	case cx.AllTime:
		return 0
	default:
		day := spanAt(zone, at)
		return day.key(s.window)
	}
}

// fold folds some happenings into an empty payload, as the Folder would have.
func fold(s *statistic, list []happening, floor int64) []byte {
	var payload []byte
	for _, h := range list {
		if cell := s.appendCell(nil, h.values, h.at); len(cell) > 0 && h.key >= floor {
			payload = s.foldPayload(nil, payload, h.key, cell, floor)
		}
	}
	return s.mergePayloads(nil, payload, nil, floor)
}

// TestMergeLaws: split any events over three states in any way; merging the
// states in any order and grouping gives, byte for byte, what folding all the
// events into one state in any order gives.
func TestMergeLaws(t *testing.T) {
	tokyo := mustZone(t, "Asia/Tokyo")
	now := cx.InstantOf(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	today := spanAt(tokyo, now)
	few := rapid.SampledFrom([]string{`1`, `2.5`, `-3`, `0.000001`, `9000000000000`, `1e3`, `"a"`, `"b"`, `"\u00e9"`, `true`, `false`, `""`})
	many := rapid.OneOf(few, rapid.Map(rapid.Int64Range(-1e12, 1e12), func(n int64) string { return fmt.Sprintf("%d.%02d", n/100, abs(n%100)) }))
	for _, a := range allAggregates {
		for _, w := range allWindows {
			t.Run(a.String()+" "+w.String(), func(t *testing.T) {
				p := NewPlan(Settings{Zone: tokyo}, []SlotSpec{{Slot: 0, Spec: specOf(a, w)}})
				s := &p.stats[0]
				floor := s.floor(now, &today)
				value := many
				if a == cx.TopN {
					value = few // stays below the cap: see TestTopBeyondCap
				}
				rapid.Check(t, func(t *rapid.T) {
					all := happenings(t, s, now, tokyo, value)
					var parts [3][]happening
					for _, h := range all {
						k := rapid.IntRange(0, 2).Draw(t, "part")
						parts[k] = append(parts[k], h)
					}
					shuffled := rapid.Permutation(all).Draw(t, "order")
					want := fold(s, shuffled, floor)
					x, y, z := fold(s, parts[0], floor), fold(s, parts[1], floor), fold(s, parts[2], floor)
					merge := func(a, b []byte) []byte { return s.mergePayloads(nil, a, b, floor) }
					for name, got := range map[string][]byte{
						"all at once": fold(s, all, floor),
						"(x+y)+z":     merge(merge(x, y), z), "x+(y+z)": merge(x, merge(y, z)),
						"(y+x)+z": merge(merge(y, x), z), "z+(x+y)": merge(z, merge(x, y)),
						"(z+y)+x": merge(merge(z, y), x), "y+(z+x)": merge(y, merge(z, x)),
					} {
						if !slices.Equal(got, want) {
							t.Fatalf("%s gives\n%x, want\n%x", name, got, want)
						}
					}
				})
			})
		}
	}
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func mustZone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

// TestDistinctLaws: the laws hold across the step from exact to estimated, and
// the estimate is within four standard errors.
func TestDistinctLaws(t *testing.T) {
	s := &statistic{agg: cx.Distinct}
	cell := func(from, to int) []byte {
		var c []byte
		for i := from; i < to; i++ {
			v, _ := sampleOf(fmt.Appendf(nil, "%q", fmt.Sprint("value ", i)))
			one := s.appendCell(nil, []sample{v}, stamp{})
			if c == nil {
				c = one
			} else {
				c = s.mergeCells(nil, c, one)
			}
		}
		return c
	}
	for _, test := range []struct{ a, b, c, want int }{
		{100, 200, 256, 256}, {100, 200, 257, 257}, {256, 300, 2000, 2000}, {200, 5000, 20000, 20000},
	} {
		x, y, z := cell(0, test.b), cell(test.a, test.c), cell(0, test.a)
		all := cell(0, test.c)
		left := s.mergeCells(nil, s.mergeCells(nil, x, y), z)
		right := s.mergeCells(nil, z, s.mergeCells(nil, y, x))
		if !slices.Equal(left, all) || !slices.Equal(right, all) {
			t.Errorf("%+v: merged states differ from the one that saw everything", test)
		}
		got := distinctCount(all)
		if tolerance := 4 * 0.023 * float64(test.want); test.want > exactDistinct && (got < float64(test.want)-tolerance || got > float64(test.want)+tolerance) {
			t.Errorf("%d different values read as %v", test.want, got)
		}
		if test.want <= exactDistinct && got != float64(test.want) {
			t.Errorf("%d different values read as %v, want exactly that", test.want, got)
		}
	}
}

// TestTopBeyondCap: beyond the cap, however the events are split and merged,
// merging is commutative, every true count lies within the stated error, and
// the error within its bound.
func TestTopBeyondCap(t *testing.T) {
	s := &statistic{agg: cx.TopN, n: 5}
	rapid.Check(t, func(t *rapid.T) {
		truth := make(map[string]uint64)
		var parts [3][]byte
		total := uint64(0)
		for range rapid.IntRange(100, 900).Draw(t, "events") {
			k := rapid.IntRange(0, 20).Draw(t, "a") * rapid.IntRange(0, 20).Draw(t, "b")
			v, _ := sampleOf(fmt.Appendf(nil, "%d", k))
			truth[string(v.appendScalar(nil))]++
			total++
			one := s.appendCell(nil, []sample{v}, stamp{})
			part := &parts[rapid.IntRange(0, 2).Draw(t, "part")]
			if *part == nil {
				*part = one
			} else {
				*part = s.mergeCells(nil, *part, one)
			}
		}
		var merged []byte
		for _, part := range parts {
			switch {
			case part == nil:
			case merged == nil:
				merged = part
			default:
				turned := s.mergeCells(nil, part, merged)
				if merged = s.mergeCells(nil, merged, part); !slices.Equal(merged, turned) {
					t.Fatal("a+b differs from b+a")
				}
			}
		}
		counters, err := readTop(nil, merged, 1000)
		if len(counters) > s.topCap() || err > total/uint64(s.topCap()+1) {
			t.Fatalf("%d counters with error %d of %d counts", len(counters), err, total)
		}
		seen := make(map[string]uint64)
		for _, c := range counters {
			seen[string(c.scalar)] = c.count
		}
		for v, n := range truth {
			if got := seen[v]; n < got || n > got+err {
				t.Fatalf("%x was counted %d times, the summary says %d to %d", v, n, got, got+err)
			}
		}
	})
}

// TestTopShrinks: 66 values, seen once to 66 times and told in this order, to a
// summary of 64 counters. The last two each push out the rarest and cost every
// counter there is one.
func TestTopShrinks(t *testing.T) {
	s := &statistic{agg: cx.TopN, n: 5}
	var all []byte
	for value := 1; value <= 66; value++ {
		one := appendUvarint(appendNumber([]byte{1, 0}, float64(value)), uint64(value))
		if all == nil {
			all = one
		} else {
			all = s.mergeCells(nil, all, one)
		}
	}
	top, err := readTop(nil, all, 100)
	if len(top) != 64 || err != 2 || top[0].count != 65 {
		t.Errorf("%d counters, error %d, largest count %d", len(top), err, top[0].count)
	}
}

// TestAmounts: every total has one encoding and comes back exactly.
func TestAmounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := cx.Sum{Hi: rapid.Int64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
		switch rapid.IntRange(0, 3).Draw(t, "size") {
		case 0:
			m := rapid.Int64().Draw(t, "micros")
			s = cx.Sum{}.Add(cx.Micros(m))
		case 1:
			s = cx.Sum{}.Add(cx.Micros(rapid.Int64Range(-1e9, 1e9).Draw(t, "cents") * perCent))
		}
		b := appendAmount(nil, s)
		got, n := amount(b, 0)
		if got != s || n != len(b) {
			t.Fatalf("%+v comes back as %+v after %d of %d bytes", s, got, n, len(b))
		}
	})
}
