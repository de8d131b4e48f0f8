package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// manifestFile is written last: a directory without it is no backup.
const manifestFile = "manifest.json"

// manifestFormat is the format of backups that this version writes, and the
// newest it reads.
const manifestFormat = 1

// Manifest says what is in a backup.
type Manifest struct {
	Format     int       `json:"format"`
	Version    string    `json:"version"`     // of the program that made it
	DataFormat int       `json:"data_format"` // of the data directory
	Began      time.Time `json:"began"`
	Ended      time.Time `json:"ended"`

	State     Cut   `json:"state"`
	Warehouse Cut   `json:"warehouse"`
	Journal   Range `json:"journal"`

	Files []File `json:"files"` // in order of name
}

// Cut is how far a part goes.
type Cut struct {
	Position cx.Position `json:"position"`
	Time     cx.Instant  `json:"time,omitzero"` // log time, microseconds since 1970
}

// Range is which records the journal had.
type Range struct {
	First uint64     `json:"first"` // those before are in the archive
	Last  uint64     `json:"last"`
	Time  cx.Instant `json:"time"` // log time of the last, microseconds since 1970
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"` // with slashes, from the backup's directory
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // in hex
}

// Bytes is how much all files take.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// write makes the directory a backup.
func (m *Manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, manifestFile), append(b, '\n'))
}

// WriteFile puts a file in place durably and as a whole.
func WriteFile(path string, content []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// readManifest reads what is in a backup. It fails with kind Invalid when dir is
// none, or is one of a newer program.
func readManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cx.E(cx.Invalid, "", fmt.Sprintf("%s is no backup, or one that was never finished: it has no %s", dir, manifestFile))
	case err != nil:
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, cx.E(cx.Invalid, "", fmt.Sprintf("%s of %s cannot be read: %v", manifestFile, dir, err))
	}
	if m.Format < 1 || m.Format > manifestFormat {
		return nil, cx.E(cx.Invalid, "", fmt.Sprintf("the backup was made by Kikubari %s in format %d and this program knows up to %d: use version %s or a newer one", m.Version, m.Format, manifestFormat, m.Version))
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return nil, cx.E(cx.Invalid, "", fmt.Sprintf("%s of %s names the file %q outside of it", manifestFile, dir, f.Name))
		}
	}
	return &m, nil
}

// Verify reads every file of a backup and compares it with what was written. It
// fails with kind Invalid and names every file that is not the same.
func Verify(ctx context.Context, dir string) (*Manifest, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, want := range m.Files {
		got, err := measure(ctx, filepath.Join(dir, filepath.FromSlash(want.Name)))
		got.Name = want.Name
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, fmt.Errorf("%s is missing", want.Name))
		case err != nil:
			return nil, err
		case got.Bytes != want.Bytes:
			wrong = append(wrong, fmt.Errorf("%s has %d bytes and not %d", want.Name, got.Bytes, want.Bytes))
		case got != want:
			wrong = append(wrong, fmt.Errorf("%s has other bytes than were written", want.Name))
		}
	}
	if len(wrong) > 0 {
		return nil, &cx.Error{Kind: cx.Invalid, Err: fmt.Errorf("the backup in %s is damaged, use another: %w", dir, errors.Join(wrong...))}
	}
	return m, nil
}

// measure reads a file, and makes it durable.
func measure(ctx context.Context, path string) (f File, err error) {
	in, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := in.Sync(); err != nil {
		return f, err
	}
	h := sha256.New()
	for err == nil {
		if ctx.Err() != nil {
			return f, context.Cause(ctx)
		}
		var n int64
		n, err = io.CopyN(h, in, 16<<20)
		f.Bytes += n
	}
	if !errors.Is(err, io.EOF) {
		return f, err
	}
	f.SHA256 = hex.EncodeToString(h.Sum(nil))
	return f, nil
}
