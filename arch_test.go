package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kikubari/kikubari/"

// shape is the architecture. A package may import, of ours, the packages on its
// own line and nothing else; after the bar stand the libraries it may import
// besides the standard library. A pure package does no I/O, reads no clock and
// imports pure packages only. A line may be added or lengthened in the same
// change as the code: it is a decision made visible.
const shape = `
cx                  pure:
collect             pure: cx | github.com/go-json-experiment/json
profile             pure: cx
rule                pure: cx | cel.dev/cel-go google.golang.org/protobuf google.golang.org/genproto
segment             pure: cx rule
learn               pure: cx
template            pure: cx
decide              pure: cx rule segment learn template
zone                pure:
definition          pure: cx rule segment decide template zone | github.com/goccy/go-yaml
blank               pure: cx profile
mapping             pure: cx zone | github.com/goccy/go-yaml golang.org/x/text

fault                   :
nice                    :
access                  : cx
journal                 : cx fault | github.com/klauspost/compress github.com/nats-io/nats-server github.com/nats-io/nats.go golang.org/x/sys
backup                  : cx journal archive fault
archive                 : cx journal fault | github.com/klauspost/compress
deliver                 : cx fault
pipeline                : cx journal profile rule segment decide learn definition fault

warehouse               : cx pipeline
store/sqlite            : cx access pipeline deliver fault nice | github.com/mattn/go-sqlite3
store/storetest         : cx pipeline deliver | github.com/google/go-cmp pgregory.net/rapid
warehouse/duckdb        : cx access pipeline fault nice warehouse | github.com/duckdb/duckdb-go github.com/go-json-experiment/json
warehouse/warehousetest : cx access pipeline warehouse | github.com/google/go-cmp
api                     : cx access collect pipeline | github.com/danielgtaylor/huma github.com/prometheus/client_golang github.com/go-json-experiment/json
channel/webhook         : cx deliver
channel/channeltest     : cx deliver
console                 :
static                  :
bench                   : cx collect profile rule segment decide learn definition | golang.org/x/sync golang.org/x/sys
app                     : *
cli                     : * | github.com/alecthomas/kong golang.org/x/sync
`

// impure are the packages of the standard library that a pure package may not
// import.
var impure = []string{"database/sql", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "os/signal", "syscall", "crypto/rand"}

// clock are the functions of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

// room is one line of shape.
type room struct {
	pure            bool
	ours, libraries []string
}

func rooms(t *testing.T) map[string]room {
	t.Helper()
	out := map[string]room{}
	for line := range strings.Lines(shape) {
		left, right, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name, mark, _ := strings.Cut(strings.TrimSpace(left), " ")
		ours, libraries, _ := strings.Cut(right, "|")
		out[name] = room{strings.TrimSpace(mark) == "pure", strings.Fields(ours), strings.Fields(libraries)}
	}
	for name, r := range out {
		for _, o := range r.ours {
			if _, ok := out[o]; !ok && o != "*" {
				t.Errorf("shape: %s may import %s, which is not in shape", name, o)
			}
			if r.pure && !out[o].pure {
				t.Errorf("shape: %s is pure and may not import %s, which is not", name, o)
			}
		}
	}
	return out
}

func TestShape(t *testing.T) {
	all := rooms(t)
	seen := map[string]bool{}
	err := filepath.WalkDir("internal", func(file string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		pkg := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "internal/")
		r, ok := all[pkg]
		if !ok {
			if !seen[pkg] {
				t.Errorf("package %s has no line in shape", pkg)
			}
			seen[pkg] = true
			return nil
		}
		seen[pkg] = true
		checkFile(t, file, pkg, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if !seen[name] {
			t.Errorf("shape has a line for %s, but there is no such package", name)
		}
	}
}

func checkFile(t *testing.T, file, pkg string, r room) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range f.Imports {
		p, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		ours, isOurs := strings.CutPrefix(p, module+"internal/")
		switch {
		case slices.Contains(r.ours, "*"):
		case isOurs && !slices.Contains(r.ours, ours):
			t.Errorf("%s: %s may not import %s", fset.Position(im.Pos()), pkg, ours)
		case r.pure && slices.Contains(impure, p):
			t.Errorf("%s: %s is pure and may not import %s", fset.Position(im.Pos()), pkg, p)
		case !isOurs && strings.Contains(strings.Split(p, "/")[0], ".") && !slices.ContainsFunc(r.libraries, func(l string) bool { return p == l || strings.HasPrefix(p, l+"/") }):
			t.Errorf("%s: %s may not import the library %s", fset.Position(im.Pos()), pkg, p)
		}
	}
	if !r.pure {
		return
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && x.Obj == nil && slices.Contains(clock, s.Sel.Name) {
			t.Errorf("%s: %s is pure and may not call time.%s; take the time as an argument", fset.Position(s.Pos()), pkg, s.Sel.Name)
		}
		return true
	})
}
