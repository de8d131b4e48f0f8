package bench

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent has the kernel end the server when this process is killed, so
// that an interrupted measurement leaves nothing running.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// datasync makes what was written to f durable, without its times.
func datasync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
