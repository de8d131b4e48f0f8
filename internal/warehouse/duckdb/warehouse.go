package duckdb

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// Options says how the file is opened and how far questions may go. Zero fields
// take the values in brackets.
type Options struct {
	Path    string // of the file, in a directory that exists
	Memory  int64  // bytes that DuckDB may use for data [64 MiB]
	Threads int    // of DuckDB's own, besides those that call it [1]

	QueryTime  time.Duration // how long one question may run [10 s]
	QueryRows  int           // how many rows an answer may have [10,000]
	QueryBytes int           // about how large an answer may be [8 MiB]
	Queries    int           // how many questions may run at a time [2]

	checkpointAfter string // see below; tests make it small
}

func (o *Options) fill() {
	def(&o.Memory, 64<<20)
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
	low     *nice.Thread
	asking  questions
	closing func() error

	copying   sync.Mutex // held, before any other, by whoever copies the file
	appending sync.Mutex // held by whoever uses the feed or replaces file
	changes   int        // how often stored rows may have been changed; under appending
	renewing  func()     // what a test does before files are replaced; nil for nothing
	pace      pace
	heavy     func(func() error) error // runs what takes DuckDB long while appending

	mu   sync.RWMutex // held for reading while anyone else uses file
	file *file        // nil when it could not be opened again
}

var (
	_ pipeline.Warehouse = (*Warehouse)(nil)
	_ warehouse.Reader   = (*Warehouse)(nil)
)

// checkpointAfter is how much log DuckDB collects before it rewrites it into
// the file. Smaller values compress the last row group again and again; larger
// ones keep more in memory and make recovery and the single pause longer.
const checkpointAfter = "64MiB"

// Open opens the warehouse, creating the file when there is none. A file that
// another process has open, or that a newer program wrote, is refused with
// instructions. The caller closes the Warehouse.
func Open(ctx context.Context, o Options) (*Warehouse, error) {
	o.fill()
	w := &Warehouse{options: o, low: nice.NewThread()}
	w.closing = sync.OnceValue(w.close)
	var err error
	if w.file, err = openFile(ctx, &w.options); err == nil {
		err = removeBeside(o.Path)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Close interrupts the questions under way, waits for an append, and closes the
// file. It may be called more than once; nothing else may be called after it.
func (w *Warehouse) Close() error { return w.closing() }

func (w *Warehouse) close() error {
	w.asking.hold(errClosing)
	w.appending.Lock()
	defer w.appending.Unlock()
	defer w.low.Close()
	return w.drop()
}

// drop closes the file once nobody uses it. The caller holds appending.
func (w *Warehouse) drop() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.file
	w.file = nil
	return f.close()
}

// reopen closes the file and opens it again. After some errors, such as a
// rollback that ran out of memory or a full disk, DuckDB refuses every further
// call until then. It cannot be interrupted. The caller holds appending.
func (w *Warehouse) reopen(ctx context.Context) error {
	defer w.asking.hold(errEvicted)()
	if err := w.drop(); err != nil {
		return err
	}
	f, err := openFile(context.WithoutCancel(ctx), &w.options)
	if err != nil {
		return err
	}
	f.feed.unsure = true
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file = f
	return nil
}

// using runs f with the file, which stays open meanwhile.
func (w *Warehouse) using(f func(*file) error) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.file == nil {
		return cx.E(cx.Unavailable, "", "the warehouse is not open: its file could not be opened again after an error")
	}
	return f(w.file)
}
