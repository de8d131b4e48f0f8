package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
)

// Source is where records come from: the journal.
type Source interface {
	Read(ctx context.Context, from, to uint64, fn func(*journal.Record) error) error
	Stat(ctx context.Context) (journal.Stat, error)
}

// Pace says how much of the machine archiving may take.
type Pace int

// A steady archive works half of the time and leaves a processor to others in
// the other half; a hurried one does not rest.
const (
	Steady Pace = iota
	Hurried
)

// Add archives the source's records behind the newest archived one, up to a
// sequence, and returns how many. When it returns without error all of them are
// durable and the source may drop them; after an error those in whole files are,
// and Last says how far. It fails with kind Unavailable, and writes nothing more,
// when the disk is nearly full.
func (a *Archive) Add(ctx context.Context, source Source, upto uint64, pace Pace) (records uint64, err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	st, err := source.Stat(ctx)
	if err != nil {
		return 0, err
	}
	from := max(a.Last()+1, st.First)
	if st.First == 0 || upto < from {
		return 0, nil
	}
	s, err := a.newSeries(pace)
	if err != nil {
		return 0, err
	}
	err = source.Read(ctx, from, upto, s.add)
	if err == nil {
		err = s.finish()
	}
	return s.records, errors.Join(err, s.close())
}

// series writes records into files, one after the other.
type series struct {
	a       *Archive
	encoder *zstd.Encoder
	pace    Pace
	w       *writer // of the file being written, nil between files
	records uint64  // in finished files

	woke time.Time // when work on the open frame began
}

func (a *Archive) newSeries(pace Pace) (*series, error) {
	encoder, err := newEncoder()
	return &series{a: a, encoder: encoder, pace: pace, woke: time.Now()}, err
}

// unnamed is what a file of records is called before its last record is known.
const unnamed = "records"

func (s *series) add(r *journal.Record) error {
	if s.w == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	frames := len(s.w.index.frames)
	if err := s.w.add(r); err != nil {
		return err
	}
	if len(s.w.index.frames) == frames {
		return nil
	}
	if s.w.offset >= s.a.o.FileBytes {
		return s.finish()
	}
	if err := s.a.room(frameBytes); err != nil {
		return err
	}
	s.rest()
	return nil
}

// rest leaves the processor to others for as long as the last frame took.
func (s *series) rest() {
	if s.pace == Steady {
		time.Sleep(min(time.Since(s.woke), 100*time.Millisecond))
	}
	s.woke = time.Now()
}

func (s *series) begin() error {
	if err := s.a.room(s.a.o.FileBytes); err != nil {
		return err
	}
	fault.Point("archive.before")
	f, err := s.a.create(unnamed)
	if err != nil {
		return err
	}
	s.w, err = newWriter(f, s.encoder, s.a.o.frameBytes)
	if err != nil {
		err = errors.Join(err, discard(f))
	}
	return err
}

// finish makes the file being written, if there is one, part of the archive.
func (s *series) finish() error {
	w := s.w
	if w == nil {
		return nil
	}
	s.w = nil
	f, err := s.a.publish(w)
	if err != nil {
		return err
	}
	fault.Point("archive.after")
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	s.a.files = append(s.a.files, f)
	s.records += w.index.Records
	return nil
}

// close drops a file that was not finished.
func (s *series) close() error {
	err := s.encoder.Close()
	if s.w != nil {
		err = errors.Join(err, discard(s.w.file))
	}
	return err
}

// publish ends w's file and gives it its name.
func (a *Archive) publish(w *writer) (File, error) {
	if err := w.end(); err != nil {
		return File{}, errors.Join(err, discard(w.file))
	}
	path, size, err := a.finish(w.file, nameOf(w.index.First, w.index.Last))
	if err != nil {
		return File{}, fmt.Errorf("finish an archive file: %w", err)
	}
	return File{Path: path, First: w.index.First, Last: w.index.Last, Bytes: size}, nil
}

// Rewrite replaces a file of records by one in which change has changed some:
// it is given every record of the file in order, may put other entries in place
// of its entries, and says whether it did. Entries may neither come nor go, for
// positions count them, and payloads are not to be changed in place. When nothing
// changed, or after an error, the file stays as it was; otherwise the new one is
// durable when Rewrite returns, and the old one is gone.
func (a *Archive) Rewrite(ctx context.Context, file File, change func(*journal.Record) (changed bool, err error)) (changed bool, err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.room(file.Bytes + frameBytes); err != nil {
		return false, err
	}
	encoder, err := newEncoder()
	if err != nil {
		return false, err
	}
	defer encoder.Close()
	f, err := a.create(unnamed)
	if err != nil {
		return false, err
	}
	w, err := newWriter(f, encoder, a.o.frameBytes)
	if err == nil {
		err = a.readFile(ctx, file, file.First, 0, func(r *journal.Record) error {
			entries := len(r.Entries)
			did, err := change(r)
			if err != nil {
				return err
			}
			if len(r.Entries) != entries {
				panic("archive: a record that is rewritten keeps its number of entries")
			}
			changed = changed || did
			return w.add(r)
		})
	}
	if err != nil || !changed {
		return false, errors.Join(err, discard(f))
	}
	fault.Point("archive.rewriting")
	return true, a.replace(w, file)
}

// replace puts w's file in the place of an old one, which has the same name.
func (a *Archive) replace(w *writer, old File) error {
	f, err := a.publish(w)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.files {
		if a.files[i].First == old.First {
			a.files[i] = f
		}
	}
	return nil
}
