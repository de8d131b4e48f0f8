package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// floorWrite is the size of one append: about one event.
const floorWrite = 800

// floor appends to a file in dir, the temporary directory when empty, and waits
// for the disk after each append: no system that is durable can answer faster.
func (r *Result) floor(ctx context.Context, dir string, d time.Duration) (err error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("floor-%d", os.Getpid())))
	if err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var h Histogram
	event := make([]byte, floorWrite)
	for stop := time.Now().Add(d); ctx.Err() == nil; {
		from := time.Now()
		if from.After(stop) {
			break
		}
		if _, err := f.Write(event); err != nil {
			return fmt.Errorf("measure the disk: %w", err)
		}
		if err := datasync(f); err != nil {
			return fmt.Errorf("measure the disk: %w", err)
		}
		h.Record(time.Since(from))
	}
	r.Floor50, r.Floor99, r.Floor999 = ms(h.Quantile(0.5)), ms(h.Quantile(0.99)), ms(h.Quantile(0.999))
	return ctx.Err()
}
