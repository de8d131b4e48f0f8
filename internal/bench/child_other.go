//go:build !linux

package bench

import (
	"os"
	"syscall"
)

func dieWithParent() *syscall.SysProcAttr { return nil }

// datasync makes what was written to f durable.
func datasync(f *os.File) error { return f.Sync() }
