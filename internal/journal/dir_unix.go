//go:build unix

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kikubari/kikubari/internal/cx"
)

// dirLock keeps a second process from opening the same journal. The kernel
// frees it when the process dies, however it dies.
type dirLock struct{ file *os.File }

// lockDir makes dir when it is missing and locks it.
func lockDir(dir string) (*dirLock, error) {
	if dir == "" {
		return nil, cx.E(cx.Invalid, "open the journal", "it needs a directory")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the journal's directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the journal: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = cx.E(cx.Conflict, "open the journal", dir+" is in use by another process")
	case err != nil:
		err = fmt.Errorf("lock the journal: %w", err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() error { return l.file.Close() }

// FreeBytes is the space on dir's file system that an ordinary user may still
// use.
func FreeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert // signed on some systems
}
