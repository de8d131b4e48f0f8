package duckdb

import "time"

// pace tells whether appending keeps up at low priority. On a machine whose
// processors are all busy a thread of low priority gets a few hundredths of one,
// and rows would pile up until the machine stands still.
type pace struct {
	began time.Time     // of the last append
	took  time.Duration // the last append
}

// begin notes that an append begins at now and reports whether it should hurry:
// whether the one before took more than half of the time since it began.
func (p *pace) begin(now time.Time) (hurry bool) {
	hurry = 2*p.took > now.Sub(p.began)
	p.began = now
	return hurry
}

// end notes that the append has ended at now.
func (p *pace) end(now time.Time) { p.took = now.Sub(p.began) }
