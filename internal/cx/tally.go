package cx

// Tally is what remains of the ledger's lines on one action once they have been
// dropped, so that caps and cool-downs stay exact with a bounded ledger. The
// action "" gathers what was dropped for want of room.
type Tally struct {
	Action      string
	Total       uint32  // lines dropped that counted towards caps
	Session     uint32  // the latest session among them, by Visit.Number
	InSession   uint32  // lines of that session
	Day         Instant // the latest calendar day among them, by its start
	InDay       uint32  // lines of that day
	DismissedAt Instant // latest dismissal, 0 for none
}

// Plus returns the tally of the lines of both t and o, which speak of the same
// action. It is commutative and associative.
func (t Tally) Plus(o Tally) Tally {
	t.Total += o.Total
	t.Session, t.InSession = addLatest(t.Session, t.InSession, o.Session, o.InSession)
	t.Day, t.InDay = addLatest(t.Day, t.InDay, o.Day, o.InDay)
	t.DismissedAt = max(t.DismissedAt, o.DismissedAt)
	return t
}

// addLatest adds counts of the same period, or keeps that of the later one.
func addLatest[P uint32 | Instant](p P, n uint32, q P, m uint32) (P, uint32) {
	switch {
	case p == q:
		return p, n + m
	case p > q:
		return p, n
	}
	return q, m
}

// MergeTallies joins two lists sorted by action into a new one.
func MergeTallies(a, b []Tally) []Tally {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := make([]Tally, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Action < b[0].Action:
			out, a = append(out, a[0]), a[1:]
		case a[0].Action > b[0].Action:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0].Plus(b[0])), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
