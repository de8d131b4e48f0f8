package profile

import (
	"encoding/binary"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// A line of the ledger is encoded as a byte that says what it has, the decision,
// the notice, the state, the time since the line before and what else it has:
// times from its own, and the session from the line before.
//
// A notice that an earlier line has too is the number of that line from 1;
// otherwise it is a 0 and its names.
const (
	lineShown byte = 1 << iota
	lineEnds
	lineSaid
)

func appendLedger(dst []byte, ledger []cx.Attention) []byte {
	dst = appendUvarint(dst, uint64(len(ledger)))
	var before cx.Attention
	for i := range ledger {
		a := &ledger[i]
		dst = append(dst, lineHas(a))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(a.Decision))
		dst = appendNotice(dst, ledger, i)
		dst = appendTime(append(dst, byte(a.State)), a.At-before.At)
		dst = appendVarint(dst, int64(a.Session)-int64(before.Session))
		if a.ShownAt != 0 {
			dst = appendTime(dst, a.ShownAt-a.At)
		}
		if a.End != 0 {
			dst = appendTime(dst, a.End-a.At)
		}
		if a.Said != nil {
			dst = binary.LittleEndian.AppendUint64(dst, a.Said.Message)
			dst = appendString(dst, alias(a.Said.Content))
		}
		before = *a
	}
	return dst
}

func lineHas(a *cx.Attention) (has byte) {
	if a.ShownAt != 0 {
		has |= lineShown
	}
	if a.End != 0 {
		has |= lineEnds
	}
	if a.Said != nil {
		has |= lineSaid
	}
	return has
}

func appendNotice(dst []byte, ledger []cx.Attention, i int) []byte {
	n := ledger[i].Notice
	if first := firstWith(ledger, n); first < i {
		return appendUvarint(dst, uint64(first)+1)
	}
	return appendString(appendString(appendString(append(dst, 0), n.Action()), n.Place()), string(n.Channel()))
}

// firstWith returns the first line that has the notice.
func firstWith(ledger []cx.Attention, n cx.Notice) int {
	return slices.IndexFunc(ledger, func(a cx.Attention) bool { return a.Notice == n })
}

func (d *decoder) ledger() []cx.Attention {
	out := list[cx.Attention](d, 13)
	var before cx.Attention
	for i := range out {
		a, has := &out[i], d.byte()
		a.Decision, a.Notice = cx.DecisionID(d.word()), d.notice(out[:i])
		a.State, a.At = cx.AttentionState(d.byte()), before.At+d.time()
		a.Session = d.next(before.Session)
		if has&lineShown != 0 {
			a.ShownAt = a.At + d.time()
		}
		if has&lineEnds != 0 {
			a.End = a.At + d.time()
		}
		if has&lineSaid != 0 {
			a.Said = &cx.Said{Message: d.word(), Content: d.bytes()}
		}
		if lineHas(a) != has {
			d.fail()
		}
		before = *a
	}
	return out
}

func (d *decoder) notice(ledger []cx.Attention) cx.Notice {
	first := d.uint()
	if first > uint64(len(ledger)) {
		d.fail()
		return cx.Notice{}
	}
	var n cx.Notice
	if first == 0 {
		n = cx.NewNotice(alias(d.piece()), alias(d.piece()), cx.Channel(alias(d.piece())))
	} else {
		n = ledger[first-1].Notice
	}
	if firstWith(ledger, n) != int(first)-1 {
		d.fail() // it could have been written otherwise
	}
	return n
}

// next reads the difference to a number of 32 bits.
func (d *decoder) next(before uint32) uint32 {
	difference := d.int()
	n := int64(before) + difference
	if n < 0 || n > 1<<32-1 {
		d.fail()
		return 0
	}
	return uint32(n)
}
