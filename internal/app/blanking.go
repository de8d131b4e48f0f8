package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/blank"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// serve finishes, while the program serves, erasures that were begun, and has the
// files of archive and journal forget whoever was erased. What fails is logged and
// tried again.
func (e *erasing) serve(ctx context.Context) {
	ticker := time.NewTicker(max(min(e.config.EraseWithin/8, time.Minute), 100*time.Millisecond))
	defer ticker.Stop()
	for {
		err := errors.Join(e.finish(ctx), e.clean(ctx))
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			e.log.ErrorContext(ctx, "files still hold erased persons, trying again", slog.Any("error", err))
		}
		e.countLate(ctx, err)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// countLate counts those whom some file holds longer than it may, and keeps why.
func (e *erasing) countLate(ctx context.Context, cause error) {
	all, err := e.control.Erasures(ctx, access.Everywhere, "", 1<<20)
	late := 0
	for i := range all {
		c := &all[i]
		if clean := c.JournalAt != 0 && c.FileAt != 0; !clean && now().Sub(c.AskedAt) > e.config.EraseWithin+time.Hour {
			late++
		}
	}
	e.late.Store(int64(late))
	e.wrong.Store(nil)
	if cause = errors.Join(cause, err); late > 0 {
		text := fmt.Sprintf("of %d persons who were erased some file holds something for longer than erase.within", late)
		if cause != nil {
			text += ": " + cause.Error()
		}
		e.wrong.Store(&text)
	}
}

// clean has files forget whoever was erased.
func (e *erasing) clean(ctx context.Context) error {
	e.files.Lock()
	defer e.files.Unlock()
	return errors.Join(e.cleanLog(ctx), e.cleanWarehouse(ctx))
}

// due reports whether it is time to have files forget whoever was erased at some
// time. Half of the time that they may take is left for it, so that many who are
// erased one after the other take one pass, and so that a back-fill can end: it
// would read one half of the log as it was and the other as it is.
func (e *erasing) due(erased cx.Instant) bool {
	if erased == 0 {
		return false
	}
	past := now().Sub(erased)
	filling := slices.ContainsFunc(e.shard.Backfills(), func(b pipeline.BackfillProgress) bool { return b.Valid == 0 })
	return past >= e.config.EraseWithin || past >= e.config.EraseWithin/2 && !filling
}

// cleanLog has the archive forget, when that is due, all who were erased by then,
// and the journal whom the archive has forgotten.
func (e *erasing) cleanLog(ctx context.Context) error {
	all, err := e.control.Erasures(ctx, access.Everywhere, "", 1<<20)
	if err != nil {
		return err
	}
	var upto cx.Position
	due := false
	for i := range all {
		if c := &all[i]; c.DoneAt != 0 && c.ArchiveAt == 0 {
			upto, due = max(upto, c.Position), due || e.due(c.DoneAt)
		}
	}
	begun, _, err := e.control.Blanking(ctx)
	if err != nil {
		return err
	}
	if due || begun != 0 {
		if err := e.cleanArchive(ctx, upto); err != nil {
			return err
		}
		if all, err = e.control.Erasures(ctx, access.Everywhere, "", 1<<20); err != nil {
			return err
		}
	}
	for i := range all {
		if c := &all[i]; c.ArchiveAt != 0 && c.JournalAt == 0 {
			if err := e.cleanJournal(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanWarehouse writes the warehouse's file anew, when that is due: it holds bytes
// of rows that are deleted.
func (e *erasing) cleanWarehouse(ctx context.Context) error {
	all, err := e.control.Erasures(ctx, access.Everywhere, "", 1<<20)
	all = slices.DeleteFunc(all, func(c sqlite.Erasure) bool { return c.DoneAt == 0 || c.FileAt != 0 })
	if err != nil || !slices.ContainsFunc(all, func(c sqlite.Erasure) bool { return e.due(c.DoneAt) }) {
		return err
	}
	path := e.path(warehouseFile)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	free, err := journal.FreeBytes(e.config.Data)
	if err != nil {
		return err
	}
	if need := 2*info.Size() + int64(e.config.JournalReserveMB)<<20; free < uint64(need) {
		return cx.E(cx.Unavailable, "write the warehouse anew", fmt.Sprintf("%d MB are free and %d MB are needed for a while: make room", free>>20, need>>20))
	}
	start := time.Now()
	if err := e.house.Renew(ctx); err != nil {
		return err
	}
	e.log.InfoContext(ctx, "the warehouse was written anew", slog.Int64("bytes", info.Size()), slog.Duration("took", time.Since(start)))
	for i := range all {
		all[i].FileAt = now()
		if err := e.control.NoteErasure(ctx, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// cleanJournal releases the records up to an erasure, all of which are in the
// archive, and notes when no file of the journal holds one of them any more. A
// journal that is small is written anew for that; in a large one everything that is
// archived is released, and files go with the last record in them.
func (e *erasing) cleanJournal(ctx context.Context, c *sqlite.Erasure) error {
	below := c.Position.Sequence() + 1
	if _, err := e.release(ctx, below); err != nil {
		return err
	}
	left, err := e.journal.Remains(below)
	if err == nil && left > 0 {
		if err := e.shrinkJournal(ctx, below); err != nil {
			return err
		}
		left, err = e.journal.Remains(below)
	}
	if err != nil || left > 0 {
		return err
	}
	fault.Point("blank.released")
	c.JournalAt = now()
	return e.control.NoteErasure(ctx, c)
}

// shrinkJournal has released records leave the journal's files, if none below a
// sequence is still being read.
func (e *erasing) shrinkJournal(ctx context.Context, below uint64) error {
	st, err := e.journal.Stat(ctx)
	if err != nil || st.First < below {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := e.journal.Renew(within); cx.KindOf(err) != cx.Unavailable {
		return err
	}
	if err := e.archiveSealed(ctx, archive.Steady); err != nil {
		return err
	}
	_, err = e.release(ctx, e.sealed()+1)
	return err
}

// cleanArchive rewrites the archive up to a position, or goes on with the
// rewriting that was under way.
func (e *erasing) cleanArchive(ctx context.Context, upto cx.Position) error {
	return nice.Run(func() error {
		r := &rewriting{erasing: e}
		if err := r.resume(ctx); err != nil {
			return err
		}
		if r.upto == 0 {
			if err := r.begin(ctx, upto); err != nil {
				return err
			}
		}
		start, files := time.Now(), 0
		for _, f := range e.archive.Files() {
			did, err := r.rewrite(ctx, f)
			if err != nil {
				return err
			}
			if did {
				files++
				fault.Point("blank.inside")
			}
		}
		if err := e.house.Blanked(ctx, r.upto); err != nil {
			return err
		}
		fault.Point("blank.after")
		e.log.InfoContext(ctx, "the archive holds nothing of whom was erased any more", slog.String("upto", r.upto.String()), slog.Int("files", files), slog.Duration("took", time.Since(start)))
		return e.control.EndBlanking(ctx, now())
	})
}

// rewriting is one pass over the archive.
type rewriting struct {
	*erasing
	upto   cx.Position
	erased map[cx.Position]cx.Lesson
	untold map[cx.Position]bool // of an earlier version: what they taught is not known
	people pipeline.Unmerges
	blank  *blank.Blanking
}

// resume finds out how far an earlier run of the program came.
func (r *rewriting) resume(ctx context.Context) error {
	upto, names, err := r.control.Blanking(ctx)
	if err != nil || upto == 0 {
		return err
	}
	if err := r.gather(ctx, upto); err != nil {
		return err
	}
	tokens := make(map[blank.Name]string, len(names))
	for _, n := range names {
		tokens[blank.Name{Workspace: n.Workspace, Value: n.Value}] = n.Token
	}
	r.blank = blank.New(r.erased, r.people, tokens)
	return nil
}

// gather reads who was erased up to a position, and which entries were theirs.
func (r *rewriting) gather(ctx context.Context, upto cx.Position) error {
	all, err := r.control.Erasures(ctx, access.Everywhere, "", 1<<20)
	if err != nil {
		return err
	}
	gone := map[cx.CustomerID]bool{}
	for i := range all {
		for _, id := range all[i].Customers {
			gone[id] = all[i].Position != 0 && all[i].Position <= upto || gone[id]
		}
	}
	r.people = pipeline.Unmerges{Erased: func(id cx.CustomerID) bool { return gone[id] }}
	r.upto, r.erased, r.untold = upto, map[cx.Position]cx.Lesson{}, map[cx.Position]bool{}
	return r.house.EachErased(ctx, upto, func(at cx.Position, taught cx.Lesson, told bool) {
		if !taught.Exposed && !taught.Responded {
			taught.Action = ""
		}
		r.erased[at] = taught
		if !told {
			r.untold[at] = true
		}
	})
}

// begin archives everything up to a position and finds out what is to be
// replaced in it.
func (r *rewriting) begin(ctx context.Context, upto cx.Position) error {
	if err := r.saved(ctx); err != nil {
		return err
	}
	if err := r.archiveSealed(ctx, archive.Hurried); err != nil {
		return err
	}
	if r.archive.Last() < upto.Sequence() {
		return cx.E(cx.Unavailable, "rewrite the archive", "no checkpoint behind the erasure is committed yet")
	}
	if err := r.gather(ctx, upto); err != nil {
		return err
	}
	survey := blank.NewSurvey(r.erased, r.people, func(at cx.Position) (bool, error) { return r.house.Stored(ctx, at) })
	kept := 0
	err := r.each(ctx, 0, 0, func(at cx.Position, e *cx.Entry) error {
		if r.untold[at] && isReport(e) {
			delete(r.erased, at) // it stays, or what all taught together would change
			kept++
		}
		return survey.Learn(at, *e)
	})
	if err == nil {
		err = r.each(ctx, 0, 0, func(at cx.Position, e *cx.Entry) error { return survey.Look(at, *e) })
	}
	if err != nil {
		return err
	}
	tokens := survey.End(func() string { return strings.ToLower(rand.Text()) })
	names := make([]sqlite.BlankedName, 0, len(tokens))
	for n, token := range tokens {
		names = append(names, sqlite.BlankedName{Workspace: n.Workspace, Value: n.Value, Token: token})
	}
	r.blank = blank.New(r.erased, r.people, tokens)
	if err := r.control.BeginBlanking(ctx, upto, kept, names); err != nil {
		return err
	}
	fault.Point("blank.begun")
	return nil
}

// isReport reports whether an entry is a report of what became of a message,
// which may have taught something.
func isReport(e *cx.Entry) bool {
	var ev cx.Event
	if e.Kind != cx.EntryEvent || cx.DecodeEvent(e.Payload, &ev) != nil {
		return false
	}
	return ev.Name == cx.MessageShown || ev.Name == cx.MessageClicked || ev.Name == cx.MessageDismissed
}

// each calls fn for every archived entry of some records, as far as the rewriting
// goes; from 0 begins at the oldest record, to 0 goes as far as that.
func (r *rewriting) each(ctx context.Context, from, to uint64, fn func(cx.Position, *cx.Entry) error) error {
	if last := r.upto.Sequence(); to == 0 || to > last {
		to = last
	}
	next, err := r.archive.Read(ctx, from, to, func(record *journal.Record) error {
		for i := range record.Entries {
			at := cx.At(record.Sequence, i)
			if at > r.upto {
				return nil
			}
			if err := fn(at, &record.Entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && next <= to {
		err = cx.E(cx.NotFound, "rewrite the archive", fmt.Sprintf("a file that holds record %d is missing: put it back", next))
	}
	return err
}

// rewrite rewrites a file if something in it is to be replaced, and says whether
// it did.
func (r *rewriting) rewrite(ctx context.Context, f archive.File) (did bool, err error) {
	if f.First > r.upto.Sequence() {
		return false, nil
	}
	err = r.each(ctx, f.First, f.Last, func(at cx.Position, e *cx.Entry) error {
		_, changed, err := r.change(at, *e)
		if err == nil && changed {
			err = errEnough
		}
		return err
	})
	if !errors.Is(err, errEnough) {
		return false, err
	}
	return r.archive.Rewrite(ctx, f, func(record *journal.Record) (changed bool, err error) {
		for i, e := range record.Entries {
			at := cx.At(record.Sequence, i)
			if at > r.upto {
				break
			}
			other, did, err := r.change(at, e)
			if err != nil {
				return false, err
			}
			if did {
				record.Entries[i], changed = other, true
			}
		}
		return changed, nil
	})
}

// change returns what is to stand in the place of an entry.
func (r *rewriting) change(at cx.Position, e cx.Entry) (cx.Entry, bool, error) {
	if r.untold[at] && isReport(&e) {
		return e, false, nil
	}
	return r.blank.Change(at, e)
}
