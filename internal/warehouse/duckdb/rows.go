package duckdb

import (
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// write appends every row of b, table by table. The values stand in the order
// of the columns in migrations.
func (f *feed) write(b *pipeline.Batch) error {
	for _, write := range []func() error{
		func() error { return appendRows(f, "events", 24, b.Events, writeEvent) },
		func() error { return appendRows(f, "decisions", 11, b.Decisions, writeDecision) },
		func() error { return appendRows(f, "exposures", 11, b.Exposures, writeExposure) },
		func() error { return appendRows(f, "moves", 7, steps(b.Moves), writeStep) },
		func() error { return appendRows(f, "merges", 9, b.Merges, writeMerge) },
		func() error { return appendRows(f, "deliveries", 13, b.Deliveries, writeDelivery) },
		func() error { return f.resort(b.Resorted) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

func appendRows[R any](f *feed, name string, columns int, rows []R, write func(*table, *R)) error {
	if len(rows) == 0 {
		return nil
	}
	t, err := openTable(f, name, columns)
	if err != nil {
		return err
	}
	for i := range rows {
		t.row()
		write(t, &rows[i])
	}
	return t.close()
}

// customer writes the text and the number of id. Rows of one customer often
// stand together and share the text.
func (t *table) customer(id cx.CustomerID) {
	if id != t.last || !t.named {
		t.last, t.named = id, true
		t.scratch = id.Append(t.scratch[:0])
		t.called = t.point(unsafe.String(unsafe.SliceData(t.scratch), len(t.scratch)))
	}
	t.again(t.called)
	t.uint64(uint64(id))
}

// decision writes the text of id.
func (t *table) decision(id cx.DecisionID) {
	t.scratch = id.Append(t.scratch[:0])
	t.blob(t.scratch)
}

func writeEvent(t *table, r *pipeline.EventRow) {
	e := r.Event
	t.uint64(uint64(r.Position))
	t.text(string(e.Workspace))
	t.customer(r.Customer)
	t.time(r.At)
	t.time(e.Time)
	t.time(e.ReceivedAt)
	t.time(e.Original)
	t.uint8(uint8(e.Type))
	t.text(string(e.Name))
	t.uint32(r.Session)
	t.bool(r.Late)
	t.uint16(uint16(e.Flags))
	t.text(string(e.Key))
	t.uint8(uint8(e.KeyKind))
	t.text(e.MessageID)
	t.maybe(e.AnonymousID)
	t.maybe(e.UserID)
	t.maybe(e.GroupID)
	t.maybe(e.PreviousID)
	t.maybe(e.Locale)
	t.json(e.Consent)
	t.json(e.Properties)
	t.json(e.Context)
}

func writeDecision(t *table, r *pipeline.DecisionRow) {
	t.uint64(uint64(r.Position))
	t.text(string(r.Workspace))
	t.customer(r.Customer)
	t.time(r.At)
	t.decision(r.ID)
	t.text(string(r.Event))
	t.uint64(r.Definitions)
	t.scratch = appendWinners(t.scratch[:0], r.Winners)
	t.blob(t.scratch)
	t.blob(r.Trace)
	t.blob(r.Input)
}

// appendWinners writes the treatments as the JSON array that the column holds. A
// content that is not JSON, which would spoil the whole column, is left out.
func appendWinners(dst []byte, ts []cx.Treatment) []byte {
	dst = append(dst, '[')
	for i, t := range ts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, `{"action":`, t.Action)
		dst = appendMember(dst, `,"place":`, t.Place)
		dst = appendMember(dst, `,"channel":`, string(t.Channel))
		if jsontext.Value(t.Content).IsValid() {
			dst = append(append(dst, `,"content":`...), t.Content...)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendMember writes what stands before a text and the text, of which bytes that
// are not UTF-8 become U+FFFD.
func appendMember(dst []byte, before, text string) []byte {
	dst, _ = jsontext.AppendQuote(append(dst, before...), text)
	return dst
}

func writeExposure(t *table, r *pipeline.ExposureRow) {
	t.uint64(uint64(r.Position))
	t.text(string(r.Workspace))
	t.customer(r.Customer)
	t.time(r.At)
	t.decision(r.Decision)
	t.text(r.Action)
	t.text(r.Place)
	t.uint8(uint8(r.Fate))
	t.bool(r.Exposed)
	t.bool(r.Responded)
}

// steps cuts moves into those of one customer at one position each, which
// stand together.
func steps(moves []pipeline.SegmentRow) (out [][]pipeline.SegmentRow) {
	for len(moves) > 0 {
		n := 1
		for n < len(moves) && sameStep(&moves[0], &moves[n]) {
			n++
		}
		out = append(out, moves[:n:n])
		moves = moves[n:]
	}
	return out
}

func sameStep(a, b *pipeline.SegmentRow) bool {
	return a.Position == b.Position && a.Customer == b.Customer && a.ByTime == b.ByTime && a.Workspace == b.Workspace
}

func writeStep(t *table, moves *[]pipeline.SegmentRow) {
	r := &(*moves)[0]
	t.uint64(uint64(r.Position))
	t.text(string(r.Workspace))
	t.customer(r.Customer)
	t.time(r.At)
	t.bool(r.ByTime)
	t.scratch = t.scratch[:0]
	for i, m := range *moves {
		if i > 0 {
			t.scratch = append(t.scratch, ',')
		}
		sign := byte('-')
		if m.Entered {
			sign = '+'
		}
		t.scratch = append(append(t.scratch, sign), m.Segment...)
	}
	t.text(unsafe.String(unsafe.SliceData(t.scratch), len(t.scratch)))
}

func writeMerge(t *table, r *pipeline.MergeRow) {
	t.uint64(uint64(r.Position))
	t.text(string(r.Workspace))
	t.customer(r.Winner)
	t.customer(r.Loser)
	t.time(r.At)
	t.text(r.Reason)
	if r.Undoes == 0 {
		t.null()
	} else {
		t.uint64(uint64(r.Undoes))
	}
}

func writeDelivery(t *table, r *pipeline.DeliveryRow) {
	t.uint64(uint64(r.Position))
	t.text(string(r.Workspace))
	t.customer(r.Customer)
	t.time(r.At)
	t.scratch = r.Key.Append(t.scratch[:0])
	t.blob(t.scratch)
	t.decision(r.Decision)
	t.text(r.Action)
	t.text(string(r.Channel))
	t.text(r.Destination)
	t.uint8(uint8(r.State))
	t.uint32(r.Attempts)
	t.maybe(r.Reason)
}
