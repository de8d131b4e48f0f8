package app

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// DefinitionFile is one YAML file to publish.
type DefinitionFile = api.File

// ReadDefinitions reads every .yaml and .yml file below the root of fsys, by
// name.
func ReadDefinitions(fsys fs.FS) ([]DefinitionFile, error) {
	var files []DefinitionFile
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		files = append(files, DefinitionFile{Name: name, Text: string(text)})
		return err
	})
	if err == nil && len(files) == 0 {
		err = cx.E(cx.Invalid, "", "there is no .yaml file here")
	}
	return files, err
}

// WorkspaceOf returns the workspace that the files are of, "" when they do not
// say or are wrong.
func WorkspaceOf(files []DefinitionFile) string {
	docs, _ := definition.Parse(parseable(files))
	for _, d := range docs {
		if d.Kind == definition.Workspace {
			return d.Name
		}
	}
	return ""
}

func parseable(files []DefinitionFile) []definition.File {
	out := make([]definition.File, len(files))
	for i, f := range files {
		out[i] = definition.File{Name: f.Name, Text: []byte(f.Text)}
	}
	return out
}

// publisher puts definitions in force.
type publisher struct{ *App }

// problems makes what is wrong with definitions an error with a line for each.
type problems []definition.Problem

func (p problems) Error() string {
	if len(p) == 1 {
		return "the definitions are not published, there is a problem"
	}
	return fmt.Sprintf("the definitions are not published, there are %d problems", len(p))
}

// Details gives one line for each problem: file, line and what to do.
func (p problems) Details() []string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return lines
}

// Publish makes publisher an api.Publisher.
func (p publisher) Publish(ctx context.Context, in api.Publication) (api.Published, error) {
	docs, wrong := definition.Parse(parseable(in.Files))
	if len(wrong) > 0 {
		return api.Published{}, &cx.Error{Kind: cx.Invalid, Err: problems(wrong)}
	}
	out, wrong, err := p.put(ctx, in, docs)
	if err == nil && len(wrong) > 0 {
		err = &cx.Error{Kind: cx.Invalid, Err: problems(wrong)}
	}
	return out, err
}

// put publishes documents, or with DryRun only checks them. When there are
// problems nothing is published.
func (p publisher) put(ctx context.Context, in api.Publication, docs []definition.Document) (api.Published, []definition.Problem, error) {
	review := pipeline.Review{Schema: p.schema.of(in.Workspace), Strict: in.Strict}
	if in.DryRun {
		set, wrong, err := p.shard.Check(in.Workspace, docs, review)
		if err != nil || len(wrong) > 0 {
			return api.Published{}, wrong, err
		}
		return published(pipeline.Publication{Workspace: in.Workspace}, set), nil, nil
	}
	done, set, wrong, err := p.shard.Publish(ctx, pipeline.Publication{Workspace: in.Workspace, Who: in.Who, Why: in.Why}, docs, review)
	if err != nil || len(wrong) > 0 {
		return api.Published{}, wrong, err
	}
	return published(done, set), nil, nil
}

func published(p pipeline.Publication, set *definition.Set) api.Published {
	out := api.Published{
		Workspace: string(p.Workspace), Sequence: p.Sequence, At: api.TimeOf(p.At), Who: string(p.Who), Why: p.Why,
		Counts: countsOf(set),
	}
	if p.Position != 0 {
		out.Position = p.Position.String()
	}
	out.Warnings = problems(set.Warnings).Details()
	return out
}

func countsOf(set *definition.Set) (c api.Counts) {
	c.Statistics = len(set.Statistics)
	for _, d := range set.Documents {
		switch d.Kind {
		case definition.Segment:
			c.Segments++
		case definition.Action:
			c.Actions++
		case definition.Policy:
			c.Policies++
		case definition.Destination:
			c.Destinations++
		case definition.Workspace: // the settings of all of these
		}
	}
	return c
}

// published is told of every set that takes effect: the front door obeys it,
// and it is kept for explaining decisions later.
func (a *App) published(p pipeline.Publication) {
	if a.shard != nil {
		a.sites.put(p.Workspace, a.shard.Set(p.Workspace))
	}
	err := a.control.PutDefinitions(context.Background(), sqlite.DefinitionSet{ //nolint:forbidigo // called by the machine, which has no caller's context
		Workspace: p.Workspace, Sequence: p.Sequence, Position: p.Position, At: p.At, Who: p.Who, Why: p.Why, Blob: p.Canonical,
	})
	if err != nil && cx.KindOf(err) != cx.Conflict { // a replay tells again of what is on record
		a.log.Error("a published set is in force but not in the record of sets; decisions by it cannot be explained once another is published",
			slog.String("workspace", string(p.Workspace)), slog.Uint64("sequence", p.Sequence), slog.Any("error", err))
	}
}
