package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/backup"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// sendsFile is where the data directory keeps how far deliveries have come.
const sendsFile = "deliver.db"

// backups makes one backup at a time and knows how the last one fared.
type backups struct {
	*App

	asked chan string // directories; holds one

	mu   sync.Mutex
	last *api.Backup // nil before the first
}

// Begin makes backups an api.Backups.
func (b *backups) Begin(_ context.Context, dir string) (api.Backup, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != nil && b.last.State == api.BackupRunning {
		return api.Backup{}, cx.E(cx.Conflict, "", "a backup into "+b.last.Dir+" is running already: wait until it has ended")
	}
	b.last = &api.Backup{Dir: dir, State: api.BackupRunning, Step: "beginning", Began: api.TimeOf(cx.InstantOf(time.Now()))}
	b.asked <- dir // the one before has been taken, for it has ended
	return *b.last, nil
}

// serve makes the backups that are asked for until ctx ends.
func (b *backups) serve(ctx context.Context) {
	for {
		select {
		case dir := <-b.asked:
			b.run(ctx, dir)
		case <-ctx.Done():
			return
		}
	}
}

// Backup makes backups an api.Backups.
func (b *backups) Backup() (api.Backup, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		return api.Backup{}, cx.E(cx.NotFound, "", "no backup was made since the program was started")
	}
	return *b.last, nil
}

// note changes what is known of the last backup.
func (b *backups) note(change func(*api.Backup)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.last)
}

// run makes a backup and notes how it ended. Nobody is erased meanwhile: one part
// would know of it and the other not.
func (b *backups) run(ctx context.Context, dir string) {
	b.erasing.files.Lock()
	defer b.erasing.files.Unlock()
	b.erasing.mu.Lock()
	defer b.erasing.mu.Unlock()
	b.saveFirst(ctx)
	began := time.Now()
	m, err := backup.Write(ctx, dir, b.source(), func(step string) {
		b.note(func(n *api.Backup) { n.Step = step })
	})
	if err != nil {
		b.log.ErrorContext(ctx, "a backup failed", slog.String("dir", dir), slog.Any("error", err))
	} else {
		b.log.InfoContext(ctx, "a backup was made", slog.String("dir", dir), slog.Int64("bytes", m.Bytes()), slog.Uint64("last", m.Journal.Last), slog.Duration("took", time.Since(began)))
	}
	b.note(func(n *api.Backup) {
		n.Step, n.Ended = "", api.TimeOf(cx.InstantOf(time.Now()))
		if err != nil {
			n.State, n.Error = api.BackupFailed, err.Error()
			return
		}
		n.State, n.Bytes, n.Files, n.Last, n.Upto = api.BackupMade, m.Bytes(), len(m.Files), m.Journal.Last, api.TimeOf(m.Journal.Time)
	})
}

// saveFirst makes a checkpoint, so that a restored copy has little to replay.
// The backup is as good without.
func (b *backups) saveFirst(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := b.shard.Flush(ctx); err != nil {
		b.log.WarnContext(ctx, "no checkpoint could be made before the backup", slog.Any("error", err))
	}
}

// source is the running program as a source of backups.
func (a *App) source() backup.Source {
	return backup.Source{
		Dir: a.config.Data, Version: version, Format: dataFormat,
		State: a.state.Copy,
		Databases: []backup.Database{
			{Name: "control.db", Copy: a.control.Copy},
			{Name: sendsFile, Copy: func(ctx context.Context, path string) error { return sqlite.CopyFile(ctx, a.path(sendsFile), path) }},
		},
		Warehouse: a.house.Copy, Journal: a.journal, Archive: a.archive,
	}
}

// VerifyBackup reads every file of a backup and compares it with what was
// written into it.
func VerifyBackup(ctx context.Context, dir string) (*backup.Manifest, error) {
	return backup.Verify(ctx, dir)
}

// Restored is what a restore has made.
type Restored struct {
	*backup.Manifest
	Again int // persons who were erased since the backup, and are erased again at the first start
}

// Restore makes the data directory of c, which must be empty or not exist, out of
// a backup. Sends are paused in it: what the original sent since is not known
// there, and would be sent again. Those of erased who are in it again are erased
// when the program starts on it.
func Restore(ctx context.Context, c Config, dir string, erased []sqlite.Erasure, log io.Writer) (*Restored, error) {
	out := &Restored{}
	var err error
	out.Manifest, err = backup.Restore(ctx, dir, c.Data, dataFormat, newLogger(c, log), func(m *backup.Manifest) (err error) {
		out.Again, err = eraseAgain(ctx, c.path("control.db"), erased, m.Journal.Last)
		return errors.Join(err, dataStamp{m.DataFormat, m.Version}.write(c.Data), pauseSends(ctx, c.path(sendsFile)))
	})
	if err != nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %s is not whole, empty it and restore again", err, c.Data)
	}
	return out, err
}

// pauseSends pauses the sends of every workspace.
func pauseSends(ctx context.Context, path string) error {
	sends, err := sqlite.OpenSends(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(sends.Pause(ctx, access.Everywhere, true), sends.Close())
}
