package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// Query runs what a person wrote. See guard.go for what is allowed.
func (w *Warehouse) Query(ctx context.Context, ws cx.Workspace, statement string) (t *warehouse.Table, err error) {
	if ws == "" {
		return nil, cx.E(cx.Denied, "", "say which workspace is asked about")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, w.options.QueryTime, errTooLong)
	defer cancel()
	ctx, leave, err := w.asking.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	err = nice.Run(func() error {
		return w.using(func(f *file) (err error) {
			t, err = w.answer(ctx, f, ws, statement)
			return err
		})
	})
	if err != nil {
		return nil, explain(ctx, err)
	}
	return t, nil
}

func (w *Warehouse) answer(ctx context.Context, f *file, ws cx.Workspace, statement string) (*warehouse.Table, error) {
	conn, err := f.queries.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	allowed, err := allow(ctx, conn, statement, w.options.QueryRows+1)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SET VARIABLE workspace = ?", string(ws)); err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION READ ONLY"); err != nil {
		return nil, err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") }() // it has written nothing
	rows, err := conn.QueryContext(ctx, allowed)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return w.collect(rows)
}

// collect reads rows up to the limits.
func (w *Warehouse) collect(rows *sql.Rows) (*warehouse.Table, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	t := &warehouse.Table{Rows: [][]any{}}
	for _, c := range types {
		t.Columns = append(t.Columns, warehouse.Column{Name: c.Name(), Type: c.DatabaseTypeName()})
	}
	for size := 0; rows.Next(); {
		if len(t.Rows) == w.options.QueryRows || size > w.options.QueryBytes {
			t.Truncated = true
			break
		}
		row := make([]any, len(types))
		to := make([]any, len(types))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		for i := range row {
			var n int
			row[i], n = plain(row[i])
			size += n
		}
		t.Rows = append(t.Rows, row)
	}
	return t, rows.Err()
}

// The reasons for which a question is interrupted.
var (
	errTooLong = cx.E(cx.Limited, "", "the question took too long: narrow it down, for example to fewer days")
	errEvicted = cx.E(cx.Unavailable, "", "the question was interrupted because memory was needed for new events: try again, or narrow it down")
	errClosing = cx.E(cx.Unavailable, "", "the server is stopping")
)

// explain turns an error of the engine into one for the person who asked.
func explain(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*cx.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*cx.Error](context.Cause(ctx)); ok && ctx.Err() != nil {
		return e
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*duck.Error](err); ok {
		switch e.Type {
		case duck.ErrorTypeOutOfMemory, duck.ErrorTypeObjectSize:
			return cx.E(cx.Limited, "", "the question needs more memory than it may use: narrow it down, or ask for fewer columns")
		case duck.ErrorTypeInternal, duck.ErrorTypeFatal, duck.ErrorTypeIO:
			return err
		default: // the question is at fault
			message, _, _ := strings.Cut(e.Msg, "\n\nLINE ")
			return cx.E(cx.Invalid, "", message)
		}
	}
	return err
}

// questions keeps track of what people ask, so that it can be interrupted.
type questions struct {
	mu      sync.Mutex
	running map[*context.CancelCauseFunc]struct{}
	quiet   sync.Cond // told when one has ended
	holds   []error   // why no question is let in, one for each who holds them up
}

// enter registers a question; leave must be called when it has ended.
func (q *questions) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.holds) > 0 {
		return nil, nil, q.holds[0]
	}
	if q.running == nil {
		q.running = map[*context.CancelCauseFunc]struct{}{}
		q.quiet.L = &q.mu
	}
	ctx, cancel := context.WithCancelCause(ctx)
	q.running[&cancel] = struct{}{}
	return ctx, func() {
		cancel(nil)
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.running, &cancel)
		q.quiet.Broadcast()
	}, nil
}

// hold interrupts every question under way, waits for them to end and lets none
// in until release is called.
func (q *questions) hold(why error) (release func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.holds = append(q.holds, why)
	for cancel := range q.running {
		(*cancel)(why)
	}
	for len(q.running) > 0 {
		q.quiet.Wait()
	}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		i := slices.Index(q.holds, why)
		q.holds = slices.Delete(q.holds, i, i+1)
	}
}
