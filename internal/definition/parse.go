package definition

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Kind is what a document defines.
type Kind string

// The kinds of document.
const (
	Workspace Kind = "workspace"
	Segment   Kind = "segment"
	Action    Kind = "action"
	Policy    Kind = "policy"

	Destination Kind = "destination"
)

var kinds = []string{string(Workspace), string(Segment), string(Action), string(Policy), string(Destination)}

// File is one YAML file; it may hold several documents.
type File struct {
	Name string // for messages, and for nothing else
	Text []byte
}

// Document is one definition whose form has been checked.
type Document struct {
	Kind Kind
	Name string
	File string // where it stands; "" when it came from the journal
	Line int

	body *value
	spec any // *workspaceSpec, *segmentSpec, *actionSpec, *policySpec or *destinationSpec
}

func (d *Document) title() string { return string(d.Kind) + " " + d.Name }

// Parse reads files and checks the form of every document in them. The
// documents come by kind and name, without those that have problems; the
// problems come by file and line.
func Parse(files []File) ([]Document, []Problem) {
	var docs []Document
	var problems []Problem
	for _, f := range files {
		docs = append(docs, parseFile(f, &problems)...)
	}
	return ordered(docs), sorted(problems)
}

// maxFile is how large a file may be.
const maxFile = 1 << 20

// unixLines takes a byte order mark out and ends every line in the same way.
var unixLines = strings.NewReplacer("\ufeff", "", "\r\n", "\n", "\r", "\n")

func parseFile(f File, problems *[]Problem) (docs []Document) {
	r := &reporter{problems: problems, file: f.Name}
	if len(f.Text) > maxFile {
		r.at(0, 0, "the file is larger than 1 MB; split it")
		return nil
	}
	if !utf8.Valid(f.Text) {
		r.at(0, 0, "the file is not UTF-8 text; save it as UTF-8")
		return nil
	}
	text := unixLines.Replace(string(f.Text))
	if line := tooDeep(text); line > 0 {
		r.at(line, 1, "this is nested too deeply; definitions need a few levels only")
		return nil
	}
	tree, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		r.syntax(err)
		return nil
	}
	src := newSource(text)
	for _, d := range tree.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType {
			continue
		}
		before := len(*problems)
		body := valueOf(r, src, d.Body)
		if len(*problems) > before {
			continue
		}
		if doc, ok := parseDocument(f.Name, body, problems); ok {
			docs = append(docs, doc)
		}
	}
	return docs
}

// maxNesting bounds how deep brackets and indentation go before the text is
// parsed, which takes the square of that in time.
const maxNesting = 100

// tooDeep returns the first line, from 1, that is nested too deeply, 0 for none.
func tooDeep(text string) (line int) {
	depth := 0
	for l := range strings.SplitSeq(text, "\n") {
		line++
		if len(l)-len(strings.TrimLeft(l, " \t-?")) > 2*maxNesting {
			return line
		}
		for _, c := range []byte(l) {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxNesting {
				return line
			}
		}
	}
	return 0
}

// syntax reports a file that is no YAML.
func (r *reporter) syntax(err error) {
	hint := "check the indentation, and put texts with : # { [ or quotes in them between quotes"
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		r.at(1, 1, "this is not YAML: %v; %s", err, hint)
		return
	}
	p := at.GetToken().Position
	r.at(p.Line, p.Column, "this is not YAML: %s; %s", at.GetMessage(), hint)
}

// parseDocument checks the form of one document. ok is false when it has
// problems, which have been reported.
func parseDocument(file string, body *value, problems *[]Problem) (doc Document, ok bool) {
	before := len(*problems)
	r := &reporter{problems: problems, file: file}
	f := fill(r, body, "a document")
	if body.kind != table {
		return Document{}, false
	}
	kind := f.needPhrase("kind", "write kind: workspace, segment, action, policy or destination")
	name := f.needPhrase("name", slugHint)
	doc = Document{Kind: Kind(kind.text), Name: name.text, File: file, Line: body.line, body: body}
	if name.given() && !isSlug(name.text) {
		f.on(name.at, "%q cannot be a name; %s", name.text, slugHint)
	}
	if !kind.given() {
		return doc, false
	}
	r.document = doc.title()
	f.phrase("description")
	switch doc.Kind {
	case Workspace:
		doc.spec = readWorkspace(f)
	case Segment:
		doc.spec = readSegment(f)
	case Action:
		doc.spec = readAction(f)
	case Policy:
		doc.spec = readPolicy(f)
	case Destination:
		doc.spec = readDestination(f)
	default:
		r.document = ""
		f.on(kind.at, "kind cannot be %q; %s", kind.text, suggest(kind.text, kinds))
		return doc, false
	}
	f.done()
	return doc, len(*problems) == before
}

// ordered sorts documents by kind and name; of the same ones the earlier comes
// first.
func ordered(docs []Document) []Document {
	rank := func(k Kind) int {
		for i, name := range kinds {
			if name == string(k) {
				return i
			}
		}
		panic(fmt.Sprintf("definition: no such kind: %q", k))
	}
	sort.SliceStable(docs, func(i, j int) bool {
		a, b := &docs[i], &docs[j]
		if a.Kind != b.Kind {
			return rank(a.Kind) < rank(b.Kind)
		}
		return a.Name < b.Name
	})
	return docs
}
