package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// archiving is how the archive fares.
type archiving struct {
	tending  sync.Mutex // held while records move from the journal to the archive
	failures atomic.Uint64
	wrong    atomic.Pointer[string] // why the last attempt failed; nil when it did not
}

// openArchive opens the archive and joins it with the journal.
func (a *App) openArchive(context.Context) (err error) {
	if a.archive, err = openArchive(a.config, a.log); err != nil {
		return err
	}
	a.records = &archive.Log{Archive: a.archive, Journal: a.journal}
	return fitting(a.records)
}

func openArchive(c Config, log *slog.Logger) (*archive.Archive, error) {
	return archive.Open(archive.Options{
		Dir: c.path("archive"), FileBytes: int64(c.ArchiveEveryMB) << 20, ReserveBytes: int64(c.JournalReserveMB) << 20, Log: log,
	})
}

// fitting fails when the archive holds records that the journal has yet to
// write: they would be others than those.
func fitting(l *archive.Log) error {
	last, _ := l.Last()
	if archived := l.Archive.Last(); archived > last {
		return cx.E(cx.Conflict, "open the archive", fmt.Sprintf(
			"the archive goes up to record %d and the journal ends at %d: the journal was restored from an older copy; restore a newer one, or move the archive's files behind record %d away if what they hold is to be forgotten", archived, last, last))
	}
	return nil
}

// computable fails when there is no state yet and the log from which it would be
// computed has lost its beginning.
func (a *App) computable(ctx context.Context) error {
	if a.shard.Progress().Checkpoint != 0 {
		return nil
	}
	first, _, err := a.records.First(ctx)
	if err == nil && first > 1 {
		err = cx.E(cx.Invalid, "recover state", fmt.Sprintf("there is no state, and the log begins at record %d: run kikubari rebuild --write, which begins with a checkpoint that was kept", first))
	}
	return err
}

// keepArchive tends the archive while the program serves. Nothing that fails
// here stops the line: it is logged, shown and tried again.
func (a *App) keepArchive(ctx context.Context) {
	ticker := time.NewTicker(max(min(a.config.ArchiveEvery, time.Minute), 10*time.Millisecond))
	defer ticker.Stop()
	for {
		err := a.tendArchive(ctx)
		if ctx.Err() != nil {
			return
		}
		a.noteArchive(ctx, err)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// noteArchive notes how an attempt ended.
func (a *App) noteArchive(ctx context.Context, err error) {
	if err == nil {
		a.archiving.wrong.Store(nil)
		return
	}
	a.archiving.failures.Add(1)
	text := fmt.Sprintf("the archive is not kept: %v; the journal keeps everything until it is", err)
	a.archiving.wrong.Store(&text)
	a.log.ErrorContext(ctx, "the archive is not kept", slog.Any("error", err))
}

// tendArchive does what is due.
func (a *App) tendArchive(ctx context.Context) error {
	if a.shard.Progress().Checkpoint == 0 {
		return nil
	}
	due, err := a.archiveDue(ctx)
	if err == nil && due {
		err = a.archiveSealed(ctx, archive.Steady)
	}
	return errors.Join(err, a.trimJournal(ctx), a.keepCheckpoint(ctx), a.dropOld(ctx))
}

// sealed is the newest record that may leave the journal: the machine does not
// need it any more.
func (a *App) sealed() uint64 { return max(a.shard.Progress().Checkpoint.Sequence(), 1) - 1 }

// archiveDue reports whether enough has gathered in the journal, or has waited
// long enough.
func (a *App) archiveDue(ctx context.Context) (bool, error) {
	st, err := a.journal.Stat(ctx)
	if err != nil {
		return false, err
	}
	from, upto := max(a.archive.Last()+1, st.First), a.sealed()
	if upto < from {
		return false, nil
	}
	waiting := float64(st.Bytes) * float64(upto-from+1) / float64(st.Last-st.First+1)
	if waiting >= float64(a.config.ArchiveEveryMB)*(1<<20) {
		return true, nil
	}
	var oldest cx.Instant
	err = a.journal.Read(ctx, from, 0, func(r *journal.Record) error {
		oldest = r.Time
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		return false, err
	}
	return now().Sub(oldest) >= a.config.ArchiveEvery, nil
}

// errEnough ends a reading that has what it wants.
var errEnough = errors.New("enough")

// archiveSealed archives every sealed record that is not archived yet.
func (a *App) archiveSealed(ctx context.Context, pace archive.Pace) error {
	a.archiving.tending.Lock()
	defer a.archiving.tending.Unlock()
	start, before := time.Now(), a.archive.Bytes()
	records, err := a.archive.Add(ctx, a.journal, a.sealed(), pace)
	if records > 0 {
		a.log.InfoContext(ctx, "journal records were archived", slog.Uint64("records", records), slog.Uint64("upto", a.archive.Last()),
			slog.Int64("bytes", a.archive.Bytes()-before), slog.Duration("took", time.Since(start)))
	}
	return err
}

// trimJournal makes room. When the journal has used three quarters of what it may,
// it archives what is not archived yet and releases the oldest tenth, again and
// again. When the disk has room for a few files of the archive only, it releases
// the oldest tenth once, as far as that is archived already.
func (a *App) trimJournal(ctx context.Context) error {
	limit, scarce := uint64(a.config.JournalMaxMB)<<20, 4*uint64(a.config.ArchiveEveryMB)<<20
	for {
		st, err := a.journal.Stat(ctx)
		full := limit > 0 && st.Bytes >= limit/4*3
		if err != nil || !full && st.Free >= scarce {
			return err
		}
		below := st.First + max((st.Last-st.First)/10, 1)
		if full && a.archive.Last()+1 < below {
			if err := a.archiveSealed(ctx, archive.Hurried); err != nil {
				return err
			}
		}
		if n, err := a.release(ctx, below); err != nil || n == 0 || !full {
			return err
		}
	}
}

// release lets the journal drop the records below a sequence, as far as they are
// archived and the machine does not need them.
func (a *App) release(ctx context.Context, below uint64) (records uint64, err error) {
	records, err = a.journal.Release(ctx, min(below, a.archive.Last()+1, a.sealed()+1))
	if records > 0 {
		a.log.InfoContext(ctx, "archived journal records were released", slog.Uint64("records", records))
	}
	return records, err
}

// keepCheckpoint keeps the first checkpoint of each day of log time.
func (a *App) keepCheckpoint(ctx context.Context) error {
	day := a.shard.Progress().CheckpointTime.Time().UTC().Truncate(24 * time.Hour)
	if kept := a.archive.Checkpoints(); len(kept) > 0 && !kept[len(kept)-1].Day.Before(day) {
		return nil
	}
	return a.keepNow(ctx)
}

// keepNow keeps the last checkpoint.
func (a *App) keepNow(ctx context.Context) error {
	var bytes int64
	for _, name := range [...]string{"state.db", "state.db-wal"} {
		if info, err := os.Stat(a.path(name)); err == nil {
			bytes += info.Size()
		}
	}
	c, err := a.archive.Keep(ctx, bytes, a.state.Copy)
	if err == nil && c.Path != "" {
		a.log.InfoContext(ctx, "a checkpoint is kept", slog.String("file", c.Name()), slog.Int64("bytes", c.Bytes))
	}
	return err
}

// dropOld drops what is older than the archive is to be kept, both by the wall
// clock and by log time: either may be wrong.
func (a *App) dropOld(ctx context.Context) error {
	if a.config.ArchiveKeep == 0 {
		return nil
	}
	_, last := a.journal.Last()
	dropped, err := a.archive.Drop(min(now(), last).Add(-a.config.ArchiveKeep))
	if dropped > 0 {
		a.log.InfoContext(ctx, "old files of the archive were dropped", slog.Int("files", dropped))
	}
	return err
}
