package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
)

// Unfinished is the file that stands in a data directory while it is being
// restored. No program may start on one that has it.
const Unfinished = "restore.unfinished"

// Restore makes a data directory out of the backup in dir: it verifies the
// backup, copies the files and builds the journal again, with the sequences that
// it had. data must be empty or not exist (kind Conflict), and dataFormat is the
// newest format of data directories that the caller knows (kind Invalid). The
// data directory is durable when Restore returns. After an error it is not whole,
// and Unfinished stays in it unless nothing was written.
//
// finish is called before Unfinished is taken away.
func Restore(ctx context.Context, dir, data string, dataFormat int, log *slog.Logger, finish func(*Manifest) error) (*Manifest, error) {
	m, err := Verify(ctx, dir)
	if err != nil {
		return nil, err
	}
	if m.DataFormat > dataFormat {
		return nil, cx.E(cx.Invalid, "", fmt.Sprintf("the backup was made by Kikubari %s from a data directory of format %d, and this program knows up to %d: restore it with version %s or a newer one", m.Version, m.DataFormat, dataFormat, m.Version))
	}
	if _, err := makeEmpty(data); err != nil {
		return nil, err
	}
	mark := filepath.Join(data, Unfinished)
	if err := WriteFile(mark, []byte("This data directory is being restored and is not whole. If nothing restores it any more, empty it and restore again.\n")); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if path.Dir(f.Name) == journalDir {
			continue
		}
		to := filepath.Join(data, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return nil, err
		}
		if err := copyFile(filepath.Join(dir, filepath.FromSlash(f.Name)), to); err != nil {
			return nil, fmt.Errorf("restore %s: %w", f.Name, err)
		}
		fault.Point("restore.inside")
	}
	if err := restoreJournal(ctx, filepath.Join(dir, journalDir), filepath.Join(data, journalDir), log); err != nil {
		return nil, err
	}
	if finish != nil {
		if err := finish(m); err != nil {
			return nil, err
		}
	}
	if err := syncDirs(data); err != nil {
		return nil, err
	}
	if err := os.Remove(mark); err != nil {
		return nil, err
	}
	return m, syncDir(data)
}

// restoreJournal builds a journal out of files of records. Without any the
// program makes a new one.
func restoreJournal(ctx context.Context, from, to string, log *slog.Logger) error {
	records, err := archive.Open(archive.Options{Dir: from, Log: log})
	if err != nil {
		return err
	}
	if records.First() == 0 {
		return nil
	}
	o := journal.Options{Dir: to, ReserveBytes: -1, Log: log}
	return journal.Restore(ctx, o, func(put func(*journal.Record) error) error {
		_, err := records.Read(ctx, 0, 0, put)
		return err
	})
}

// syncDirs makes the names in dir and in its directories durable.
func syncDirs(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, syncDir(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, syncDir(dir))
}
