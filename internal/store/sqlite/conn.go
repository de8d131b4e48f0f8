package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// conn is one raw SQLite connection with its prepared statements. It bypasses
// database/sql, whose pool and conversions cost more than the statements of a
// checkpoint. A conn is used by one goroutine at a time.
type conn struct {
	raw   *sqlite3.SQLiteConn
	stmts []*stmt
}

// dial opens a connection to the file at path, creating the file when mode is
// "rwc". cache is the size of its page cache in KiB.
func dial(path, mode string, cache int) (*conn, error) {
	dsn, err := source(path, mode, cache)
	if err != nil {
		return nil, err
	}
	raw, err := (&sqlite3.SQLiteDriver{}).Open(dsn + "&_mutex=no")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &conn{raw: raw.(*sqlite3.SQLiteConn)}, nil
}

// source writes down how the driver is to open a file.
func source(path, mode string, cache int) (string, error) {
	return sourceOf(path, url.Values{
		"mode":           {mode},
		"_journal_mode":  {"WAL"},
		"_synchronous":   {"FULL"},
		"_busy_timeout":  {"10000"},
		"_cache_size":    {strconv.Itoa(-cache)},
		"_secure_delete": {"true"}, // what is erased leaves no bytes behind
	})
}

func sourceOf(path string, options url.Values) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: options.Encode()}
	return u.String(), nil
}

// unbroken is the context of every statement of a conn. The driver runs one
// whose context can be cancelled on another thread than its caller's; callers
// look at theirs before and between statements.
var unbroken = context.Background() //nolint:forbidigo // no caller's context fits

// exec runs statements that take no arguments and give no rows.
func (c *conn) exec(query string) error {
	_, err := c.raw.ExecContext(unbroken, query, nil)
	return err
}

// prepare compiles query; the statement lives until close.
func (c *conn) prepare(query string) (*stmt, error) {
	s, err := c.raw.PrepareContext(unbroken, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	out := &stmt{raw: s.(*sqlite3.SQLiteStmt)}
	out.args = make([]driver.NamedValue, out.raw.NumInput())
	for i := range out.args {
		out.args[i].Ordinal = i + 1
	}
	c.stmts = append(c.stmts, out)
	return out, nil
}

// number runs a query for one whole number, such as a pragma.
func (c *conn) number(query string) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	c.stmts = c.stmts[:len(c.stmts)-1]
	var n int64
	err = s.row(func(v []driver.Value) error { n, _ = v[0].(int64); return nil })
	return n, errors.Join(err, s.raw.Close())
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.raw.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// stmt is a prepared statement. Its calls run on the calling goroutine's thread.
type stmt struct {
	raw  *sqlite3.SQLiteStmt
	args []driver.NamedValue
	dest []driver.Value
}

// exec runs the statement with values for its parameters.
func (s *stmt) exec(values ...driver.Value) error {
	s.bind(values)
	_, err := s.raw.ExecContext(unbroken, s.args)
	return err
}

// each calls found with every row; the slice, but not what it holds, is used
// again for the next row.
func (s *stmt) each(found func([]driver.Value) error, values ...driver.Value) error {
	s.bind(values)
	return s.rows(found)
}

// row calls found with the first row and fails with io.EOF when there is none.
func (s *stmt) row(found func([]driver.Value) error, values ...driver.Value) error {
	err := s.each(func(v []driver.Value) error {
		if err := found(v); err != nil {
			return err
		}
		return errEnough
	}, values...)
	switch {
	case err == nil:
		return io.EOF
	case errors.Is(err, errEnough):
		return nil
	}
	return err
}

var errEnough = errors.New("enough rows")

func (s *stmt) bind(values []driver.Value) {
	for i, v := range values {
		s.args[i].Value = v
	}
}

func (s *stmt) rows(found func([]driver.Value) error) (err error) {
	rows, err := s.raw.QueryContext(unbroken, s.args)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if s.dest == nil {
		s.dest = make([]driver.Value, len(rows.Columns()))
	}
	for {
		if err := rows.Next(s.dest); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := found(s.dest); err != nil {
			return err
		}
	}
}
