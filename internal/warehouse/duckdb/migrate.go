package duckdb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/kikubari/kikubari/internal/cx"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the file up to the newest schema: numbered SQL files, each run
// once, in order, in a transaction of its own. There is no way back: a file of
// a newer program is refused with instructions.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	done, err := schemaVersion(ctx, db)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if done > len(files) {
		return cx.E(cx.Invalid, "", fmt.Sprintf(
			"the file has schema %d and this program knows up to %d: start the newer Kikubari that wrote it, or restore a backup of the data directory made before the upgrade",
			done, len(files)))
	}
	for i := done; i < len(files); i++ {
		script, err := migrations.ReadFile(files[i])
		if err != nil {
			return err
		}
		if err := step(ctx, db, string(script), i+1); err != nil {
			return fmt.Errorf("%s: %w", files[i], err)
		}
	}
	return nil
}

func schemaVersion(ctx context.Context, db *sql.DB) (n int, err error) {
	var tables int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'store' AND table_name = 'meta'").Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	return n, db.QueryRowContext(ctx, "SELECT schema_version FROM store.meta").Scan(&n)
}

// step runs one script and records it, both or neither.
func step(ctx context.Context, db *sql.DB, script string, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE store.meta SET schema_version = ?", version); err != nil {
		return err
	}
	return tx.Commit()
}
