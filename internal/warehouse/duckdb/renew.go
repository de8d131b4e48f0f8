package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/nice"
)

// Renew writes the file anew, with the rows that are stored and nothing else: DuckDB
// leaves the bytes of deleted rows in blocks until it uses them again. Rows go on to
// be appended while the many are written; for the few that came meanwhile, and for
// the change of files, appends and look-ups wait and questions are interrupted. It
// needs three times the room for a while. After an error the file is as it was; when
// rows were moved or erased meanwhile the error is of kind Unavailable.
func (w *Warehouse) Renew(ctx context.Context) error {
	w.copying.Lock()
	defer w.copying.Unlock()
	if err := w.renew(ctx); err != nil {
		return fmt.Errorf("write the warehouse anew: %w", errors.Join(err, removeBeside(w.options.Path)))
	}
	return nil
}

func (w *Warehouse) renew(ctx context.Context) error {
	path, copied := w.options.Path+newFile, w.options.Path+copiedFile
	if err := removeBeside(w.options.Path); err != nil {
		return err
	}
	w.appending.Lock()
	changes := w.changes
	w.appending.Unlock()
	at, err := w.copy(ctx, copied)
	if err == nil {
		err = nice.Run(func() error { return w.transfer(ctx, copied, path, 0) })
	}
	if err == nil {
		err = os.Remove(copied)
	}
	if err != nil {
		return err
	}
	if w.renewing != nil {
		w.renewing()
	}
	defer w.asking.hold(errRenewing)()
	w.appending.Lock()
	defer w.appending.Unlock()
	if err := w.ready(ctx); err != nil {
		return err
	}
	if w.changes != changes {
		return cx.E(cx.Unavailable, "", "stored rows were changed meanwhile: try again")
	}
	return w.replace(context.WithoutCancel(ctx), path, at)
}

var errRenewing = cx.E(cx.Unavailable, "", "the question was interrupted because the warehouse's file was replaced: try again")

// What stands beside the file while it is written anew.
const (
	newFile    = ".new"
	copiedFile = ".copy"
)

// removeBeside removes what a renewal left.
func removeBeside(path string) (err error) {
	for _, name := range [...]string{newFile, newFile + ".wal", copiedFile, copiedFile + ".wal"} {
		if e := os.Remove(path + name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, os.RemoveAll(path+newFile+".tmp"))
}

// replace closes the file, adds the rows behind a position to the one at path, puts
// that in its place and opens it. The caller holds appending.
func (w *Warehouse) replace(ctx context.Context, path string, after cx.Position) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.file
	w.file = nil
	err := f.close()
	if _, e := os.Stat(w.options.Path + ".wal"); err == nil && e == nil {
		err = errors.New("not all rows of its log came into the file")
	}
	if err == nil {
		err = w.transfer(ctx, w.options.Path, path, after)
	}
	if err == nil {
		fault.Point("warehouse.renewed")
		err = os.Rename(path, w.options.Path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(w.options.Path))
	}
	file, e := openFile(ctx, &w.options)
	if e == nil {
		file.feed.unsure = true
		w.file = file
	}
	return errors.Join(err, e)
}

// transfer adds the rows of one file behind a position to another one, which it
// makes when there is none. The other one is durable when it returns, and neither
// is open.
func (w *Warehouse) transfer(ctx context.Context, from, to string, after cx.Position) (err error) {
	o := w.options
	o.Path = to
	connector, err := duck.NewConnector("?"+o.settings().Encode(), use(context.WithoutCancel(ctx), &o))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connector.Close()) }()
	db := sql.OpenDB(shared{connector})
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrate(ctx, db); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf("ATTACH '%s' AS other (READ_ONLY)", strings.ReplaceAll(from, "'", "''"))); err != nil {
		return err
	}
	tables, err := tablesOf(ctx, db)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, table := range append(tables, "erased") {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO store.%[1]s BY NAME SELECT * FROM other.store.%[1]s WHERE position > %[2]d", table, uint64(after))); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE store.meta SET position = (SELECT position FROM other.store.meta)"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "CHECKPOINT kikubari")
	return err
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
