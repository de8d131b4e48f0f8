package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
)

// Checkpoint is a kept copy of the machine's state: the state file as of a
// checkpoint, as one zstd stream.
type Checkpoint struct {
	Path     string
	Day      time.Time   // of its log time: midnight in UTC
	Position cx.Position // everything up to and including this entry is in it
	Bytes    int64       // on the disk
}

// Name is the file's name within the archive.
func (c Checkpoint) Name() string { return filepath.Base(c.Path) }

const (
	checkpointPrefix = "checkpoint-"
	checkpointSuffix = ".db.zst"
)

func checkpointName(at cx.Position, when cx.Instant) string {
	return fmt.Sprintf("%s%s-%0*d.%05d%s", checkpointPrefix, when.Time().UTC().Format(time.DateOnly), digits, at.Sequence(), at.Index(), checkpointSuffix)
}

// parseCheckpoint reads what checkpointName wrote.
func parseCheckpoint(name string) (c Checkpoint, ok bool) {
	text, ok1 := strings.CutPrefix(name, checkpointPrefix)
	text, ok2 := strings.CutSuffix(text, checkpointSuffix)
	if !ok1 || !ok2 || len(text) <= len(time.DateOnly) {
		return c, false
	}
	var sequence uint64
	var index int
	if _, err := fmt.Sscanf(text[len(time.DateOnly):], "-%d.%d", &sequence, &index); err != nil {
		return c, false
	}
	day, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	c = Checkpoint{Day: day, Position: cx.At(sequence, index)}
	return c, err == nil && checkpointName(c.Position, cx.InstantOf(day)) == name
}

// Checkpoints lists the kept checkpoints, oldest first.
func (a *Archive) Checkpoints() []Checkpoint {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.checkpoints)
}

// Keep keeps a checkpoint. It has write make a state file of about so many bytes
// at a path and say where it is; position 0 is none, and then nothing is kept.
// It fails with kind Unavailable when the disk is nearly full.
func (a *Archive) Keep(ctx context.Context, bytes int64, write func(ctx context.Context, path string) (cx.Position, cx.Instant, error)) (c Checkpoint, err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.room(2 * bytes); err != nil {
		return c, err
	}
	whole := filepath.Join(a.o.Dir, "state.db"+unfinished)
	defer func() {
		if e := os.Remove(whole); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}()
	at, when, err := write(ctx, whole)
	if err != nil || at == 0 {
		return c, err
	}
	name := checkpointName(at, when)
	c, _ = parseCheckpoint(name)
	fault.Point("archive.checkpoint")
	f, err := a.create("checkpoint")
	if err != nil {
		return c, err
	}
	if err := compressFile(ctx, f, whole); err != nil {
		return c, errors.Join(err, discard(f))
	}
	if c.Path, c.Bytes, err = a.finish(f, name); err != nil {
		return c, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checkpoints = slices.DeleteFunc(a.checkpoints, func(other Checkpoint) bool { return other.Path == c.Path })
	a.checkpoints = append(a.checkpoints, c)
	slices.SortFunc(a.checkpoints, byPosition)
	return c, nil
}

func byPosition(a, b Checkpoint) int { return compare(uint64(a.Position), uint64(b.Position)) }

// compressFile writes a file into w, half of the time.
func compressFile(ctx context.Context, w io.Writer, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	for {
		woke := time.Now()
		_, err := io.CopyN(z, in, frameBytes)
		if errors.Is(err, io.EOF) {
			return z.Close()
		}
		if err != nil {
			return errors.Join(err, z.Close())
		}
		select {
		case <-time.After(time.Since(woke)):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), z.Close())
		}
	}
}

// Restore writes the state file of a kept checkpoint to path, which must not
// exist. A checkpoint that is not what was kept is a *DamageError.
func (a *Archive) Restore(c Checkpoint, path string) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(a.inflate(c, out), out.Close())
}

// Check reads a kept checkpoint. One that is not what was kept is a *DamageError.
func (a *Archive) Check(c Checkpoint) error { return a.inflate(c, io.Discard) }

func (a *Archive) inflate(c Checkpoint, w io.Writer) error {
	in, err := os.Open(c.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	out := &sink{w: w}
	if _, err := io.Copy(out, z.IOReadCloser()); err != nil && out.err == nil {
		return &DamageError{c.Name(), c.Position.Sequence(), err.Error()}
	}
	return out.err
}

// sink tells a fault of writing from one of reading.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (n int, err error) {
	n, s.err = s.w.Write(b)
	return n, s.err
}

// Drop removes what is older than a log time: files of records that end before
// it, and checkpoints of days that end before it. It removes nothing while there
// is no checkpoint of that day or a later one, from which the state could be
// computed. It returns how many files it removed.
func (a *Archive) Drop(before cx.Instant) (dropped int, err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	files, checkpoints := a.Files(), a.Checkpoints()
	limit := before.Time().UTC()
	if n := len(checkpoints); n == 0 || checkpoints[n-1].Day.Before(limit.Truncate(24*time.Hour)) {
		return 0, nil
	}
	for len(files) > 0 {
		s, err := a.Summary(files[0])
		if err != nil {
			return dropped, err
		}
		if s.To >= before {
			break
		}
		if err := a.remove(files[0].Path); err != nil {
			return dropped, err
		}
		files, dropped = files[1:], dropped+1
		a.set(files, checkpoints)
	}
	for len(checkpoints) > 0 && !checkpoints[0].Day.Add(24*time.Hour).After(limit) {
		if err := a.remove(checkpoints[0].Path); err != nil {
			return dropped, err
		}
		checkpoints, dropped = checkpoints[1:], dropped+1
		a.set(files, checkpoints)
	}
	return dropped, nil
}

// Forget removes a kept checkpoint.
func (a *Archive) Forget(c Checkpoint) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.remove(c.Path); err != nil {
		return err
	}
	a.set(a.Files(), slices.DeleteFunc(a.Checkpoints(), func(other Checkpoint) bool { return other.Path == c.Path }))
	return nil
}

func (a *Archive) set(files []File, checkpoints []Checkpoint) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files, a.checkpoints = files, checkpoints
}

// remove deletes a file and makes that durable.
func (a *Archive) remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return a.syncDir()
}
