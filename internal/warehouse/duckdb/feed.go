package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// feed is the connection that appends. It is used by one goroutine at a time.
type feed struct {
	owner driver.Conn
	conn  mapping.Connection // of owner
	texts texts
	heavy func(func() error) error // runs what takes DuckDB long

	position cx.Position
	unsure   bool // the last commit failed: position must be read again, and may be that commit's
}

// open takes a connection of its own.
func (f *feed) open(ctx context.Context, c driver.Connector) (err error) {
	f.heavy = atOnce
	if f.owner, err = c.Connect(ctx); err != nil {
		return err
	}
	if f.conn, err = inner(f.owner); err != nil {
		return err
	}
	return f.look()
}

// inner returns the connection under one of the driver, which has no way to
// append whole chunks and keeps it to itself.
func inner(conn driver.Conn) (c mapping.Connection, err error) {
	field := reflect.ValueOf(conn).Elem().FieldByName("conn")
	if !field.IsValid() || field.Type() != reflect.TypeOf(c) {
		return c, fmt.Errorf("the driver's connection is not the one that this was written for: pin the driver to the version in go.mod")
	}
	return mapping.Connection{Ptr: field.FieldByName("Ptr").UnsafePointer()}, nil
}

func (f *feed) close() error {
	f.texts.release()
	if f.owner == nil {
		return nil
	}
	return f.owner.Close()
}

// Position returns the position up to which rows are stored.
func (w *Warehouse) Position(ctx context.Context) (p cx.Position, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	w.appending.Lock()
	defer w.appending.Unlock()
	if err := w.ready(ctx); err != nil {
		return 0, err
	}
	err = w.file.feed.settle()
	return w.file.feed.position, err
}

// Append stores the rows of b and its position, all or nothing, and returns
// when they would survive a loss of power. Rows at or below the stored position
// are refused with kind Conflict; a batch without rows that ends there is
// already stored. It cannot be interrupted: ctx is looked at before it begins.
//
// What DuckDB does runs at low priority while that is fast enough; rows are
// written into its vectors by this goroutine, because Go code on a thread that
// gets no processor would hold up goroutines that do. When memory runs short,
// questions under way are interrupted: the machine goes before people's
// questions.
func (w *Warehouse) Append(ctx context.Context, b *pipeline.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.appending.Lock()
	defer w.appending.Unlock()
	fault.Point("warehouse.before")
	if len(b.Erased) > 0 || len(b.Resorted) > 0 {
		w.changes++
	}
	w.heavy = w.low.Do
	if w.pace.begin(time.Now()) {
		w.heavy = atOnce
	}
	err := w.append(ctx, b)
	w.pace.end(time.Now())
	if err != nil {
		return fmt.Errorf("append to the warehouse: %w", err)
	}
	fault.Point("warehouse.after")
	return nil
}

// atOnce runs f where it is.
func atOnce(f func() error) error { return f() }

// append stores b, and tries again without questions beside it when that fails
// for anything but what is in b.
func (w *Warehouse) append(ctx context.Context, b *pipeline.Batch) error {
	if err := w.ready(ctx); err != nil {
		return err
	}
	err := w.file.feed.store(b, w.heavy)
	if err == nil || cx.KindOf(err) != cx.Internal {
		return err
	}
	defer w.asking.hold(errEvicted)()
	if broken(err) {
		if err := w.reopen(ctx); err != nil {
			return err
		}
	}
	return w.file.feed.store(b, w.heavy)
}

// broken reports whether err means that DuckDB refuses every further call.
func broken(err error) bool { return strings.Contains(err.Error(), "database has been invalidated") }

// ready opens the file again if the last attempt to do so failed. The caller
// holds appending.
func (w *Warehouse) ready(ctx context.Context) error {
	if w.file != nil {
		return nil
	}
	return w.reopen(ctx)
}

func (f *feed) store(b *pipeline.Batch, heavy func(func() error) error) error {
	f.heavy = heavy
	tried := f.unsure
	if err := f.settle(); err != nil {
		return err
	}
	first, last, rows := span(b)
	switch {
	case tried && b.Upto == f.position, rows == 0 && b.Upto <= f.position:
		return nil
	case b.Upto <= f.position || rows > 0 && first <= f.position:
		return cx.E(cx.Conflict, "", fmt.Sprintf("rows up to %v are stored already; the batch goes from %v to %v", f.position, first, b.Upto))
	case last > b.Upto:
		return cx.E(cx.Invalid, "", fmt.Sprintf("the batch ends at %v and has a row at %v", b.Upto, last))
	}
	if err := f.commit(b); err != nil {
		f.unsure = true
		return err
	}
	f.position = b.Upto
	return nil
}

// settle reads the position again after a commit whose fate is not known.
func (f *feed) settle() error {
	if !f.unsure {
		return nil
	}
	_ = f.exec("ROLLBACK") // of a transaction whose own rollback failed for want of memory; usually there is none
	return f.look()
}

func (f *feed) look() error {
	var r mapping.Result
	defer mapping.DestroyResult(&r)
	if mapping.Query(f.conn, "SELECT position FROM store.meta", &r) == mapping.StateError {
		return fmt.Errorf("read the position: %s", mapping.ResultError(&r))
	}
	chunk := mapping.FetchChunk(r)
	defer mapping.DestroyDataChunk(&chunk)
	f.position = cx.Position(*(*uint64)(mapping.VectorGetData(mapping.DataChunkGetVector(chunk, 0))))
	f.unsure = false
	return nil
}

// commit writes b in one transaction.
func (f *feed) commit(b *pipeline.Batch) error {
	if err := f.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := f.write(b)
	if err == nil {
		err = f.erase(b.Erased)
	}
	if err == nil {
		fault.Point("warehouse.inside")
		err = f.exec(fmt.Sprintf("UPDATE store.meta SET position = %d", uint64(b.Upto)))
	}
	if err == nil {
		fault.Point("warehouse.inside")
		err = f.exec("COMMIT")
	}
	if err != nil {
		_ = f.exec("ROLLBACK") // fails when the error has ended the transaction already
	}
	return err
}

func (f *feed) exec(statement string) error {
	return f.heavy(func() error {
		var r mapping.Result
		defer mapping.DestroyResult(&r)
		if mapping.Query(f.conn, statement, &r) == mapping.StateError {
			return fmt.Errorf("%s: %s", strings.ToLower(statement), mapping.ResultError(&r))
		}
		return nil
	})
}

// span returns the positions of the first and the last row of b and how many
// rows it has.
func span(b *pipeline.Batch) (first, last cx.Position, rows int) {
	note := func(p cx.Position) {
		if rows == 0 || p < first {
			first = p
		}
		last = max(last, p)
		rows++
	}
	for i := range b.Events {
		note(b.Events[i].Position)
	}
	for i := range b.Decisions {
		note(b.Decisions[i].Position)
	}
	for i := range b.Exposures {
		note(b.Exposures[i].Position)
	}
	for i := range b.Moves {
		note(b.Moves[i].Position)
	}
	for i := range b.Merges {
		note(b.Merges[i].Position)
	}
	for i := range b.Resorted {
		note(b.Resorted[i].Position)
	}
	for i := range b.Deliveries {
		note(b.Deliveries[i].Position)
	}
	for i := range b.Erased {
		note(b.Erased[i].Position)
	}
	return first, last, rows
}
