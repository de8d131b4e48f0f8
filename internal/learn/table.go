package learn

import (
	"sort"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Table is the frozen state of all rates. It never changes once made, so any
// number of lanes may read it at once. The nil Table knows nothing yet.
type Table struct {
	rows  []row // by key
	index map[Key]int
}

type row struct {
	key  Key
	rate Rate
}

// Rate returns the counts of one action, zero when it was never seen.
func (t *Table) Rate(w cx.Workspace, action string) Rate {
	if t == nil {
		return Rate{}
	}
	i, ok := t.index[Key{w, action}]
	if !ok {
		return Rate{}
	}
	return t.rows[i].rate
}

// Propensity returns the smoothed response rate of one action; see
// Rate.Propensity.
func (t *Table) Propensity(w cx.Workspace, action string, prior cx.Prior) cx.Propensity {
	return t.Rate(w, action).Propensity(prior)
}

// Len returns how many actions the table knows.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.rows)
}

// Each calls found with every rate, by workspace and then action.
func (t *Table) Each(found func(Key, Rate)) {
	if t == nil {
		return
	}
	for _, r := range t.rows {
		found(r.key, r.rate)
	}
}

// Fold returns the table with all deltas added and empties them. The result
// does not depend on how observations were spread over the deltas. When there
// is nothing to add it returns t itself.
func (t *Table) Fold(deltas ...*Delta) *Table {
	var rows []row
	for _, d := range deltas {
		for _, k := range d.order {
			rows = append(rows, row{k, *d.rates[k]})
		}
		d.reset()
	}
	if len(rows) == 0 && t != nil {
		return t
	}
	if t != nil {
		rows = append(rows, t.rows...)
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].key.less(rows[j].key) })
	return newTable(joined(rows))
}

// joined adds up neighbours with the same key, in place.
func joined(rows []row) []row {
	out := rows[:0]
	for _, r := range rows {
		if n := len(out); n > 0 && out[n-1].key == r.key {
			out[n-1].rate = out[n-1].rate.Plus(r.rate)
			continue
		}
		out = append(out, r)
	}
	return out
}

// newTable takes rows that are sorted and have different keys.
func newTable(rows []row) *Table {
	t := &Table{rows: rows, index: make(map[Key]int, len(rows))}
	for i, r := range rows {
		t.index[r.key] = i
	}
	return t
}

// Delta is what one lane has observed since the last tick. The zero Delta is
// empty and ready to use; it belongs to one lane.
type Delta struct {
	rates map[Key]*Rate
	order []Key // in order of first observation
}

// Expose counts that an action was seen by someone for the first time.
func (d *Delta) Expose(w cx.Workspace, action string) { d.rate(w, action).Exposures++ }

// Respond counts that someone responded to an action for the first time.
func (d *Delta) Respond(w cx.Workspace, action string) { d.rate(w, action).Responses++ }

// Empty reports whether nothing was observed.
func (d *Delta) Empty() bool { return len(d.order) == 0 }

func (d *Delta) rate(w cx.Workspace, action string) *Rate {
	k := Key{w, action}
	if r := d.rates[k]; r != nil {
		return r
	}
	if d.rates == nil {
		d.rates = make(map[Key]*Rate)
	}
	k = Key{cx.Workspace(strings.Clone(string(w))), strings.Clone(action)} // a caller's text may be part of a record
	r := new(Rate)
	d.rates[k] = r
	d.order = append(d.order, k)
	return r
}

func (d *Delta) reset() {
	clear(d.rates)
	d.order = d.order[:0]
}
