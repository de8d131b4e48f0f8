package duckdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/nice"
)

// Copy writes the rows stored so far into a new file at path, which opens as a
// warehouse of its own, and returns up to which position they are. Rows go on to
// be appended meanwhile. The copy is durable when Copy returns; after an error it
// is to be removed.
//
// DuckDB brings its log into the file first. From then on it writes only where
// the file has nothing, until it does so again and then moves a head of the
// file. A copy during which no head moved is therefore what was stored when it
// began. When heads moved during two copies, appends wait for a third.
func (w *Warehouse) Copy(ctx context.Context, path string) (at cx.Position, err error) {
	w.copying.Lock()
	defer w.copying.Unlock()
	if at, err = w.copy(ctx, path); err != nil {
		return 0, fmt.Errorf("copy the warehouse: %w", err)
	}
	return at, nil
}

func (w *Warehouse) copy(ctx context.Context, path string) (at cx.Position, err error) {
	for range 2 {
		at, err = w.copyBeside(ctx, path)
		if !errors.Is(err, errMoved) {
			break
		}
	}
	if errors.Is(err, errMoved) {
		at, err = w.copyAlone(ctx, path)
	}
	return at, err
}

// errMoved says that a copy may not be one.
var errMoved = errors.New("the file was written anew while it was copied")

// copyBeside copies while appends go on.
func (w *Warehouse) copyBeside(ctx context.Context, path string) (cx.Position, error) {
	at, heads, err := w.settle(ctx)
	if err != nil {
		return 0, err
	}
	defer w.mu.RUnlock()
	return at, w.copyFile(ctx, w.file, heads, path)
}

// settle settles the file. Without an error it leaves mu held for reading.
func (w *Warehouse) settle(ctx context.Context) (at cx.Position, heads []byte, err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	w.appending.Lock() // before mu, as whoever replaces the file does
	defer w.appending.Unlock()
	if err := w.ready(ctx); err != nil {
		return 0, nil, err
	}
	if at, heads, err = w.file.settle(ctx, w.options.Path); err == nil {
		w.mu.RLock()
	}
	return at, heads, err
}

// copyAlone copies while appends wait and nobody asks.
func (w *Warehouse) copyAlone(ctx context.Context, path string) (at cx.Position, err error) {
	defer w.asking.hold(errEvicted)()
	w.appending.Lock()
	defer w.appending.Unlock()
	if err := w.ready(ctx); err != nil {
		return 0, err
	}
	at, heads, err := w.file.settle(ctx, w.options.Path)
	if err == nil {
		err = w.copyFile(ctx, w.file, heads, path)
	}
	return at, err
}

// settle brings the log into the file and returns the position up to which rows
// are in it, and its heads. The caller holds appending.
func (f *file) settle(ctx context.Context, path string) (at cx.Position, heads []byte, err error) {
	if err := f.feed.settle(); err != nil {
		return 0, nil, err
	}
	if err := f.checkpoint(ctx); err != nil {
		return 0, nil, err
	}
	// A question that began before may keep rows in the log.
	if info, err := os.Stat(path + ".wal"); err == nil && info.Size() > 0 {
		return 0, nil, errMoved
	}
	heads, err = f.heads(path)
	return f.feed.position, heads, err
}

// checkpoint brings the log into the file. DuckDB refuses for as long as a
// question is at certain points, so it is asked again for some seconds.
func (f *file) checkpoint(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := f.feed.exec("CHECKPOINT")
		if err == nil || tries == 200 || !strings.Contains(err.Error(), "Cannot CHECKPOINT") {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// headBytes is where DuckDB's heads end: one for the file and two for what is in
// it, of which one is in force.
const headBytes = 3 * 4096

func (f *file) heads(path string) ([]byte, error) {
	source, err := f.bytes(path)
	if err != nil {
		return nil, err
	}
	heads := make([]byte, headBytes)
	_, err = source.ReadAt(heads, 0)
	return heads, err
}

// bytes opens the file for reading its bytes, once: when a process closes a file
// it loses every lock that it has on it, DuckDB's too.
func (f *file) bytes(path string) (_ *os.File, err error) {
	f.opening.Lock()
	defer f.opening.Unlock()
	if f.source == nil {
		f.source, err = os.Open(path)
	}
	return f.source, err
}

// copyFile copies every byte, at low priority, and fails with errMoved when the
// heads are others afterwards.
func (w *Warehouse) copyFile(ctx context.Context, f *file, heads []byte, path string) (err error) {
	source, err := f.bytes(w.options.Path)
	if err != nil {
		return err
	}
	info, err := source.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	err = nice.Run(func() error {
		const chunk = 8 << 20
		for at := int64(0); at < info.Size(); at += chunk {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, err := io.Copy(to, io.NewSectionReader(source, at, min(chunk, info.Size()-at))); err != nil {
				return err
			}
			fault.Point("backup.inside")
		}
		return to.Sync()
	})
	if err != nil {
		return err
	}
	after, err := f.heads(w.options.Path)
	if err == nil && !bytes.Equal(heads, after) {
		err = errMoved
	}
	return err
}
