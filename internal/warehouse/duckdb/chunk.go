package duckdb

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kikubari/kikubari/internal/cx"
)

// table appends rows to one table inside the transaction of its connection.
// Values are written straight into DuckDB's column vectors: a call into C for
// each text, as the driver's own appender makes, costs more than all the rest.
//
// A row is begun with row and then given one value a column, in the table's
// order.
type table struct {
	name     string
	appender mapping.Appender
	types    []mapping.LogicalType
	chunk    mapping.DataChunk
	columns  []column
	texts    *texts
	heavy    func(func() error) error // runs what takes DuckDB long

	capacity int
	rows     int // in the chunk, the one being written included
	next     int // column that the next value belongs to
	failure  error

	last    cx.CustomerID // whose text is called
	named   bool          // whether called is a text of this chunk
	called  cell
	scratch []byte
}

// column is where one vector of the chunk keeps its values and its null mask.
type column struct {
	data unsafe.Pointer
	mask unsafe.Pointer
}

// openTable begins to append to schema "store"'s table called name. The feed is
// lent until close.
func openTable(f *feed, name string, columns int) (*table, error) {
	t := &table{name: name, texts: &f.texts, heavy: f.heavy, capacity: int(mapping.VectorSize()), next: columns}
	if mapping.AppenderCreateExt(f.conn, "", "store", name, &t.appender) == mapping.StateError {
		err := fmt.Errorf("append to %s: %s", name, mapping.AppenderError(t.appender))
		mapping.AppenderDestroy(&t.appender)
		return nil, err
	}
	count := int(mapping.AppenderColumnCount(t.appender))
	if count != columns {
		mapping.AppenderDestroy(&t.appender)
		return nil, fmt.Errorf("append to %s: the table has %d columns, this program writes %d", name, count, columns)
	}
	for i := range count {
		t.types = append(t.types, mapping.AppenderColumnType(t.appender, mapping.IdxT(i)))
	}
	t.chunk = mapping.CreateDataChunk(t.types)
	t.columns = make([]column, count)
	t.aim()
	return t, nil
}

// aim finds the vectors of an empty chunk.
func (t *table) aim() {
	for i := range t.columns {
		v := mapping.DataChunkGetVector(t.chunk, mapping.IdxT(i))
		mapping.VectorEnsureValidityWritable(v)
		t.columns[i] = column{data: mapping.VectorGetData(v), mask: mapping.VectorGetValidity(v)}
	}
	t.rows = 0
	t.named = false
	t.texts.reset()
}

// row begins the next row.
func (t *table) row() {
	if t.next != len(t.columns) {
		panic(fmt.Sprintf("duckdb: a row of %s was given %d of its %d values", t.name, t.next, len(t.columns)))
	}
	if t.rows == t.capacity {
		t.hand()
	}
	t.rows++
	t.next = 0
}

// hand gives the chunk to DuckDB, which copies it.
func (t *table) hand() {
	if t.rows == 0 || t.failure != nil {
		t.rows = 0
		return
	}
	mapping.DataChunkSetSize(t.chunk, mapping.IdxT(t.rows))
	t.failure = t.heavy(func() error {
		if mapping.AppendDataChunk(t.appender, t.chunk) == mapping.StateError {
			return fmt.Errorf("append to %s: %s", t.name, mapping.AppenderError(t.appender))
		}
		return nil
	})
	runtime.KeepAlive(t.texts)
	mapping.DataChunkReset(t.chunk)
	t.aim()
}

// close hands over what is left and makes all rows part of the transaction. It
// must be called once, and tells of any earlier failure too.
func (t *table) close() error {
	t.hand()
	if t.failure == nil {
		t.failure = t.heavy(func() error {
			if mapping.AppenderFlush(t.appender) == mapping.StateError {
				return fmt.Errorf("append to %s: %s", t.name, mapping.AppenderError(t.appender))
			}
			return nil
		})
	}
	if t.failure != nil {
		mapping.AppenderClear(t.appender)
	}
	mapping.AppenderDestroy(&t.appender)
	mapping.DestroyDataChunk(&t.chunk)
	for i := range t.types {
		mapping.DestroyLogicalType(&t.types[i])
	}
	return t.failure
}

// at returns the address of the next value, of size bytes.
func (t *table) at(size int) unsafe.Pointer {
	p := unsafe.Add(t.columns[t.next].data, (t.rows-1)*size)
	t.next++
	return p
}

func (t *table) null() {
	row := t.rows - 1
	word := (*uint64)(unsafe.Add(t.columns[t.next].mask, row/64*8))
	*word &^= 1 << (row % 64)
	t.next++
}

func (t *table) uint64(v uint64) { *(*uint64)(t.at(8)) = v }
func (t *table) uint32(v uint32) { *(*uint32)(t.at(4)) = v }
func (t *table) uint16(v uint16) { *(*uint16)(t.at(2)) = v }
func (t *table) uint8(v uint8)   { *(*uint8)(t.at(1)) = v }
func (t *table) bool(v bool)     { *(*bool)(t.at(1)) = v }

// time writes a timestamp; the zero Instant is NULL.
func (t *table) time(v cx.Instant) {
	if v == 0 {
		t.null()
		return
	}
	*(*int64)(t.at(8)) = int64(v)
}

// text writes s. Bytes that are not UTF-8, which DuckDB must never see, become
// U+FFFD.
func (t *table) text(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	t.bytes(s)
}

// maybe writes s, NULL when it is empty.
func (t *table) maybe(s string) {
	if s == "" {
		t.null()
		return
	}
	t.text(s)
}

// json writes raw JSON, NULL when there is none.
func (t *table) json(raw []byte) { t.maybe(unsafe.String(unsafe.SliceData(raw), len(raw))) }

// blob writes b as it is.
func (t *table) blob(b []byte) { t.bytes(unsafe.String(unsafe.SliceData(b), len(b))) }

// inlined is how many bytes of a text stand in the vector itself.
const inlined = 12

func (t *table) bytes(s string) { t.again(t.point(s)) }

// cell is a duckdb_string_t: the length, then either the bytes or the first four
// of them and a pointer to all.
type cell struct {
	length uint32
	head   [4]byte
	rest   [8]byte
}

// point makes s a cell that is valid as long as the chunk.
func (t *table) point(s string) (x cell) {
	x.length = uint32(len(s))
	n := copy(x.head[:], s)
	if len(s) <= inlined {
		copy(x.rest[:], s[n:])
	} else {
		*(*uintptr)(unsafe.Pointer(&x.rest)) = uintptr(t.texts.keep(s))
	}
	return x
}

// again writes a cell, which may stand elsewhere in the chunk too.
func (t *table) again(x cell) { *(*cell)(t.at(16)) = x }

// texts holds the bytes that vectors point to until their chunk is handed over.
// Its blocks are pinned, for C reads them, and used again.
type texts struct {
	blocks [][]byte
	used   int // blocks in use
	free   []byte
	pins   runtime.Pinner
}

const blockSize = 1 << 20

func (t *texts) reset() { t.used, t.free = 0, nil }

// keep copies s to where it stays until reset.
func (t *texts) keep(s string) unsafe.Pointer {
	if len(s) > len(t.free) {
		t.grow(len(s))
	}
	n := copy(t.free, s)
	p := unsafe.Pointer(unsafe.SliceData(t.free))
	t.free = t.free[n:]
	return p
}

func (t *texts) grow(atLeast int) {
	for ; t.used < len(t.blocks); t.used++ {
		if len(t.blocks[t.used]) >= atLeast {
			t.free = t.blocks[t.used]
			t.used++
			return
		}
	}
	b := make([]byte, max(blockSize, atLeast))
	t.pins.Pin(unsafe.SliceData(b))
	t.blocks = append(t.blocks, b)
	t.used = len(t.blocks)
	t.free = b
}

// release lets the blocks go.
func (t *texts) release() {
	t.pins.Unpin()
	*t = texts{}
}
