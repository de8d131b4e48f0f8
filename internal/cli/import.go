package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/mapping"
)

type importCmd struct {
	server
	File    string `arg:"" type:"existingfile" help:"CSV or NDJSON file, plain or compressed by gzip."`
	Map     string `required:"" type:"existingfile" placeholder:"FILE" help:"YAML file that says which column becomes what."`
	Job     string `placeholder:"NAME" help:"Name of the import; the file's digest when not given. Another name imports the same file once more."`
	SkipBad bool   `help:"Leave out lines that are wrong and go on; they are printed."`
	DryRun  bool   `help:"Only check the first 1,000 lines and say what they become."`
}

// Run checks the mapping on the first lines, then sends every line that the
// server has not taken yet, in order, and waits until the warehouse has them.
func (c *importCmd) Run(ctx context.Context, s Streams) error {
	m, err := c.mapping()
	if err != nil {
		return err
	}
	if err := c.check(m, s); err != nil || c.DryRun {
		return err
	}
	if c.Job == "" {
		if c.Job, err = digest(c.File); err != nil {
			return err
		}
	}
	done, err := c.progress(ctx)
	if err != nil {
		return err
	}
	if done.Line > 0 {
		fmt.Fprintf(s.Err, "goes on after line %d: the server has taken those before\n", done.Line)
	}
	run := &importRun{importCmd: c, mapping: m, skip: done.Line, out: s, began: time.Now()}
	if err := run.send(ctx); err != nil {
		return err
	}
	return run.settle(ctx)
}

func (c *importCmd) mapping() (*mapping.Mapping, error) {
	text, err := os.ReadFile(c.Map)
	if err != nil {
		return nil, err
	}
	m, err := mapping.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Map, err)
	}
	if c.Job != "" && !cx.IsJob(c.Job) {
		return nil, fmt.Errorf("--job %q: lower-case letters, digits and dashes, at most %d", c.Job, cx.MaxJob)
	}
	if name := strings.ToLower(strings.TrimSuffix(c.File, ".gz")); m.Format == "" {
		m.Format = "csv"
		if strings.HasSuffix(name, ".ndjson") || strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".json") {
			m.Format = "ndjson"
		}
	}
	return m, nil
}

// check says what the mapping makes of the first lines and fails when one of
// them is wrong.
func (c *importCmd) check(m *mapping.Mapping, s Streams) error {
	f, err := openFile(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := m.Check(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	fmt.Fprint(s.Err, report)
	switch {
	case report.Events == 0:
		return errors.New("nothing was imported: no line makes an event")
	case report.Faulty > 0 && !c.SkipBad:
		return errors.New("nothing was imported: mend the mapping or the file, or leave wrong lines out by --skip-bad")
	}
	return nil
}

// progress asks how far the job has come.
func (c *importCmd) progress(ctx context.Context) (p struct {
	Line   uint64 `json:"line"`
	Stored bool   `json:"stored"`
}, err error,
) {
	err = c.call(ctx, http.MethodGet, "/api/v1/imports/"+url.PathEscape(c.Job), nil, nil, &p)
	return p, err
}

// settle waits until the machine has taken the last line and the warehouse has
// it, and says what was done.
func (r *importRun) settle(ctx context.Context) error {
	sent := time.Since(r.began)
	for {
		p, err := r.progress(ctx)
		if err != nil {
			return err
		}
		if p.Line >= r.last && p.Stored {
			break
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n := r.sent.Load()
	fmt.Fprintf(r.out.Out, "%d lines imported in %.1f s, %.0f a second; in the warehouse after %.1f s\n", n-r.refused, sent.Seconds(), float64(n)/sent.Seconds(), time.Since(r.began).Seconds())
	if r.bad+r.refused > 0 {
		fmt.Fprintf(r.out.Out, "left out: %d wrong, %d refused by the server\n", r.bad, r.refused)
	}
	return nil
}

// digest names the job after what is in the file.
func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
