package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// Options says how the file is opened and how far questions may go. Zero fields
// take the values in brackets.
type Options struct {
	Path    string // of the file, in a directory that exists; not with '?' in it
	Memory  int64  // bytes that DuckDB may use for data [256 MiB]
	Threads int    // of DuckDB's own, besides those that call it [1]

	QueryTime  time.Duration // how long one question may run [10 s]
	QueryRows  int           // how many rows an answer may have [10,000]
	QueryBytes int           // about how large an answer may be [8 MiB]
	Queries    int           // how many questions may run at a time [2]

	checkpointAfter string // see below; tests make it small
}

func (o *Options) fill() {
	def(&o.Memory, 256<<20)
	def(&o.Threads, 1)
	def(&o.QueryTime, 10*time.Second)
	def(&o.QueryRows, 10_000)
	def(&o.QueryBytes, 8<<20)
	def(&o.Queries, 2)
	def(&o.checkpointAfter, checkpointAfter)
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Warehouse is one open DuckDB file. One goroutine appends; any number ask.
type Warehouse struct {
	options Options
	low     *nice.Thread // where appending runs
	feed    feed
	asking  questions

	connector *duck.Connector
	lookups   *sql.DB // for Story and the like, which are short
	queries   *sql.DB // for what people write
	closing   func() error
}

var (
	_ pipeline.Warehouse = (*Warehouse)(nil)
	_ warehouse.Reader   = (*Warehouse)(nil)
)

// checkpointAfter is how much log DuckDB collects before it rewrites it into
// the file. Smaller values compress the last row group again and again, larger
// ones make recovery and the single pause longer.
const checkpointAfter = "128MiB"

// Open opens the warehouse, creating the file when there is none. A file that
// another process has open, or that a newer program wrote, is refused with
// instructions. The caller closes the Warehouse.
func Open(ctx context.Context, o Options) (_ *Warehouse, err error) {
	o.fill()
	w := &Warehouse{options: o, low: nice.NewThread()}
	w.closing = sync.OnceValue(w.close)
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the warehouse %s: %w", o.Path, errors.Join(err, w.Close()))
		}
	}()
	if w.connector, err = duck.NewConnector(o.Path+"?"+o.settings().Encode(), nil); err != nil {
		return nil, cx.E(cx.Unavailable, "", "is another Kikubari running on this data directory? "+err.Error())
	}
	w.lookups = sql.OpenDB(shared{w.connector})
	w.lookups.SetMaxOpenConns(4)
	w.queries = sql.OpenDB(shared{w.connector})
	w.queries.SetMaxOpenConns(o.Queries)
	if err := migrate(ctx, w.lookups); err != nil {
		return nil, err
	}
	if err := w.lockDown(ctx); err != nil {
		return nil, err
	}
	return w, w.low.Do(func() error { return w.feed.open(&w.options) })
}

// settings are those that are given when the file is opened. Every handle on
// the file must give the same.
func (o *Options) settings() url.Values {
	return url.Values{
		"memory_limit":                  {strconv.FormatInt(o.Memory, 10) + "B"},
		"threads":                       {strconv.Itoa(o.Threads)},
		"storage_compatibility_version": {"v1.5.0"},
		"temp_directory":                {o.Path + ".tmp"},
		"max_temp_directory_size":       {"2GiB"},
		"checkpoint_threshold":          {o.checkpointAfter},
		"autoload_known_extensions":     {"false"},
		"autoinstall_known_extensions":  {"false"},
		"allow_community_extensions":    {"false"},
	}
}

// lockDown takes away from every connection what no question needs.
func (w *Warehouse) lockDown(ctx context.Context) error {
	for _, s := range []string{"SET enable_external_access = false", "SET lock_configuration = true"} {
		if _, err := w.lookups.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// shared is a connector that several pools use and none closes.
type shared struct{ c *duck.Connector }

func (s shared) Connect(ctx context.Context) (driver.Conn, error) { return s.c.Connect(ctx) }
func (s shared) Driver() driver.Driver                            { return s.c.Driver() }

// Close interrupts the questions under way, waits for an append, and closes the
// file. It may be called more than once; nothing else may be called after it.
func (w *Warehouse) Close() error { return w.closing() }

func (w *Warehouse) close() error {
	w.asking.stop()
	err := w.low.Do(func() error { w.feed.close(); return nil })
	w.low.Close()
	for _, db := range []*sql.DB{w.lookups, w.queries} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if w.connector != nil {
		err = errors.Join(err, w.connector.Close())
	}
	runtime.KeepAlive(w)
	return err
}
