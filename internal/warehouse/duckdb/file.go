package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/kikubari/kikubari/internal/cx"
)

// file is every handle on one open DuckDB file.
//
// The file is attached to a database in memory that has no other content,
// because only then DuckDB lets us say how many rows a row group has.
type file struct {
	connector *duck.Connector
	lookups   *sql.DB // for Story and the like, which are short
	queries   *sql.DB // for what people write
	feed      feed

	opening sync.Mutex
	source  *os.File // the bytes of the file, nil until somebody copies it
}

func openFile(ctx context.Context, o *Options) (_ *file, err error) {
	f := &file{}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the warehouse %s: %w", o.Path, errors.Join(err, f.close()))
		}
	}()
	if f.connector, err = duck.NewConnector("?"+o.settings().Encode(), use(context.WithoutCancel(ctx), o)); err != nil {
		return nil, err
	}
	f.lookups = sql.OpenDB(shared{f.connector})
	f.lookups.SetMaxOpenConns(4)
	f.queries = sql.OpenDB(shared{f.connector})
	f.queries.SetMaxOpenConns(o.Queries)
	if err := f.lookups.PingContext(ctx); err != nil {
		if strings.Contains(err.Error(), "lock on file") {
			return nil, cx.E(cx.Unavailable, "", "another Kikubari is running on this data directory: stop it first. "+err.Error())
		}
		return nil, err
	}
	if err := migrate(ctx, f.lookups); err != nil {
		return nil, err
	}
	if err := lockDown(ctx, f.lookups); err != nil {
		return nil, err
	}
	if err := f.feed.open(ctx, f.connector); err != nil {
		return nil, err
	}
	return f, nil
}

// rowGroup is how many rows DuckDB compresses at a time, a multiple of its
// vectors of 2,048. An append of at least so many rows is compressed straight
// into the file; one of fewer goes to the log first, and its rows are rewritten
// together with those of the last, unfinished row group. Of a busy second nearly
// all rows should take the first way: with DuckDB's own 122,880 an event costs
// four times the processor time.
const rowGroup = 8 * 2048

// use returns what is done on every new connection: the first attaches the file,
// all of them take it for the one that names without a database mean. ctx must
// not end, for connections are made as long as the file is open.
func use(ctx context.Context, o *Options) func(driver.ExecerContext) error {
	statements := []string{
		fmt.Sprintf("ATTACH '%s' AS kikubari (ROW_GROUP_SIZE %d)", strings.ReplaceAll(o.Path, "'", "''"), rowGroup),
		"USE kikubari",
	}
	return func(conn driver.ExecerContext) error {
		for _, s := range statements {
			if _, err := conn.ExecContext(ctx, s, nil); err != nil {
				return err
			}
		}
		if len(statements) > 1 { // of the first connection, which is made alone
			statements = statements[1:]
		}
		return nil
	}
}

// close closes what is open of f, which may be nil.
func (f *file) close() (err error) {
	if f == nil {
		return nil
	}
	err = f.feed.close()
	for _, db := range []*sql.DB{f.lookups, f.queries} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if f.connector != nil {
		err = errors.Join(err, f.connector.Close())
	}
	if f.source != nil {
		err = errors.Join(err, f.source.Close())
	}
	return err
}

// settings are those that are given when DuckDB is started.
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
func lockDown(ctx context.Context, db *sql.DB) error {
	for _, s := range []string{"SET enable_external_access = false", "SET lock_configuration = true"} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// shared is a connector that several pools use and none closes.
type shared struct{ c *duck.Connector }

func (s shared) Connect(ctx context.Context) (driver.Conn, error) { return s.c.Connect(ctx) }
func (s shared) Driver() driver.Driver                            { return s.c.Driver() }
