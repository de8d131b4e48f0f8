package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/kikubari/kikubari/internal/cx"
)

// file is every handle on one open DuckDB file.
type file struct {
	connector *duck.Connector
	lookups   *sql.DB // for Story and the like, which are short
	queries   *sql.DB // for what people write
	feed      feed
}

func openFile(ctx context.Context, o *Options) (_ *file, err error) {
	f := &file{}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the warehouse %s: %w", o.Path, errors.Join(err, f.close()))
		}
	}()
	if f.connector, err = duck.NewConnector(o.Path+"?"+o.settings().Encode(), nil); err != nil {
		if strings.Contains(err.Error(), "lock on file") {
			return nil, cx.E(cx.Unavailable, "", "another Kikubari is running on this data directory: stop it first. "+err.Error())
		}
		return nil, err
	}
	f.lookups = sql.OpenDB(shared{f.connector})
	f.lookups.SetMaxOpenConns(4)
	f.queries = sql.OpenDB(shared{f.connector})
	f.queries.SetMaxOpenConns(o.Queries)
	if err := migrate(ctx, f.lookups); err != nil {
		return nil, err
	}
	if err := lockDown(ctx, f.lookups); err != nil {
		return nil, err
	}
	if err := f.feed.open(o); err != nil {
		return nil, err
	}
	return f, nil
}

// close closes what is open of f, which may be nil.
func (f *file) close() (err error) {
	if f == nil {
		return nil
	}
	f.feed.close()
	for _, db := range []*sql.DB{f.lookups, f.queries} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if f.connector != nil {
		err = errors.Join(err, f.connector.Close())
	}
	return err
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
