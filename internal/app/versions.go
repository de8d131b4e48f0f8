package app

import (
	"context"
	"fmt"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// unfit is what is wrong with definitions that nobody asked to publish.
type unfit struct {
	problems

	what string // "set 3", "these files"
}

func (u *unfit) Error() string {
	if len(u.problems) == 1 {
		return u.what + " cannot be published, there is a problem"
	}
	return fmt.Sprintf("%s cannot be published, there are %d problems", u.what, len(u.problems))
}

// documents returns what a set was built from, and its number; for 0 the set in
// force, which may be none.
func (p publisher) documents(ctx context.Context, w cx.Workspace, number uint64) ([]definition.Document, uint64, error) {
	if number == 0 {
		set := p.shard.Set(w)
		if set == nil {
			return nil, 0, nil
		}
		return set.Documents, set.Sequence, nil
	}
	kept, err := p.control.DefinitionsAt(ctx, w, number)
	if cx.KindOf(err) == cx.NotFound {
		err = cx.E(cx.NotFound, "", fmt.Sprintf("workspace %q has no set %d; kikubari history lists its sets", w, number))
	}
	if err != nil {
		return nil, 0, err
	}
	docs, err := definition.ParseCanonical(kept.Blob)
	if err != nil {
		err = &cx.Error{Kind: cx.Invalid, Err: fmt.Errorf("set %d cannot be read by this version of the program: %w", number, err)}
	}
	return docs, number, err
}

// Versions makes publisher an api.Publisher.
func (p publisher) Versions(ctx context.Context, w cx.Workspace, limit int) ([]api.Published, error) {
	list, err := p.control.Definitions(ctx, w, limit+1)
	if err != nil {
		return nil, err
	}
	out := make([]api.Published, len(list))
	docs := make([][]definition.Document, len(list))
	for i := range list {
		out[i], docs[i] = p.version(&list[i])
	}
	for i := range out {
		switch {
		case docs[i] == nil: // not readable by this version
		case i+1 == len(out):
			out[i].Summary = definition.Summary(definition.Diff(nil, docs[i]))
		case docs[i+1] != nil:
			out[i].Summary = definition.Summary(definition.Diff(docs[i+1], docs[i]))
		}
	}
	return out[:min(limit, len(out))], nil
}

// version shows one set on record. Its documents are nil when this version of
// the program cannot read them.
func (p publisher) version(v *sqlite.DefinitionSet) (api.Published, []definition.Document) {
	out := api.Published{
		Workspace: string(v.Workspace), Sequence: v.Sequence, Position: v.Position.String(),
		At: api.TimeOf(v.At), Who: string(v.Who), Why: v.Why,
	}
	if set, err := p.shard.Rebuild(v.Workspace, v.Blob, v.Sequence); err == nil {
		out.Counts = countsOf(set)
		return out, set.Documents
	}
	docs, err := definition.ParseCanonical(v.Blob)
	if err != nil {
		return out, nil
	}
	return out, docs
}

// Export makes publisher an api.Publisher.
func (p publisher) Export(ctx context.Context, w cx.Workspace, set uint64) (api.Exported, error) {
	docs, number, err := p.documents(ctx, w, set)
	if err == nil && number == 0 {
		err = nothingPublished(w)
	}
	if err != nil {
		return api.Exported{}, err
	}
	files, err := definition.Export(docs)
	if err != nil {
		return api.Exported{}, err
	}
	out := api.Exported{Workspace: string(w), Sequence: number}
	for _, f := range files {
		out.Files = append(out.Files, api.File{Name: f.Name, Text: string(f.Text)})
	}
	return out, nil
}

func nothingPublished(w cx.Workspace) error {
	return cx.E(cx.NotFound, "", fmt.Sprintf("nothing is published in workspace %q yet; kikubari apply does it", w))
}

// Compare makes publisher an api.Publisher. Files are compared with an empty set
// while nothing is published.
func (p publisher) Compare(ctx context.Context, c api.ToCompare) (api.Comparison, error) {
	before, from, err := p.documents(ctx, c.Workspace, c.From)
	if err != nil {
		return api.Comparison{}, err
	}
	out := api.Comparison{Workspace: string(c.Workspace), From: from}
	var after []definition.Document
	if len(c.Files) > 0 {
		after, out.Warnings, err = p.checked(c)
	} else if after, out.To, err = p.documents(ctx, c.Workspace, c.To); err == nil && (from == 0 || out.To == 0) {
		err = nothingPublished(c.Workspace)
	}
	if err != nil {
		return api.Comparison{}, err
	}
	differences := definition.Diff(before, after)
	out.Equal, out.Summary = len(differences) == 0, definition.Summary(differences)
	for _, d := range differences {
		out.Documents = append(out.Documents, differenceOf(&d))
	}
	return out, nil
}

// checked reads the files of a comparison as Publish would.
func (p publisher) checked(c api.ToCompare) (docs []definition.Document, warnings []string, err error) {
	docs, wrong := definition.Parse(parseable(c.Files))
	if len(wrong) == 0 {
		var set *definition.Set
		set, wrong, err = p.shard.Check(c.Workspace, docs, pipeline.Review{Schema: p.schema.of(c.Workspace), Strict: c.Strict})
		if err == nil && len(wrong) == 0 {
			return docs, problems(set.Warnings).Details(), nil
		}
	}
	if err == nil {
		err = &cx.Error{Kind: cx.Invalid, Err: &unfit{wrong, "these files"}}
	}
	return nil, nil, err
}

func differenceOf(d *definition.Difference) api.Difference {
	out := api.Difference{Kind: string(d.Kind), Name: d.Name, Change: string(d.Fate)}
	for _, f := range d.Fields {
		out.Fields = append(out.Fields, api.FieldChange{Path: f.Path, Old: f.Old, New: f.New})
	}
	return out
}

// Rollback makes publisher an api.Publisher.
func (p publisher) Rollback(ctx context.Context, r api.Rollback) (api.Published, error) {
	if set := p.shard.Set(r.Workspace); set != nil && set.Sequence == r.Set {
		return api.Published{}, cx.E(cx.Conflict, "", fmt.Sprintf("set %d is in force already; kikubari history lists the others", r.Set))
	}
	docs, _, err := p.documents(ctx, r.Workspace, r.Set)
	if err != nil {
		return api.Published{}, err
	}
	in := api.Publication{Workspace: r.Workspace, Who: r.Who, Why: r.Why, DryRun: r.DryRun}
	if in.Why == "" {
		in.Why = fmt.Sprintf("back to set %d", r.Set)
	}
	out, wrong, err := p.put(ctx, in, docs)
	if err == nil && len(wrong) > 0 {
		err = &cx.Error{Kind: cx.Invalid, Err: &unfit{wrong, fmt.Sprintf("set %d", r.Set)}}
	}
	out.SameAs = r.Set
	return out, err
}
