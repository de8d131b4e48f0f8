package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/kikubari/kikubari/internal/app"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

type backupCmd struct {
	Make   backupMake   `cmd:"" default:"withargs" help:"Back the data directory of a running server up into a directory on the server's machine."`
	Verify backupVerify `cmd:"" help:"Read every file of a backup and compare it with what was written."`
}

type backupMake struct {
	server
	Dir string `arg:"" help:"Directory that is empty or does not exist. The server writes it, on its own machine."`
	Why string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// backupStatus is how a backup fares.
type backupStatus struct {
	Dir   string `json:"dir"`
	State string `json:"state"`
	Step  string `json:"step"`
	Error string `json:"error"`
	Bytes int64  `json:"bytes"`
	Files int    `json:"files"`
	Last  uint64 `json:"last"`
	Upto  string `json:"upto"`
}

// Run has the server make a backup and waits for it.
func (c *backupMake) Run(ctx context.Context, s Streams) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	in := map[string]string{"dir": dir}
	if c.Why != "" {
		in["why"] = c.Why
	}
	var b backupStatus
	if err := c.call(ctx, http.MethodPost, "/api/v1/backups", nil, in, &b); err != nil {
		return err
	}
	for step := ""; b.State == "running"; {
		if b.Step != step {
			step = b.Step
			fmt.Fprintln(s.Err, "kikubari:", step)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("no longer waiting; the server goes on with the backup (%w)", ctx.Err())
		}
		if err := c.call(ctx, http.MethodGet, "/api/v1/backups", nil, nil, &b); err != nil {
			return fmt.Errorf("the backup's end is not known, and without a manifest it is none: %w", err)
		}
	}
	if b.State != "made" || b.Dir != dir {
		return errors.New(b.Error)
	}
	_, err = fmt.Fprintf(s.Out, "The server has written %d files, %d bytes, into %s on its own machine: everything up to %s, record %d.\n", b.Files, b.Bytes, b.Dir, b.Upto, b.Last)
	return err
}

type backupVerify struct {
	Dir string `arg:"" type:"existingdir" help:"Directory of the backup."`
}

// Run verifies the backup.
func (c *backupVerify) Run(ctx context.Context, s Streams) error {
	m, err := app.VerifyBackup(ctx, c.Dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%d files, %d bytes, as they were written by Kikubari %s at %s; the journal goes up to record %d, %s\n",
		len(m.Files), m.Bytes(), m.Version, m.Ended.Format(time.RFC3339), m.Journal.Last, m.Journal.Time)
	return err
}

type restoreCmd struct {
	settings
	Dir      string `arg:"" type:"existingdir" help:"Directory of the backup."`
	Erasures string `type:"existingfile" placeholder:"FILE" help:"Erase again who was erased since the backup: what kikubari erasures has printed, or the control.db of the data directory that is replaced."`
}

// Run makes a data directory out of a backup.
func (c *restoreCmd) Run(ctx context.Context, s Streams) error {
	config, err := c.load(s)
	if err != nil {
		return err
	}
	var erased []sqlite.Erasure
	if c.Erasures != "" {
		if erased, err = app.ReadErasures(ctx, c.Erasures); err != nil {
			return err
		}
	}
	m, err := app.Restore(ctx, config, c.Dir, erased, s.Err)
	if err != nil {
		return err
	}
	switch {
	case c.Erasures == "":
		_, err = fmt.Fprintln(s.Out, "Who was erased since the backup is in it again: to erase them too, restore with --erasures.")
	case m.Again > 0:
		_, err = fmt.Fprintf(s.Out, "Erased again at the first start: %d that were erased since the backup.\n", m.Again)
	default:
		_, err = fmt.Fprintln(s.Out, "Nobody who was erased since the backup is in it.")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "Restored %s: everything up to record %d, %s. Sends are paused: what was sent since the backup is not known in it.\n", config.Data, m.Journal.Last, m.Journal.Time)
	return err
}
