// Package app builds the program out of its parts, starts them in order and
// stops them in reverse. It is the only package that imports everybody.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
	"github.com/kikubari/kikubari/internal/warehouse/duckdb"
)

// version is set by the build.
var version = "dev"

// Version names this build.
func Version() string { return version }

// Hooks tell a command what the running program has to say. All may be zero.
type Hooks struct {
	Log      io.Writer        // where the log goes; nil discards it
	Demo     bool             // serve the demo shop and publish its definitions
	AdminKey func(key string) // called at the first start, with the only copy of the key
	Ready    func(*App)       // called once requests are answered
}

// App is the running program.
type App struct {
	config  Config
	hooks   Hooks
	log     *slog.Logger
	started time.Time

	control *sqlite.Control
	state   *sqlite.State
	house   *duckdb.Warehouse
	journal *journal.Journal
	archive *archive.Archive
	records *archive.Log // archive and journal
	shard   *pipeline.Shard
	sends   *sqlite.Sends
	courier *deliver.Courier
	signing sync.Mutex // one secret is made at a time

	archiving archiving
	backups   backups
	erasing   erasing

	keys    access.Keyring
	feed    api.Feed
	sites   sites
	schema  *schema
	metrics *prometheus.Registry
	meter   *meter
	caught  atomic.Bool // the journal was replayed to where it ended at the start
	demoKey string

	lags lags

	checkpoint struct { // what Health has seen of the last checkpoint
		sync.Mutex
		at   cx.Position
		seen time.Time
	}

	listener net.Listener
	server   *http.Server
	running  sync.WaitGroup

	background []func(context.Context) // run while serving
	closers    []func() error
}

// Run opens the program, serves until ctx ends or something fails for good, and
// closes it.
func Run(ctx context.Context, c Config, h Hooks) error {
	a, err := Open(ctx, c, h)
	if err != nil {
		return err
	}
	return errors.Join(a.Serve(ctx), a.Close())
}

// Open opens the data directory and recovers the state. The caller calls Serve
// once and Close at the end.
func Open(ctx context.Context, c Config, h Hooks) (*App, error) {
	if h.Log == nil {
		h.Log = io.Discard
	}
	a := &App{config: c, hooks: h, log: newLogger(c, h.Log), started: time.Now(), metrics: prometheus.NewRegistry(), schema: newSchema()}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// open does what Open promises; when it fails, part of it is done.
func (a *App) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(a.config.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	a.backups.App, a.backups.asked, a.erasing.App = a, make(chan string, 1), a
	if _, err := checkFormat(a.config.Data); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{a.listen, a.openJournal, a.stampFormat, a.openArchive, a.openControl, a.erasing.load, a.openState, a.openWarehouse, a.openShard, a.openSends} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	a.meter = newMeter(a.metrics, a.shard, a.journal)
	a.measure()
	a.server, err = a.newServer()
	a.background = append(a.background, a.catchUp, a.deliver, a.undoQuarantined, a.watchStages, a.keepHouse, a.keepArchive, a.backups.serve, a.erasing.serve, a.returnMemory, a.serveProfiles)
	return err
}

func newLogger(c Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // LoadConfig has checked it
	}
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func (a *App) path(name string) string { return a.config.path(name) }

// listen takes the address first, so that two programs on one address fail
// before they touch any data.
func (a *App) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if a.listener, err = lc.Listen(ctx, "tcp", a.config.Listen); err != nil {
		return fmt.Errorf("listen on %s: %w", a.config.Listen, err)
	}
	a.closers = append(a.closers, func() error {
		if err := a.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (a *App) openJournal(ctx context.Context) (err error) {
	a.journal, err = journal.Open(ctx, journal.Options{
		Dir: a.path("journal"), MaxBytes: int64(a.config.JournalMaxMB) << 20, ReserveBytes: int64(a.config.JournalReserveMB) << 20,
		Linger: a.config.JournalLinger, Log: a.log, Now: fault.Now,
	})
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	a.closers = append(a.closers, a.journal.Close)
	return nil
}

func (a *App) openControl(ctx context.Context) (err error) {
	if a.control, err = sqlite.OpenControl(ctx, a.path("control.db")); err != nil {
		return fmt.Errorf("open control.db: %w", err)
	}
	a.closers = append(a.closers, a.control.Close)
	if err := a.firstKey(ctx); err != nil {
		return err
	}
	return a.keys.Reload(ctx, a.control)
}

func (a *App) openState(ctx context.Context) (err error) {
	if a.state, err = sqlite.OpenState(ctx, sqlite.StateOptions{Path: a.path("state.db")}); err != nil {
		return fmt.Errorf("open state.db: %w", err)
	}
	a.closers = append(a.closers, a.state.Close)
	return nil
}

func (a *App) openWarehouse(ctx context.Context) (err error) {
	a.house, err = duckdb.Open(ctx, duckdb.Options{
		Path: a.path("warehouse.duckdb"), Memory: int64(a.config.WarehouseMemoryMB) << 20, Threads: a.config.WarehouseThreads,
		QueryTime: a.config.SQLTimeout, QueryRows: a.config.SQLMaxRows,
	})
	if err != nil {
		return fmt.Errorf("open warehouse.duckdb: %w", err)
	}
	a.closers = append(a.closers, a.house.Close)
	return nil
}

func (a *App) openShard(ctx context.Context) (err error) {
	a.shard, err = pipeline.Open(ctx, pipeline.Options{
		Journal: archive.Live{Log: a.records}, Store: a.state, Warehouse: a.house, Log: a.log,
		Workers: a.config.Workers, CheckpointEvery: a.config.CheckpointEvery, CacheBytes: int64(a.config.CustomersCacheMB) << 20, RestAfter: a.config.CustomersRest, SendWithin: a.config.SendsWithin,
		KeepMerges: a.config.MergesKeep,
		Now:        fault.Now, Watcher: watcher{&a.feed}, Published: a.published, Released: a.committed,
		History: past{a.records, a.keepNow}, Scratch: sqlite.Scratch{Dir: a.path("backfill")},
	})
	if err != nil {
		return err
	}
	if err := a.computable(ctx); err != nil {
		return err
	}
	for _, w := range a.keys.Ring().Workspaces() {
		a.sites.put(w.Slug, a.shard.Set(w.Slug))
	}
	return nil
}

// now is the wall clock, which may jump.
func now() cx.Instant { return cx.InstantOf(fault.Now()) }

// URL is where the program is served.
func (a *App) URL() string { return "http://" + a.listener.Addr().String() }

// DemoReadKey is the read key of the demo workspace, "" outside the demo.
func (a *App) DemoReadKey() string { return a.demoKey }

// Serve runs the machine and answers requests until ctx ends or the machine
// fails. When ctx ends it stops taking requests first, lets those under way
// finish, and saves a last checkpoint.
func (a *App) Serve(ctx context.Context) error {
	machine, stopMachine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMachine()
	failed := make(chan error, 2)
	var machineDone sync.WaitGroup
	machineDone.Go(func() { failed <- a.shard.Run(machine) })
	background, stopBackground := context.WithCancel(ctx)
	defer stopBackground()
	for _, f := range a.background {
		a.running.Go(func() { f(background) })
	}
	if a.hooks.Demo {
		if err := a.prepareDemo(ctx); err != nil {
			stopMachine()
			machineDone.Wait()
			return fmt.Errorf("prepare the demo: %w", err)
		}
	}
	go func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve: %w", err)
		}
	}()
	if a.hooks.Ready != nil {
		a.hooks.Ready(a)
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopBackground()
	a.shutdown(ctx)
	stopMachine()
	machineDone.Wait()
	a.running.Wait()
	select {
	case e := <-failed:
		err = errors.Join(err, e)
	default:
	}
	return err
}

// shutdown stops taking requests and waits for those under way.
func (a *App) shutdown(ctx context.Context) {
	a.feed.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		a.log.WarnContext(ctx, "some requests did not end in time", slog.Any("error", err))
	}
}

// catchUp notes when the machine has taken everything that was in the journal
// at the start: from then on definitions are the latest ones.
func (a *App) catchUp(ctx context.Context) {
	last, _ := a.journal.Last()
	for ctx.Err() == nil {
		if a.shard.Progress().Applied.Sequence() >= last {
			a.caught.Store(true)
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// keepHouse does what has to be done now and then.
func (a *App) keepHouse(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		if err := a.control.Forget(ctx, now()); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "old answers could not be dropped", slog.Any("error", err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close closes everything that Open opened, in reverse.
func (a *App) Close() error {
	var errs []error
	for _, v := range slices.Backward(a.closers) {
		errs = append(errs, v())
	}
	a.closers = nil
	return errors.Join(errs...)
}
