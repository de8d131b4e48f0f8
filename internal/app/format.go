package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kikubari/kikubari/internal/backup"
	"github.com/kikubari/kikubari/internal/cx"
)

// dataFormat is the format of data directories that this version writes. It
// grows when a program that does not know of a change would do harm on such a
// directory. Every engine looks at the version of its own file besides.
const dataFormat = 1

// formatFile says in a data directory what wrote it. Directories of versions
// before it existed have format 1.
const formatFile = "format.json"

// dataStamp is what formatFile holds.
type dataStamp struct {
	Format  int    `json:"format"`
	Version string `json:"version"` // of the program that wrote the directory last
}

// checkFormat fails with kind Invalid when a data directory is not for this
// version of the program, or is not whole. It changes nothing.
func checkFormat(dir string) (dataStamp, error) {
	switch _, err := os.Stat(filepath.Join(dir, backup.Unfinished)); {
	case err == nil:
		return dataStamp{}, cx.E(cx.Invalid, "", fmt.Sprintf("%s was being restored and is not whole: empty it and run kikubari restore again", dir))
	case !errors.Is(err, fs.ErrNotExist):
		return dataStamp{}, err
	}
	b, err := os.ReadFile(filepath.Join(dir, formatFile))
	if errors.Is(err, fs.ErrNotExist) {
		return dataStamp{Format: 1}, nil
	} else if err != nil {
		return dataStamp{}, err
	}
	var s dataStamp
	if err := json.Unmarshal(b, &s); err != nil || s.Format < 1 {
		return s, cx.E(cx.Invalid, "", fmt.Sprintf("%s of %s cannot be read: restore it from a backup, or write {\"format\":%d} into it if this version made the directory", formatFile, dir, dataFormat))
	}
	if s.Format > dataFormat {
		return s, cx.E(cx.Invalid, "", fmt.Sprintf(
			"the data directory %s has format %d, written by Kikubari %s, and this program (%s) knows up to %d: start version %s or a newer one, or restore a backup that was made before the upgrade",
			dir, s.Format, s.Version, version, dataFormat, s.Version))
	}
	return s, nil
}

// stampFormat notes that this program writes the data directory.
func (a *App) stampFormat(context.Context) error { return stampFormat(a.config.Data) }

// stampFormat notes which program writes the data directory from now on.
func stampFormat(dir string) error {
	stamp := dataStamp{Format: dataFormat, Version: version}
	if was, err := checkFormat(dir); err != nil || was == stamp {
		return err
	}
	return stamp.write(dir)
}

func (s dataStamp) write(dir string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return backup.WriteFile(filepath.Join(dir, formatFile), append(b, '\n'))
}
