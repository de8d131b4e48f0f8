package learn_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/learn"
)

func TestPropensity(t *testing.T) {
	for _, c := range []struct {
		name  string
		rate  learn.Rate
		prior cx.Prior
		want  cx.Propensity
	}{
		{"nobody was asked", learn.Rate{}, cx.Prior{}, 0.5},
		{"one silence", learn.Rate{Exposures: 1}, cx.Prior{}, 0.25},
		{"one response", learn.Rate{Exposures: 1, Responses: 1}, cx.Prior{}, 0.75},
		{"three of nine", learn.Rate{Exposures: 9, Responses: 3}, cx.Prior{}, 0.35},
		{"a prior alone", learn.Rate{}, cx.Prior{Mean: 0.1, Weight: 20}, 0.1},
		{"a prior outweighed", learn.Rate{Exposures: 180, Responses: 38}, cx.Prior{Mean: 0.1, Weight: 20}, 0.2},
		{"clicks whose exposure is lost", learn.Rate{Responses: 3}, cx.Prior{}, 0.875},
	} {
		if got := c.rate.Propensity(c.prior); math.Abs(float64(got-c.want)) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPropensityStaysInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := learn.Rate{Exposures: rapid.Uint64Range(0, 1e12).Draw(t, "exposures"), Responses: rapid.Uint64Range(0, 1e12).Draw(t, "responses")}
		prior := cx.Prior{Mean: rapid.Float64Range(0.001, 0.999).Draw(t, "mean"), Weight: rapid.Float64Range(0.01, 1e4).Draw(t, "weight")}
		p := r.Propensity(prior)
		if !(p > 0 && p < 1) {
			t.Fatalf("%+v with %+v: %v", r, prior, p)
		}
		more := learn.Rate{Exposures: r.Exposures + 1, Responses: r.Responses + 1}
		if r.Responses <= r.Exposures && more.Propensity(prior) < p {
			t.Fatalf("a response lowered the propensity of %+v", r)
		}
	})
}

// observation is one thing that a lane saw.
type observation struct {
	Key      learn.Key
	Response bool
	Lane     int
}

var observations = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) observation {
	return observation{
		Key: learn.Key{
			Workspace: rapid.SampledFrom([]cx.Workspace{"a", "b"}).Draw(t, "workspace"),
			Action:    rapid.SampledFrom([]string{"", "bar", "card", "b"}).Draw(t, "action"),
		},
		Response: rapid.Bool().Draw(t, "response"),
		Lane:     rapid.IntRange(0, 3).Draw(t, "lane"),
	}
}), 0, 60)

// folded folds observations, tick by tick, with every lane as spread puts it.
func folded(all []observation, ticks int, spread func(observation) int) *learn.Table {
	var table *learn.Table
	deltas := make([]*learn.Delta, 4)
	for i := range deltas {
		deltas[i] = new(learn.Delta)
	}
	for i, o := range all {
		d := deltas[spread(o)]
		if o.Response {
			d.Respond(o.Key.Workspace, o.Key.Action)
		} else {
			d.Expose(o.Key.Workspace, o.Key.Action)
		}
		if i%ticks == 0 {
			table = table.Fold(deltas...)
		}
	}
	return table.Fold(deltas...)
}

func TestFoldDependsOnNothingButTheCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := observations.Draw(t, "observations")
		want := folded(all, len(all)+1, func(observation) int { return 0 })
		got := folded(rapid.Permutation(all).Draw(t, "permuted"), rapid.IntRange(1, 9).Draw(t, "ticks"), func(o observation) int { return o.Lane })
		if diff := cmp.Diff(learn.AppendTable(nil, want), learn.AppendTable(nil, got)); diff != "" {
			t.Fatal(diff)
		}
		counts := map[learn.Key]learn.Rate{}
		for _, o := range all {
			r := learn.Rate{Exposures: 1}
			if o.Response {
				r = learn.Rate{Responses: 1}
			}
			counts[o.Key] = counts[o.Key].Plus(r)
		}
		if got.Len() != len(counts) {
			t.Fatalf("%d actions, want %d", got.Len(), len(counts))
		}
		got.Each(func(k learn.Key, r learn.Rate) {
			if counts[k] != r || got.Rate(k.Workspace, k.Action) != r {
				t.Fatalf("%v: %v, want %v", k, r, counts[k])
			}
		})
	})
}

func TestFoldEmptiesDeltasAndKeepsTheOldTable(t *testing.T) {
	var d learn.Delta
	d.Expose("shop", "bar")
	first := (*learn.Table)(nil).Fold(&d)
	if !d.Empty() {
		t.Fatal("the delta still holds what was folded")
	}
	if again := first.Fold(&d); again != first {
		t.Error("folding nothing made another table")
	}
	d.Expose("shop", "bar")
	d.Expose("shop", "bar")
	second := first.Fold(&d)
	if a, b := first.Rate("shop", "bar").Exposures, second.Rate("shop", "bar").Exposures; a != 1 || b != 3 {
		t.Errorf("exposures %d then %d, want 1 then 3", a, b)
	}
}

func TestCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := observations.Draw(t, "observations")
		want := learn.AppendTable(nil, folded(all, 7, func(o observation) int { return o.Lane }))
		table, err := learn.DecodeTable(want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, learn.AppendTable(nil, table)); diff != "" {
			t.Fatal(diff)
		}
		if n := len(want); n > 2 {
			if _, err := learn.DecodeTable(want[:rapid.IntRange(0, n-1).Draw(t, "cut")]); !errors.Is(err, cx.ErrCodec) {
				t.Fatalf("cut short: %v", err)
			}
		}
	})
}

func FuzzDecodeTable(f *testing.F) {
	var d learn.Delta
	d.Expose("shop", "bar")
	d.Respond("shop", "card")
	f.Add(learn.AppendTable(nil, (*learn.Table)(nil).Fold(&d)))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := learn.DecodeTable(b)
		if err != nil {
			return
		}
		if _, err := learn.DecodeTable(learn.AppendTable(nil, table)); err != nil {
			t.Fatal(err)
		}
	})
}

func ExampleTable_Fold() {
	var lane learn.Delta
	lane.Expose("shop", "free-shipping-bar")
	lane.Respond("shop", "free-shipping-bar")
	var frozen *learn.Table
	fmt.Println("before the tick:", frozen.Propensity("shop", "free-shipping-bar", cx.Prior{}))
	frozen = frozen.Fold(&lane)
	fmt.Println("after the tick: ", frozen.Propensity("shop", "free-shipping-bar", cx.Prior{}))
	// Output:
	// before the tick: 0.5
	// after the tick:  0.75
}

func BenchmarkPropensity(b *testing.B) {
	var d learn.Delta
	for i := range 100 {
		d.Expose("shop", fmt.Sprint("action-", i))
	}
	table := (*learn.Table)(nil).Fold(&d)
	b.ReportAllocs()
	for b.Loop() {
		table.Propensity("shop", "action-50", cx.Prior{})
	}
}

// TestFormatDoesNotChange holds what checkpoints keep: when it fails, the codec
// needs another version and has to read this one.
func TestFormatDoesNotChange(t *testing.T) {
	var d learn.Delta
	d.Expose("shop", "bar")
	for range 300 {
		d.Respond("a", "x")
	}
	const want = "01" + "02" + "0161" + "0178" + "00" + "ac02" + "0473686f70" + "03626172" + "01" + "00"
	if got := fmt.Sprintf("%x", learn.AppendTable(nil, (*learn.Table)(nil).Fold(&d))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
