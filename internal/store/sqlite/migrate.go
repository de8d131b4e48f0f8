package sqlite

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/kikubari/kikubari/internal/cx"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the file behind c up to the newest schema in migrations/kind:
// numbered SQL files, each run once, in order, in a transaction of its own. How
// many have been run stands in the file's user_version. There is no way back: a
// file of a newer program is refused with instructions.
func migrate(c *conn, kind, name string) error {
	files, err := fs.ReadDir(migrations, "migrations/"+kind)
	if err != nil {
		return err
	}
	done, err := c.number("PRAGMA user_version")
	if err != nil {
		return fmt.Errorf("read the schema version of %s: %w", name, err)
	}
	if done > int64(len(files)) {
		return cx.E(cx.Invalid, "open "+name, fmt.Sprintf(
			"the file has schema %d and this program knows up to %d: start the newer Kikubari that wrote it, or restore a backup of the data directory made before the upgrade",
			done, len(files)))
	}
	for i := int(done); i < len(files); i++ {
		script, err := migrations.ReadFile("migrations/" + kind + "/" + files[i].Name())
		if err != nil {
			return err
		}
		if err := step(c, string(script), i+1); err != nil {
			return fmt.Errorf("migrate %s with %s: %w", name, files[i].Name(), err)
		}
	}
	return nil
}

// step runs one script and records it, both or neither.
func step(c *conn, script string, version int) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := c.exec(script + fmt.Sprintf(";\nPRAGMA user_version = %d", version))
	if err != nil {
		_ = c.exec("ROLLBACK") // fails when the error has ended the transaction already
		return err
	}
	return c.exec("COMMIT")
}
