package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// file is a file being read, unpacked if it is packed.
type file struct {
	io.Reader
	disk *os.File
	size int64
	read atomic.Int64 // bytes of the disk's file
}

func openFile(path string) (*file, error) {
	disk, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &file{disk: disk}
	if info, err := disk.Stat(); err == nil {
		f.size = info.Size()
	}
	in := bufio.NewReaderSize(counted{f}, 256<<10)
	f.Reader = in
	if start, _ := in.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
		if f.Reader, err = gzip.NewReader(in); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), disk.Close())
		}
	}
	return f, nil
}

func (f *file) Close() error { return f.disk.Close() }

type counted struct{ f *file }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.f.disk.Read(p)
	c.f.read.Add(int64(n))
	return n, err
}
