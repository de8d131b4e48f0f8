// Package cli is the command line: it parses arguments, calls app or a running
// server, and turns errors into messages and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/alecthomas/kong"

	"github.com/kikubari/kikubari/internal/app"
)

// Streams are what a command talks through.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      []string
}

// Exit codes of Run.
const (
	exitOK      = 0
	exitError   = 1 // the command failed; of diff: something differs
	exitUsage   = 2 // the command line is wrong
	exitTrouble = 2 // diff cannot compare, as diff(1) says it
)

// grammar is every command and flag.
type grammar struct {
	Serve       serveCmd       `cmd:"" help:"Run the platform."`
	Demo        demoCmd        `cmd:"" help:"Run the platform with the demo workspace and shop."`
	Apply       applyCmd       `cmd:"" help:"Publish a directory of definitions as one set."`
	Diff        diffCmd        `cmd:"" help:"Show what differs between two sets, or a set and files."`
	Export      exportCmd      `cmd:"" help:"Write a published set as files."`
	Backfills   backfillsCmd   `cmd:"" help:"List statistics that are not known yet, and how far they are."`
	History     historyCmd     `cmd:"" help:"List the published sets and what each changed."`
	Rollback    rollbackCmd    `cmd:"" help:"Publish an earlier set again, as a new one."`
	Import      importCmd      `cmd:"" help:"Bring in a company's history from a CSV or NDJSON file."`
	Customer    customerCmd    `cmd:"" help:"Show a customer, merge two, and undo a merge."`
	Workspace   workspaceCmd   `cmd:"" help:"Create and list workspaces."`
	Key         keyCmd         `cmd:"" help:"Create, list and revoke keys."`
	Sends       sendsCmd       `cmd:"" help:"What is on its way to destinations."`
	Destination destinationCmd `cmd:"" help:"Where actions send."`
	SQL         sqlCmd         `cmd:"" name:"sql" help:"Ask the warehouse of a running server."`
	Explain     explainCmd     `cmd:"" help:"Show why a decision is as it is."`
	Journal     journalCmd     `cmd:"" help:"Look into the log: journal and archive."`
	Replay      replayCmd      `cmd:"" help:"Compute the state again from archive and journal and compare it. The server must not run."`
	Rebuild     rebuildCmd     `cmd:"" help:"The same, and put it in the place of the state there is. The server must not run."`
	Backup      backupCmd      `cmd:"" help:"Back up a running server, and verify backups."`
	Restore     restoreCmd     `cmd:"" help:"Make a data directory out of a backup."`
	Person      personCmd      `cmd:"" name:"export-person" help:"Write everything that is kept about a person."`
	Erase       eraseCmd       `cmd:"" help:"Forget a person."`
	Erasures    erasuresCmd    `cmd:"" help:"List who was forgotten, without saying who it was."`
	Doctor      doctorCmd      `cmd:"" help:"Look for what is wrong with an installation."`
	Bench       benchCmd       `cmd:"" help:"Measure speed and memory."`
	Config      configCmd      `cmd:"" help:"Print the settings, what they mean and their values."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// settings are the flags of commands that run the platform or look into its
// data directory.
type settings struct {
	ConfigFile string            `name:"config" env:"KIKUBARI_CONFIG" placeholder:"FILE" help:"YAML file with settings."`
	Data       string            `placeholder:"DIR" help:"Data directory."`
	Listen     string            `placeholder:"ADDR" help:"Address to serve on, host:port."`
	Set        map[string]string `placeholder:"KEY=VALUE" help:"Any setting; kikubari config lists them."`
}

// load reads the configuration these flags lead to.
func (s *settings) load(io Streams) (app.Config, error) {
	flags := maps.Clone(s.Set)
	if flags == nil {
		flags = map[string]string{}
	}
	if s.Data != "" {
		flags["data"] = s.Data
	}
	if s.Listen != "" {
		flags["listen"] = s.Listen
	}
	return app.LoadConfig(s.ConfigFile, io.Env, flags)
}

// Run runs one command and returns the exit code. It stops early when ctx ends.
func Run(ctx context.Context, args []string, io Streams) int {
	var g grammar
	code, exited := exitOK, false
	parser, err := kong.New(&g,
		kong.Name("kikubari"),
		kong.Description("A customer-experience platform that reads the room before it speaks."),
		kong.UsageOnError(),
		kong.Writers(io.Out, io.Err),
		kong.Exit(func(c int) { code, exited = c, true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(io),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(io.Err, "kikubari:", err)
		return exitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintf(io.Err, "kikubari: %v\nRun \"kikubari --help\" for the commands.\n", err)
		return exitUsage
	}
	if err := command.Run(); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(io.Err, "kikubari:", err)
		}
		if e, ok := errors.AsType[*codedError](err); ok {
			return e.code
		}
		return exitError
	}
	return exitOK
}

// codedError is an error with an exit code of its own.
type codedError struct {
	code int
	error
}

func (e *codedError) Unwrap() error { return e.error }

// errSaid fails a command that has said already what is wrong.
var errSaid = errors.New("said already")
