package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Copy writes what is in the file into a new one at path, while others go on
// writing. Nothing that was deleted is in the copy. It is not made durable.
func (c *Control) Copy(ctx context.Context, path string) error {
	if _, err := c.db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("copy what people did: %w", err)
	}
	return nil
}

// CopyFile does the same with any of our files; without one it does nothing.
func CopyFile(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := dial(from, "rw", 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	_, err = c.raw.ExecContext(unbroken, "VACUUM INTO ?", []driver.NamedValue{{Ordinal: 1, Value: to}})
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
