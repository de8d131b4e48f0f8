package profile

import (
	"bytes"
	"slices"
)

// refold holds what an un-merge found against what a Refolding comes to that
// keeps some of the statistics only: those must be the same in everybody and in
// every later merge, byte for byte.
func (w *town) refold(fact *MergeFact, later []MergeFact, found *Unmerged) {
	w.t.Helper()
	few := NewPlan(w.plan.settings, w.few)
	reduce := func(state []byte) []byte {
		c, err := DecodeCustomer(state)
		if err != nil {
			w.t.Fatal(err)
		}
		w.folder.Drop(few, c)
		return AppendCustomer(nil, c)
	}
	reduced := func(f MergeFact) MergeFact {
		f.WinnerBefore, f.LoserBefore = reduce(f.WinnerBefore), reduce(f.LoserBefore)
		return f
	}
	own := reduced(*fact)
	var past []MergeFact
	for _, k := range found.Forget {
		i := slices.IndexFunc(later, func(f MergeFact) bool { return f.Key() == k })
		past = append(past, reduced(later[i]))
	}
	x, err := NewRefolding(few, &own, past, found)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range found.Sorted() {
		i := slices.IndexFunc(w.rows, func(r townRow) bool { return r.Position == e.Position })
		if err := x.Event(w.rows[i].ev, e.Position, w.rows[i].now); err != nil {
			w.t.Fatal(err)
		}
	}
	out, err := x.End()
	if err != nil {
		w.t.Fatal(err)
	}
	for i, p := range found.Parts {
		if want, got := reduce(AppendCustomer(nil, p.Customer)), AppendCustomer(nil, out.Parts[i].Customer); !bytes.Equal(want, got) {
			w.t.Fatalf("%s folded again:\n%x\nwant\n%x", p.Customer.ID, got, want)
		}
		if len(p.Customer.Stats) > 0 {
			w.refolded++
		}
	}
	if len(out.Facts) != len(found.Facts) {
		w.t.Fatalf("%d later merges, want %d", len(out.Facts), len(found.Facts))
	}
	for i, f := range found.Facts {
		want := reduced(f)
		if got := out.Facts[i]; !bytes.Equal(want.WinnerBefore, got.WinnerBefore) || !bytes.Equal(want.LoserBefore, got.LoserBefore) {
			w.t.Fatalf("the merge at %v folded again: %+v\nwant %+v", f.Position, got, want)
		}
	}
}

// fewOf returns every other of the specs.
func fewOf(specs []SlotSpec) (few []SlotSpec) {
	for i := 0; i < len(specs); i += 2 {
		few = append(few, specs[i])
	}
	return few
}
