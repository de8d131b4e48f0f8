package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse/duckdb"
)

// RebuildOptions say what is computed again and what becomes of it.
type RebuildOptions struct {
	Warehouse bool // the rows of the warehouse too
	Write     bool // put what was computed in the place of what there is
}

// RebuildReport is what a rebuild found.
type RebuildReport struct {
	Computation
	Lost     string      // why there is no state to compare with; "" when there is
	Tables   []TableSums // of a rebuild with the warehouse
	LostRows string      // why there are no rows to compare with; "" when there are
	Saved    cx.Position // of the checkpoint in the state that was written; 0 when none was
	Before   []string    // where what was replaced is now
}

// TableSums compares the rows of one table, as far as both warehouses go.
type TableSums struct {
	Table    string
	Was, Is  int64 // how many rows
	SameRows bool
}

// Same reports whether everything that could be compared is equal.
func (r *RebuildReport) Same() bool {
	for _, t := range r.Tables {
		if r.LostRows == "" && !t.SameRows {
			return false
		}
	}
	return r.Lost != "" || r.Computation.Same()
}

// Rebuild computes the state of a data directory, and the rows of the warehouse
// if asked to, from its archive and journal alone, and compares them with what
// there is. Nothing is sent, and nothing is appended to the journal. No program
// may run on the directory.
//
// It works in a directory of its own within it, and changes nothing outside
// unless it is to write. Then what it replaces stays beside the new files, with
// .before behind its name; and a warehouse that is not computed again gets the
// rows that it lacks, as at a start of the program.
func Rebuild(ctx context.Context, c Config, o RebuildOptions, log io.Writer) (*RebuildReport, error) {
	l, err := openLog(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer l.Journal.Close()
	b := &rebuild{c: c, o: o, log: l, dir: c.path("rebuild"), report: new(RebuildReport)}
	if err := errors.Join(os.RemoveAll(b.dir), os.MkdirAll(b.dir, 0o700)); err != nil {
		return nil, err
	}
	return b.report, errors.Join(b.run(ctx), os.RemoveAll(b.dir))
}

// rebuild is one run of Rebuild.
type rebuild struct {
	c      Config
	o      RebuildOptions
	log    *archive.Log
	dir    string
	origin *archive.Checkpoint // nil when the log has its beginning
	report *RebuildReport
}

// The files that are computed.
const (
	stateFile     = "state.db"
	warehouseFile = "warehouse.duckdb"
)

func (b *rebuild) run(ctx context.Context) error {
	compare := comparison{&b.report.Computation, map[cx.CustomerID][32]byte{}}
	if err := b.recover(ctx, &compare); err != nil {
		return err
	}
	if err := b.compute(ctx, &compare); err != nil {
		return err
	}
	if b.report.Lost == "" {
		compare.end()
	}
	if !b.o.Write {
		return nil
	}
	if b.o.Warehouse { // first: the warehouse may be ahead of the state and never behind
		if err := b.replace(warehouseFile, ".wal"); err != nil {
			return err
		}
	}
	return b.replace(stateFile, "-wal", "-shm")
}

// recover finds out the state that a start of the program would recover, or why
// there is none.
func (b *rebuild) recover(ctx context.Context, compare *comparison) (err error) {
	if _, err := os.Stat(b.c.path(stateFile)); errors.Is(err, fs.ErrNotExist) {
		b.report.Lost = "there is no " + stateFile
		return nil
	}
	b.report.Recovered, err = recovered(ctx, b.c, b.log, b.dir, compare.recovered)
	if err != nil && ctx.Err() == nil {
		b.report.Lost, err = err.Error(), nil
	}
	return err
}

// compute lets a machine take all of the log, into new files.
func (b *rebuild) compute(ctx context.Context, compare *comparison) error {
	path := filepath.Join(b.dir, stateFile)
	return origins(ctx, b.log, path, func(from *archive.Checkpoint) error {
		b.origin = from
		if err := removeComputed(filepath.Join(b.dir, warehouseFile)); err != nil { // of an attempt to begin with an earlier one
			return err
		}
		return b.computeFrom(ctx, path, compare)
	})
}

// computeFrom does it from the state at path on.
func (b *rebuild) computeFrom(ctx context.Context, path string, compare *comparison) error {
	var save cx.Position
	if b.origin != nil {
		b.report.Origin, save = b.origin.Position, b.origin.Position
	}
	if b.o.Write || b.o.Warehouse { // what is saved up to a tick has its rows in the warehouse
		last, err := lastTick(ctx, b.log)
		if err != nil {
			return err
		}
		save = max(save, last)
	}
	if b.o.Write {
		b.report.Saved = save
	}
	house, err := b.openHouse(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	b.report.Computed, b.report.Events, err = machine(ctx, b.c, b.log, path, house, save, compare.computed)
	b.report.Took = time.Since(start)
	if err != nil {
		err = fmt.Errorf("compute: %w", err)
	}
	if file, ok := house.(*duckdb.Warehouse); ok {
		if err == nil && b.o.Warehouse {
			err = b.compareRows(ctx, file)
		}
		err = errors.Join(err, file.Close())
	}
	return err
}

// openHouse opens the warehouse that gets the rows: a new one, the one there is
// when only the state is to be replaced, and nobody when nothing is.
func (b *rebuild) openHouse(ctx context.Context) (pipeline.Warehouse, error) {
	_, err := os.Stat(b.c.path(warehouseFile))
	there := err == nil
	switch {
	case !b.o.Warehouse && !b.o.Write:
		return everything(), nil
	case !b.o.Warehouse && there:
		return openHouse(ctx, b.c, b.c.path(warehouseFile))
	case !b.o.Warehouse:
		return nil, cx.E(cx.Invalid, "rebuild", "there is no "+warehouseFile+" that goes with a new state: add --warehouse to compute it too")
	case b.origin != nil && there && b.o.Write:
		return nil, cx.E(cx.Invalid, "rebuild", fmt.Sprintf("the log begins with the checkpoint at %v, and %s has rows from before that: leave out --warehouse to keep them, or move the file away to give them up", b.origin.Position, warehouseFile))
	}
	house, err := openHouse(ctx, b.c, filepath.Join(b.dir, warehouseFile))
	if err != nil || b.origin == nil {
		return house, err
	}
	if err := house.Append(ctx, &pipeline.Batch{Upto: b.origin.Position}); err != nil {
		return nil, errors.Join(err, house.Close())
	}
	return house, nil
}

func openHouse(ctx context.Context, c Config, path string) (*duckdb.Warehouse, error) {
	return duckdb.Open(ctx, duckdb.Options{Path: path, Memory: int64(c.WarehouseMemoryMB) << 20, Threads: c.WarehouseThreads})
}

// compareRows compares the rows that were computed with those there are.
func (b *rebuild) compareRows(ctx context.Context, computed *duckdb.Warehouse) (err error) {
	if _, err := os.Stat(b.c.path(warehouseFile)); errors.Is(err, fs.ErrNotExist) {
		b.report.LostRows = "there is no " + warehouseFile
	}
	var old *duckdb.Warehouse
	upto, err := computed.Position(ctx)
	if err == nil && b.report.LostRows == "" {
		if old, err = openHouse(ctx, b.c, b.c.path(warehouseFile)); err != nil {
			b.report.LostRows, err = err.Error(), nil
		} else {
			defer func() { err = errors.Join(err, old.Close()) }()
			var at cx.Position
			at, err = old.Position(ctx)
			upto = min(upto, at)
		}
	}
	if err != nil {
		return err
	}
	is, err := computed.Sums(ctx, b.report.Origin, upto)
	if err != nil {
		return err
	}
	was := make([]duckdb.Sum, len(is))
	if b.report.LostRows == "" {
		if was, err = old.Sums(ctx, b.report.Origin, upto); err != nil {
			return err
		}
	}
	for i := range is {
		b.report.Tables = append(b.report.Tables, TableSums{is[i].Table, was[i].Rows, is[i].Rows, was[i] == is[i]})
	}
	return nil
}

// replace puts a file that was computed, with those beside it, in the place of
// the one there is.
func (b *rebuild) replace(name string, beside ...string) error {
	for _, suffix := range append([]string{""}, beside...) {
		now, before := b.c.path(name)+suffix, b.c.path(name)+".before"+suffix
		if err := os.Remove(before); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		switch err := os.Rename(now, before); {
		case err == nil && suffix == "":
			b.report.Before = append(b.report.Before, before)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	for _, suffix := range append(beside, "") {
		err := os.Rename(filepath.Join(b.dir, name)+suffix, b.c.path(name)+suffix)
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	d, err := os.Open(b.c.Data)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
