package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// Log is archive and journal as one log, from the oldest record that is kept to
// the live end. What both hold comes from the archive. Any number of readers may
// run at once, while records are archived and released.
type Log struct {
	Archive *Archive
	Journal *journal.Journal
}

// First returns the sequence and the log time of the oldest record that is kept,
// 0 and 0 when there is none. It is 1 when the log has its beginning.
func (l *Log) First(ctx context.Context) (sequence uint64, at cx.Instant, err error) {
	err = l.Read(ctx, 0, 0, func(r *journal.Record) error {
		sequence, at = r.Sequence, r.Time
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return sequence, at, err
}

// errEnough ends a reading that has what it wants.
var errEnough = errors.New("enough")

// Last returns the sequence and the log time of the newest durable record, 0 and
// 0 when there is none.
func (l *Log) Last() (sequence uint64, at cx.Instant) { return l.Journal.Last() }

// Read calls fn for every record from one sequence to another, both included, in
// order, without gap or double. From 0 begins at the oldest record that is kept,
// to 0 ends at the newest one that is durable when the archive has been read.
//
// It returns when ctx ends (with its cause), when fn fails (with that error), or
// when a record cannot be read: a *DamageError of this package or of the journal
// names it. From must not be older than what is kept (kind NotFound) and not lie
// beyond the end (Conflict).
func (l *Log) Read(ctx context.Context, from, to uint64, fn func(*journal.Record) error) error {
	return l.read(ctx, from, to, fn, func(next uint64, fn func(*journal.Record) error) error {
		if to != 0 && next > to {
			return nil
		}
		return l.Journal.Read(ctx, next, to, fn)
	})
}

// Follow is Read without an end: behind the newest durable record it waits for
// more, until ctx ends, fn fails or the journal is closed. Unlike the journal's
// own follower any number may run at once, none holds appends back, and records
// come without tags.
func (l *Log) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return l.read(ctx, from, 0, fn, func(next uint64, fn func(*journal.Record) error) error {
		return l.Journal.ReadOn(ctx, next, fn)
	})
}

// Append appends to the journal.
func (l *Log) Append(ctx context.Context, entries []cx.Entry, tag any) (cx.Position, error) {
	return l.Journal.Append(ctx, entries, tag)
}

// read gives fn what the archive holds, and then lets rest give it what the
// journal does from a sequence on. What is archived and released between the two
// is found in the archive when it is asked again.
func (l *Log) read(ctx context.Context, from, to uint64, fn func(*journal.Record) error, rest func(from uint64, fn func(*journal.Record) error) error) error {
	next := from
	var failed error
	each := func(r *journal.Record) error {
		if failed = fn(r); failed == nil {
			next = r.Sequence + 1
		}
		return failed
	}
	for again := false; ; again = true {
		behind, err := l.Archive.Read(ctx, next, to, each)
		switch {
		case err != nil:
			return err
		case again && behind == next:
			return l.missing(ctx, next)
		}
		if next = behind; next == 0 { // the archive is empty
			st, err := l.Journal.Stat(ctx)
			if err != nil {
				return err
			}
			next = st.First
		}
		if err := rest(next, each); err == nil || failed != nil || cx.KindOf(err) != cx.NotFound {
			return err
		}
	}
}

// missing says which records are kept nowhere.
func (l *Log) missing(ctx context.Context, from uint64) error {
	st, err := l.Journal.Stat(ctx)
	if err != nil {
		return err
	}
	behind := st.First
	if f, ok := l.Archive.from(from); ok {
		behind = min(behind, f.First)
	}
	return cx.E(cx.NotFound, "read the log", fmt.Sprintf("the records from %d to %d are kept neither in the archive nor in the journal", from, behind-1))
}

// Live is a Log whose Follow is the journal's one follower: live records come
// from memory with their tags, and appends wait for it when it falls behind. It
// is what the machine runs over.
type Live struct{ *Log }

// Follow calls fn for every record from a sequence on, from 0 for all that are
// kept, first the archived ones, then as journal.Follow does.
func (l Live) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return l.read(ctx, from, 0, fn, func(next uint64, fn func(*journal.Record) error) error {
		return l.Journal.Follow(ctx, next, fn)
	})
}
