package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/store/sqlite"
	"github.com/kikubari/kikubari/internal/warehouse/duckdb"
)

// Finding is what the doctor found out about one thing.
type Finding struct {
	What string
	OK   bool
	Text string // what was seen; when not OK, what to do
}

// Doctor looks at an installation: through the running program when there is
// one, at the files otherwise. It changes nothing.
func Doctor(ctx context.Context, c Config) []Finding {
	var found []Finding
	add := func(what string, ok bool, format string, args ...any) {
		found = append(found, Finding{what, ok, fmt.Sprintf(format, args...)})
	}
	info, err := os.Stat(c.Data)
	switch {
	case os.IsNotExist(err):
		add("data directory", false, "%s does not exist: give --data, or run kikubari serve to make it", c.Data)
		return found
	case err != nil:
		add("data directory", false, "%v", err)
		return found
	case info.Mode().Perm()&0o077 != 0:
		add("data directory", false, "%s can be read by others (%v): run chmod 700 on it", c.Data, info.Mode().Perm())
	default:
		add("data directory", true, "%s", c.Data)
	}
	if _, err := checkFormat(c.Data); err != nil {
		add("format", false, "%v", err)
		return found
	}
	j, err := journal.Open(ctx, journal.Options{Dir: filepath.Join(c.Data, "journal"), ReserveBytes: int64(c.JournalReserveMB) << 20})
	if cx.KindOf(err) == cx.Conflict && err != nil {
		return append(found, askRunning(ctx, c)...)
	} else if err != nil {
		add("journal", false, "%v", err)
		return found
	}
	defer j.Close()
	found = append(found, examineJournal(ctx, c, j)...)
	found = append(found, examineArchive(ctx, c, j))
	return append(append(found, examineState(ctx, c, j)...), examineSends(ctx, c)...)
}

// examineJournal reads every record and checks every checksum.
func examineJournal(ctx context.Context, c Config, j *journal.Journal) (found []Finding) {
	st, err := j.Stat(ctx)
	if err != nil {
		return []Finding{{"journal", false, err.Error()}}
	}
	entries := 0
	err = j.Read(ctx, st.First, st.Last, func(r *journal.Record) error {
		entries += len(r.Entries)
		return nil
	})
	if err != nil {
		found = append(found, Finding{"journal", false, fmt.Sprintf("%v: restore the journal from a backup", err)})
	} else {
		found = append(found, Finding{"journal", true, fmt.Sprintf("records %d to %d, %d entries, every checksum is right", st.First, st.Last, entries)})
	}
	if st.Free == 0 {
		found = append(found, Finding{"disk", false, fmt.Sprintf("less than the %d MB reserve is free: new events are answered 503; make room", c.JournalReserveMB)})
	} else {
		found = append(found, Finding{"disk", true, fmt.Sprintf("%d MB free beyond the reserve", st.Free>>20)})
	}
	if ahead := st.Time.Sub(now()); st.Time != 0 && ahead > time.Minute {
		found = append(found, Finding{"clock", false, clockBehind(ahead)})
	} else {
		found = append(found, Finding{"clock", true, "not behind the journal"})
	}
	return found
}

// examineArchive reads every archived record, and checks every checksum and that
// the journal goes on where the archive ends.
func examineArchive(ctx context.Context, c Config, j *journal.Journal) Finding {
	a, err := openArchive(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return Finding{"archive", false, err.Error()}
	}
	l := &archive.Log{Archive: a, Journal: j}
	if err := fitting(l); err != nil {
		return Finding{"archive", false, err.Error()}
	}
	if a.Last() == 0 {
		return Finding{"archive", true, "nothing is archived yet"}
	}
	for _, c := range a.Checkpoints() {
		if err := a.Check(c); err != nil {
			return Finding{"archive", false, fmt.Sprintf("%v: restore it from a backup, or remove it if the log has its beginning", err)}
		}
	}
	entries := 0
	err = l.Read(ctx, 0, a.Last(), func(r *journal.Record) error {
		entries += len(r.Entries)
		return nil
	})
	if err == nil {
		err = l.Read(ctx, a.Last(), a.Last()+1, func(*journal.Record) error { return nil })
	}
	if err != nil {
		return Finding{"archive", false, fmt.Sprintf("%v: restore it from a backup", err)}
	}
	return Finding{"archive", true, fmt.Sprintf("records %d to %d in %d files, %d entries, every checksum is right; %d checkpoints are kept", a.First(), a.Last(), len(a.Files()), entries, len(a.Checkpoints()))}
}

// examineState checks that state and warehouse fit the journal.
func examineState(ctx context.Context, c Config, j *journal.Journal) (found []Finding) {
	tmp, err := os.MkdirTemp("", "kikubari-doctor-")
	if err != nil {
		return []Finding{{"state", false, err.Error()}}
	}
	defer os.RemoveAll(tmp)
	for _, suffix := range [...]string{"", "-wal"} { // looking at it takes a new epoch, so look at a copy
		if err := copyFile(filepath.Join(c.Data, "state.db"+suffix), filepath.Join(tmp, "state.db"+suffix)); err != nil {
			return []Finding{{"state", false, err.Error()}}
		}
	}
	state, err := sqlite.OpenState(ctx, sqlite.StateOptions{Path: filepath.Join(tmp, "state.db")})
	if err != nil {
		return []Finding{{"state", false, err.Error()}}
	}
	defer state.Close()
	rec, err := state.Recover(ctx)
	if err != nil {
		return []Finding{{"state", false, err.Error()}}
	}
	last, _ := j.Last()
	if rec.Position.Sequence() > last {
		found = append(found, Finding{"state", false, fmt.Sprintf("the checkpoint is at %v but the journal ends at record %d: the journal has lost its end; restore it", rec.Position, last)})
	} else {
		found = append(found, Finding{"state", true, fmt.Sprintf("checkpoint at %v, %d records to replay", rec.Position, last-rec.Position.Sequence())})
	}
	house, err := duckdb.Open(ctx, duckdb.Options{Path: filepath.Join(c.Data, "warehouse.duckdb")})
	if err != nil {
		return append(found, Finding{"warehouse", false, err.Error()})
	}
	defer house.Close()
	at, err := house.Position(ctx)
	switch {
	case err != nil:
		found = append(found, Finding{"warehouse", false, err.Error()})
	case at < rec.Position:
		found = append(found, Finding{"warehouse", false, fmt.Sprintf("it ends at %v, before the checkpoint at %v: restore it, or remove state.db and warehouse.duckdb together to compute both again", at, rec.Position)})
	default:
		found = append(found, Finding{"warehouse", true, fmt.Sprintf("rows up to %v", at)})
	}
	return found
}

// askRunning asks the program that has the data directory open how it is.
func askRunning(ctx context.Context, c Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Listen+"/readyz", nil)
	if err != nil {
		return []Finding{{"running program", false, err.Error()}}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return []Finding{{"running program", false, fmt.Sprintf("a program has the data directory open but nothing answers on %s: give --listen as it was started with (%v)", c.Listen, err)}}
	}
	defer res.Body.Close()
	var how api.Condition
	if err := json.NewDecoder(res.Body).Decode(&how); err != nil {
		return []Finding{{"running program", false, fmt.Sprintf("%s answers, but not as Kikubari: %v", c.Listen, err)}}
	}
	found := []Finding{{"running program", how.Ready, "version " + how.Version + ", ready"}}
	if !how.Ready {
		found[0].Text = how.Reason
	}
	for _, w := range how.Warnings {
		found = append(found, Finding{"warning", false, w})
	}
	for _, s := range how.Stages {
		found = append(found, Finding{s.Stage, !s.Stuck, fmt.Sprintf("at %s, %.1f s behind", s.Position, s.Lag)})
	}
	return found
}
