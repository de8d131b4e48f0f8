package definition

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/kikubari/kikubari/internal/cx"
)

// Export writes documents as YAML, one a file: workspace.yaml,
// segments/NAME.yaml, actions/NAME.yaml, policies/NAME.yaml and
// destinations/NAME.yaml. Fields come in
// the order of the manual, names that people gave in alphabetical order, and
// comments are not known any more. Parse gives the same documents again, with the
// same Canonical form: every file is read back before it is returned.
func Export(docs []Document) ([]File, error) {
	docs = ordered(slices.Clone(docs))
	files := make([]File, len(docs))
	for i := range docs {
		d := &docs[i]
		text, ok := d.yaml()
		if !ok {
			return nil, cx.E(cx.Internal, "export definitions", fmt.Sprintf("%s cannot be written as YAML that reads back the same", d.title()))
		}
		files[i] = File{Name: d.fileName(), Text: text}
	}
	return files, nil
}

// fileName is where Export puts the document. Names are checked when a document
// is read, so this stays below the directory.
func (d *Document) fileName() string {
	if d.Kind == Workspace {
		return "workspace.yaml"
	}
	return plural(d.Kind) + "/" + d.Name + ".yaml"
}

// plural names several documents of a kind.
func plural(k Kind) string {
	if k == Policy {
		return "policies"
	}
	return string(k) + "s"
}

// yaml writes the document tidily or, where a text is so unusual that it would
// not be read back, with every text escaped.
func (d *Document) yaml() (text []byte, ok bool) {
	for _, escaped := range [...]bool{false, true} {
		w := yamlWriter{escaped: escaped}
		w.table(d.body, "", "", false)
		if d.readsBack(w.text) {
			return w.text, true
		}
	}
	return nil, false
}

// readsBack reports whether text says this document and nothing else.
func (d *Document) readsBack(text []byte) bool {
	var problems []Problem
	docs := parseFile(File{Text: text}, &problems)
	return len(problems) == 0 && len(docs) == 1 && bytes.Equal(docs[0].JSON(), d.JSON())
}

// fieldOrder is the order in which the manual introduces fields.
var fieldOrder = []string{
	"kind", "name", "description", "enabled",
	"time_zone", "currency", "language", "consent", "allowed", "categories", "redact", "merge_on", "batching", "values",
	"purpose", "channel", "destination", "place", "layout", "tone", "live", "issue", "group", "action",
	"trigger", "event", "segment", "when",
	"eligible", "applicable", "suitable",
	"caps", "session", "day", "total", "cooldown", "floor", "propensity", "score",
	"value", "lever", "prior", "mean", "weight", "levers", "context", "percent",
	"variables", "format", "in", "default",
	"body", "copy", "ja", "en", "title", "text", "button", "label", "url", "close", "idempotent",
}

// ownNames are the fields whose tables hold names that people gave.
var ownNames = []string{"values", "categories", "variables", "body", "issue", "group"}

// inOrder returns the fields of a table as Export writes them; those that the
// manual does not know come last, by name.
func inOrder(members []member) []member {
	rank := func(name string) int {
		if i := slices.Index(fieldOrder, name); i >= 0 {
			return i
		}
		return len(fieldOrder)
	}
	out := byName(members)
	sort.SliceStable(out, func(i, j int) bool { return rank(out[i].name) < rank(out[j].name) })
	return out
}
