package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// remembered is one value of one event, as the oracle keeps it.
type remembered struct {
	at      cx.Instant
	by      int // place in the log
	element int
	raw     string
}

// oracle works out a statistic from everything that happened since from, with
// the plain types of the standard library.
func oracle(a cx.Aggregate, n int, all []remembered, events []cx.Instant, from, until cx.Instant) string {
	in := func(t cx.Instant) bool { return t >= from && t < until }
	var kept []remembered
	for _, r := range all {
		if in(r.at) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(x, y remembered) int {
		return slices.Compare([]int64{int64(x.at), int64(x.by), int64(x.element)}, []int64{int64(y.at), int64(y.by), int64(y.element)})
	})
	switch a {
	case cx.Count, cx.LastTime:
		count, last := 0, cx.Instant(0)
		for _, t := range events {
			if in(t) {
				count, last = count+1, max(last, t)
			}
		}
		if a == cx.Count {
			return fmt.Sprint(count)
		}
		return cx.TimeValue(last).String()
	case cx.Distinct:
		set := make(map[string]bool)
		for _, r := range kept {
			set[r.raw] = true
		}
		return fmt.Sprint(len(set))
	case cx.SumOf, cx.Min, cx.Max, cx.Avg:
		return oracleNumber(a, kept)
	default:
		if len(kept) == 0 {
			return "missing"
		}
	}
	switch a {
	case cx.First:
		return kept[0].raw
	case cx.Last:
		return kept[len(kept)-1].raw
	default:
		return oracleList(a, n, kept)
	}
}

func oracleNumber(a cx.Aggregate, kept []remembered) string {
	sum, low, high, n := new(big.Rat), math.Inf(1), math.Inf(-1), 0
	for _, r := range kept {
		if v, ok := new(big.Rat).SetString(r.raw); ok {
			f, _ := v.Float64()
			sum.Add(sum, v)
			low, high, n = min(low, f), max(high, f), n+1
		}
	}
	total, _ := sum.Float64()
	switch {
	case a == cx.SumOf:
		return cx.NumberValue(total).String()
	case n == 0:
		return "missing"
	case a == cx.Min:
		return cx.NumberValue(low).String()
	case a == cx.Max:
		return cx.NumberValue(high).String()
	}
	return cx.NumberValue(total / float64(n)).String()
}

func oracleList(a cx.Aggregate, n int, kept []remembered) string {
	var order []string
	counts := make(map[string]int)
	for _, k := range slices.Backward(kept) {
		if counts[k.raw]++; counts[k.raw] == 1 {
			order = append(order, k.raw)
		}
	}
	if a == cx.TopN {
		slices.SortStableFunc(order, func(x, y string) int { return counts[y] - counts[x] })
	}
	return "[" + strings.Join(order[:min(n, len(order))], ",") + "]"
}

// windowOf is the exact span that a window covers at now; for a sliding one the
// span of its buckets.
func windowOf(w cx.Window, now cx.Instant, zone *time.Location) (from, until cx.Instant) {
	local := now.Time().In(zone)
	y, m, d := local.Date()
	switch w.Kind {
	case cx.Sliding:
		length := cx.Instant(w.Length / time.Microsecond)
		width := length / 64
		return (now - length) / width * width, latest
	case cx.CalendarDay:
	case cx.CalendarWeek:
		d -= (int(local.Weekday()) + 6) % 7
	case cx.CalendarMonth:
		d = 1
	default:
		return earliest, latest
	}
	return cx.InstantOf(time.Date(y, m, d, 0, 0, 0, 0, zone)), latest
}

// TestValuesAgainstHistory: every aggregate over every window that needs no
// session reads what the whole history gives, whatever came late; and between
// now and NextChange no value changes by itself.
func TestValuesAgainstHistory(t *testing.T) {
	zone := mustZone(t, "Europe/Paris")
	var specs []SlotSpec
	for _, s := range everySpec() {
		if k := s.Spec.Window.Kind; k != cx.Session && k != cx.PreviousSession {
			specs = append(specs, s)
		}
	}
	p := NewPlan(Settings{Zone: zone}, specs)
	rapid.Check(t, func(t *rapid.T) {
		var f Folder
		c := &cx.Customer{ID: 1}
		var all []remembered
		var events []cx.Instant
		now := cx.InstantOf(time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC)) // the night before clocks change
		for i := range rapid.IntRange(1, 25).Draw(t, "events") {
			now += cx.Instant(rapid.SampledFrom([]int64{0, 1, 20, 60, 3600, 40_000, 200_000}).Draw(t, "pause")) * cx.Second
			at := now - cx.Instant(rapid.SampledFrom([]int64{0, 0, 3, 400, 90_000}).Draw(t, "late"))*cx.Second
			raws := rapid.SliceOfN(rapid.SampledFrom([]string{`1`, `0.25`, `-7`, `"a"`, `"b"`, `true`}), 1, 2).Draw(t, "values")
			for k, raw := range raws {
				all = append(all, remembered{at, i, k, raw})
			}
			events = append(events, at)
			body := fmt.Appendf(nil, `{"v":[%s]}`, strings.Join(raws, ","))
			f.Apply(p, c, &cx.Event{Key: "k", MessageID: fmt.Sprint(i), Type: cx.Track, Time: at, Properties: body}, cx.At(uint64(i+1), 0), now, nil)
		}
		now += cx.Instant(rapid.Int64Range(0, 40*24*3600).Draw(t, "wait")) * cx.Second
		for _, s := range specs {
			from, until := windowOf(s.Spec.Window, now, zone)
			got := read(&f, p, c, s.Slot, now)
			if s.Spec.Aggregate == cx.TopN || s.Spec.Aggregate == cx.RecentN {
				if !sameList(s.Spec, got, all, from, until) {
					t.Fatalf("%v at %v is %s of %+v", s.Spec, now, got, all)
				}
			} else if want := oracle(s.Spec.Aggregate, s.Spec.N, all, events, from, until); got != want {
				t.Fatalf("%v at %v is %s, want %s of %+v", s.Spec, now, got, want, all)
			}
			next, ok := f.NextChange(p, c, s.Slot, now)
			if unread, has := new(Folder).NextChange(p, c, s.Slot, now); unread != next || has != ok {
				t.Fatalf("%v changes at %v once it was read, at %v otherwise", s.Spec, next, unread)
			}
			if ok && next <= now {
				t.Fatalf("%v changes at %v, before %v", s.Spec, next, now)
			}
			if !ok {
				next = now + 1000*cx.Day
			}
			if still := read(&f, p, c, s.Slot, next-1); still != got {
				t.Fatalf("%v changes from %s to %s before %v", s.Spec, got, still, next)
			}
			if s.Spec.Aggregate == cx.Count && ok && read(&f, p, c, s.Slot, next) == got {
				t.Fatalf("%v is still %s at %v", s.Spec, got, next)
			}
		}
	})
}

func read(f *Folder, p *Plan, c *cx.Customer, slot int, now cx.Instant) string {
	return strings.Clone(f.View(p, c, now).Value(slot).String())
}

// sameList compares a list with the oracle's, up to the order among equals.
func sameList(s cx.StatisticSpec, got string, all []remembered, from, until cx.Instant) bool {
	want := oracle(s.Aggregate, s.N, all, nil, from, until)
	if got == want || got == "missing" || want == "missing" {
		return got == want
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(got), &list) != nil {
		return false
	}
	rank := make(map[string]float64)
	for _, r := range all {
		if r.at < from || r.at >= until {
			continue
		}
		if s.Aggregate == cx.TopN {
			rank[r.raw]++
		} else {
			rank[r.raw] = max(rank[r.raw], float64(r.at-morning)*1000+float64(r.by))
		}
	}
	var best []float64
	for _, v := range rank { // order does not matter: sorted next
		best = append(best, v)
	}
	slices.Sort(best)
	slices.Reverse(best)
	if len(list) != min(s.N, len(best)) {
		return false
	}
	for i, v := range list {
		if rank[string(v)] != best[i] {
			return false
		}
	}
	return true
}

// TestSlidingError: a sliding count never misses what happened within the
// window, and counts nothing older than the window and a sixty-fourth of it.
func TestSlidingError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.Int64Range(60, 3*366*24*3600).Draw(t, "length")) * time.Second
		spec := cx.StatisticSpec{Aggregate: cx.Count, Window: cx.Window{Kind: cx.Sliding, Length: length}}
		p := NewPlan(Settings{}, []SlotSpec{{Spec: spec}})
		var f Folder
		c, now := &cx.Customer{ID: 1}, morning
		var times []cx.Instant
		span := cx.Instant(length / time.Microsecond)
		for i := range rapid.IntRange(1, 60).Draw(t, "events") {
			now += cx.Instant(rapid.Int64Range(0, int64(span/20)).Draw(t, "pause"))
			times = append(times, now)
			f.Apply(p, c, &cx.Event{Key: "k", MessageID: fmt.Sprint(i), Type: cx.Track, Time: now}, cx.Position(i), now, nil)
		}
		now += cx.Instant(rapid.Int64Range(0, int64(span*2)).Draw(t, "wait"))
		least, most := 0, 0
		for _, at := range times {
			if at >= now-span {
				least++
			}
			if at >= now-span-span/64 {
				most++
			}
		}
		if got := f.View(p, c, now).Value(0).Float(); got < float64(least) || got > float64(most) {
			t.Fatalf("%v reads %v, want %d to %d", spec, got, least, most)
		}
	})
}

// TestSlidingEdge: an event is forgotten when its bucket has left the window, no
// matter whether a newer event has been folded since.
func TestSlidingEdge(t *testing.T) {
	spec := parseSpec(t, `count("*", "64m")`) // buckets of a minute
	first := morning + 10*cx.Second
	for after := 62 * cx.Minute; after <= 66*cx.Minute; after += 10 * cx.Second {
		l := newLane(Settings{}, SlotSpec{Spec: spec})
		l.apply(cx.Event{Time: first}, first)
		l.apply(cx.Event{Time: first + after}, first+after)
		want := 1.0
		if morning+cx.Minute > first+after-64*cx.Minute {
			want = 2
		}
		if got := l.f.View(l.p, l.c, first+after).Value(0).Float(); got != want {
			t.Errorf("after %v the window holds %v events, want %v", (first + after).Sub(first), got, want)
		}
	}
}

// TestTop: the most frequent values with their counts, over the window only.
func TestTop(t *testing.T) {
	l := newLane(Settings{}, SlotSpec{Slot: 4, Spec: parseSpec(t, `top("*", "v", 2, "1h")`)})
	for i, v := range []string{`"old"`, `"old"`, `"old"`, `2`, `"b"`, `2`, `"b"`, `2`, `"c"`} {
		now := morning + cx.Instant(i)*cx.Second
		if i > 2 {
			now += 2 * cx.Hour
		}
		l.apply(cx.Event{Time: now, Properties: fmt.Appendf(nil, `{"v":%s}`, v)}, now)
	}
	got, err := l.f.Top(l.p, l.c, 4, l.c.LastSeen)
	if len(got) != 2 || err != 0 || got[0] != (TopValue{cx.NumberValue(2), 3}) || got[1].Value.Str() != "b" || got[1].Count != 2 {
		t.Errorf("the top is %v with error %d", got, err)
	}
	if got, _ := l.f.Top(l.p, l.c, 4, l.c.LastSeen+cx.Day); got != nil {
		t.Errorf("a day later the top is %v", got)
	}
}

// TestColumns: which values a field, or a product of two, has.
func TestColumns(t *testing.T) {
	const body = `{"a": 2, "s": "x", "n": null, "list": [1, 2], "in": {"a": 3},
		"p": [{"price": 10, "count": 2, "tags": ["t", "u"]}, {"price": 0.5}, {"price": 3, "count": 3}, "odd", [7]],
		"q": [{"count": 5}, {"count": 5}, {"count": 5}, {"count": 5}, {"count": 5}], "big": 9000000000000}`
	for _, test := range []struct{ field, times, want string }{
		{"a", "", "2"},
		{"in.a", "", "3"},
		{"in", "", ""},
		{"n", "", ""},
		{"none", "", ""},
		{"s", "", `"x"`},
		{"list", "", "1 2"},
		{"p.price", "", "10 0.5 3"},
		{"p.tags", "", `"t" "u"`},
		{"list.a", "", ""},
		{"a", "in.a", "6"},
		{"a", "s", ""},
		{"a", "none", ""},
		{"p.price", "p.count", "20 9"},
		{"p.price", "a", "20 1 6"},
		{"a", "p.price", "20 1 6"},
		{"p.price", "q.count", ""},
		{"list", "list", "1 4"},
		{"big", "big", ""},
	} {
		f := Folder{fields: cx.ParseFields(nil, []byte(body))}
		c := column{field: cx.PathParts(test.field)}
		if test.times != "" {
			c.times = cx.PathParts(test.times)
		}
		var got []string
		for _, s := range f.readColumn(nil, &c) {
			got = append(got, string(appendScalarJSON(nil, s.appendScalar(nil))))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s * %s has values %v, want %s", test.field, test.times, got, test.want)
		}
	}
}

// FuzzColumn: whatever valid JSON an event carries, a column reads from it what
// a plain reading of the document gives.
func FuzzColumn(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, `{"a":[1,2,"x",null,{"b":3}]}`, `{"a":{"b":[{"c":1},{"c":2},{}]}}`, `{"a":[{"b":{"c":5}},[{"b":1}]]}`, `{"a":[{"b":[{"c":1},2]}]}`, `[]`, `{"a":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) || bytes.ContainsRune(b, '\\') {
			return
		}
		var doc any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if d.Decode(&doc) != nil {
			return
		}
		if _, ok := doc.(map[string]any); !ok {
			return
		}
		for _, path := range []string{"a", "a.b", "a.b.c"} {
			fd := Folder{fields: cx.ParseFields(nil, b)}
			got := 0
			for _, s := range fd.readColumn(nil, &column{field: cx.PathParts(path)}) {
				if len(s.appendScalar(nil)) == 0 {
					t.Errorf("%s of %s has a value without a form", path, b)
				}
				got++
			}
			if want := plain(doc, cx.PathParts(path), false); got != want {
				t.Errorf("%s of %s has %d values, want %d", path, b, got, want)
			}
		}
	})
}

// plain counts the scalars at path.
func plain(v any, path []string, element bool) (n int) {
	if list, ok := v.([]any); ok {
		if element {
			return 0 // an array inside an array
		}
		for _, e := range list {
			n += plain(e, path, true)
		}
		return n
	}
	if len(path) > 0 {
		m, ok := v.(map[string]any)
		if !ok {
			return 0
		}
		return plain(m[path[0]], path[1:], false)
	}
	switch v := v.(type) {
	case json.Number:
		if _, err := v.Float64(); err != nil {
			return 0
		}
		return 1
	case string, bool:
		return 1
	}
	return 0
}
