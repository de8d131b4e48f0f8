package app

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// Logbook shows what is in a log.
type Logbook struct {
	log   *archive.Log
	hides func(cx.Position, *cx.Event) bool // nil hides nothing
	blind error                             // why no entry may be shown
}

// OpenLogbook opens the log of a data directory on which no program runs. Without
// its control.db, which says who was erased, it shows no entries. The caller
// closes it.
func OpenLogbook(ctx context.Context, c Config, log io.Writer) (*Logbook, error) {
	l, err := openLog(ctx, c, log)
	if err != nil {
		return nil, err
	}
	erased, err := tombstonesOf(ctx, c)
	return &Logbook{log: l, hides: erased.hides, blind: err}, nil
}

// Close closes the log.
func (l *Logbook) Close() error { return l.log.Journal.Close() }

// Stat returns how much there is.
func (l *Logbook) Stat(ctx context.Context) (s api.LogStat, err error) {
	j, err := l.log.Journal.Stat(ctx)
	if err != nil {
		return s, err
	}
	a := l.log.Archive
	s.Journal = api.JournalStat{First: j.First, Last: j.Last, LogTime: api.TimeOf(j.Time), Bytes: j.Bytes, Free: j.Free, Waiting: j.Waiting}
	s.Archive = api.ArchiveStat{First: a.First(), Last: a.Last(), Files: len(a.Files()), Bytes: a.Bytes()}
	for _, c := range a.Checkpoints() {
		s.Archive.Checkpoints = append(s.Archive.Checkpoints, api.KeptCheckpoint{Day: c.Day.Format(time.DateOnly), Position: c.Position.String(), Bytes: c.Bytes})
	}
	return s, nil
}

// Newest returns the newest entries, oldest first. It looks at more and more of
// the log's end until it has enough.
func (l *Logbook) Newest(ctx context.Context, q api.EntriesAsked) (out api.LogEntries, err error) {
	if l.blind != nil {
		return out, l.blind
	}
	first, _, err := l.log.First(ctx)
	if err != nil {
		return out, err
	}
	last, _ := l.log.Last()
	out.Next = cx.At(last, cx.MaxEntries-1).String()
	for to, records := last, uint64(64); to >= first && to > 0 && len(out.Entries) < q.Limit; records *= 4 {
		from := first
		if to-first >= records {
			from = to - records + 1
		}
		var found []api.LogEntry
		err := l.log.Read(ctx, from, to, func(r *journal.Record) error {
			found = l.appendEntries(found, r, &q)
			if extra := len(found) - q.Limit; extra > q.Limit {
				found = slices.Delete(found, 0, extra)
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		out.Entries = append(found, out.Entries...)
		to = from - 1
	}
	out.Entries = out.Entries[max(0, len(out.Entries)-q.Limit):]
	return out, nil
}

// looking is how long Entries looks for entries that it need not wait for, before
// it answers with what it has found, be it nothing.
const looking = 5 * time.Second

// Entries returns the entries behind a position.
func (l *Logbook) Entries(ctx context.Context, q api.EntriesAsked) (out api.LogEntries, err error) {
	if l.blind != nil {
		return out, l.blind
	}
	read, patience := l.log.Follow, q.Wait
	if q.Wait == 0 {
		patience = looking
		read = func(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
			return l.log.Read(ctx, from, 0, fn)
		}
	}
	looks, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out.Next = q.After.String()
	err = read(looks, q.After.Sequence(), func(r *journal.Record) error {
		out.Entries = l.appendEntries(out.Entries, r, &q)
		if len(out.Entries) >= q.Limit {
			out.Entries = out.Entries[:q.Limit]
			out.Next = out.Entries[q.Limit-1].Position
			return errEnough
		}
		out.Next = cx.At(r.Sequence, cx.MaxEntries-1).String()
		if last, _ := l.log.Last(); r.Sequence >= last && len(out.Entries) > 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || looks.Err() != nil && ctx.Err() == nil {
		err = nil
	}
	return out, err
}

// appendEntries shows the entries of a record that are asked for.
func (l *Logbook) appendEntries(dst []api.LogEntry, r *journal.Record, q *api.EntriesAsked) []api.LogEntry {
	for i := range r.Entries {
		at := cx.At(r.Sequence, i)
		if at <= q.After {
			continue
		}
		e := l.showEntry(at, &r.Entries[i], q.Full)
		if q.Workspace != access.Everywhere && e.Workspace != string(q.Workspace) {
			continue
		}
		e.Position, e.LogTime, e.Bytes = at.String(), api.TimeOf(r.Time), len(r.Entries[i].Payload)
		dst = append(dst, e)
	}
	return dst
}

// showEntry shows what an entry says; what this version cannot read has the kind
// unknown, and what names an erased person the kind erased.
func (l *Logbook) showEntry(at cx.Position, e *cx.Entry, full bool) (out api.LogEntry) {
	switch e.Kind {
	case cx.EntryEvent:
		var ev cx.Event
		if cx.DecodeEvent(e.Payload, &ev) == nil {
			if l.hides != nil && l.hides(at, &ev) {
				return api.LogEntry{Kind: "erased", Workspace: string(ev.Workspace)}
			}
			return showEvent(&ev, full)
		}
	case cx.EntryTick:
		return api.LogEntry{Kind: "tick"}
	case cx.EntryDefinitions:
		if p, err := pipeline.DecodePublication(e.Payload); err == nil {
			return api.LogEntry{Kind: "definitions", Workspace: string(p.Workspace), Key: string(p.Who), Why: p.Why}
		}
	case cx.EntryCommand:
		if c, err := cx.DecodeCommand(e.Payload); err == nil {
			return api.LogEntry{Kind: "command", Workspace: string(c.Workspace), Type: c.Kind.String(), Key: string(c.Who), Why: c.Why}
		}
	case cx.EntryErased:
		var x cx.Erased
		if cx.DecodeErased(e.Payload, &x) == nil {
			return api.LogEntry{Kind: "erased", Workspace: string(x.Workspace)}
		}
	case cx.EntryFate:
		if f, err := cx.DecodeFate(e.Payload); err == nil {
			return api.LogEntry{Kind: "fate", Workspace: string(f.Workspace), Type: f.State.String(), Name: f.Action, Customer: f.Customer.String(), Why: f.Reason}
		}
	}
	return api.LogEntry{Kind: "unknown"}
}

func showEvent(ev *cx.Event, full bool) api.LogEntry {
	out := api.LogEntry{
		Kind: "event", Workspace: string(ev.Workspace), Type: ev.Type.String(), Name: string(ev.Name), Time: api.TimeOf(ev.Time),
		UserID: ev.UserID, AnonymousID: ev.AnonymousID, MessageID: ev.MessageID, Key: string(ev.Key), Historical: ev.Has(cx.Historical),
	}
	if full {
		out.Properties, out.Context, out.Consent = ev.Properties, ev.Context, ev.Consent
	}
	return out
}

// records makes App an api.Records.
type records struct{ *App }

func (r records) logbook() *Logbook { return &Logbook{log: r.records, hides: r.erasing.hides} }

// Stat makes records an api.Records.
func (r records) Stat(ctx context.Context) (api.LogStat, error) {
	s, err := r.logbook().Stat(ctx)
	s.Checkpoint = r.shard.Progress().Checkpoint.String()
	if wrong := r.archiving.wrong.Load(); wrong != nil {
		s.Archive.Wrong = *wrong
	}
	return s, err
}

// Newest makes records an api.Records.
func (r records) Newest(ctx context.Context, q api.EntriesAsked) (api.LogEntries, error) {
	return r.logbook().Newest(ctx, q)
}

// Entries makes records an api.Records.
func (r records) Entries(ctx context.Context, q api.EntriesAsked) (api.LogEntries, error) {
	return r.logbook().Entries(ctx, q)
}

// Archive makes records an api.Records. It saves a checkpoint first, so that
// everything that came before the call is archived.
func (r records) Archive(ctx context.Context, release bool) (api.LogStat, error) {
	err := r.shard.Flush(ctx)
	if err == nil {
		err = r.archiveSealed(ctx, archive.Hurried)
	}
	if ctx.Err() != nil {
		err = cx.E(cx.Unavailable, "archive", "it takes longer than a request may; what is archived stays so, ask again to go on")
	}
	if err == nil && release {
		_, err = r.release(ctx, r.sealed()+1)
	}
	if err != nil {
		return api.LogStat{}, err
	}
	return r.Stat(ctx)
}
