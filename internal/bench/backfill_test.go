package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/definition"
)

// The sets of the mode ask for three statistics that neither the workload nor each
// other has.
func TestAsked(t *testing.T) {
	slots := new(definition.Registry)
	count := func(set string) int {
		t.Helper()
		docs, problems := definition.Parse([]definition.File{{Name: "bench.yaml", Text: []byte(set)}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		b := definition.Builder{Registry: slots}
		built, problems := b.Build(docs, 1)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		last := 0
		for _, s := range built.Statistics {
			last = max(last, s.Slot+1)
		}
		return last
	}
	own := count(Definitions(workspace))
	if first := count(asked(41)); first != own+3 {
		t.Errorf("the first set asks for %d more, want 3", first-own)
	}
	if second := count(asked(43)); second != own+6 {
		t.Errorf("the second asks for %d more than the workload, want 3 after the first's", second-own)
	}
}

// What is measured ends when the server says so; a server that fills nothing is an
// error and not a fast one.
func TestAskAnew(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string
		entries uint64
		fails   string
	}{
		"filled":  {[]string{`[{"number":1,"of":0}]`, `[{"number":1,"of":90}]`, `[{"number":1,"of":100}]`, `[{"number":1,"known":"7.0","of":130}]`, `[]`}, 100, ""},
		"known":   {[]string{`[{"number":2,"of":90}]`, `[{"number":2,"known":"7.0","of":130}]`}, 90, ""},
		"at once": {[]string{`[]`}, 0, "fills nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			asked, published := 0, 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/api/v1/definitions":
					published++
					_, _ = w.Write([]byte(`{}`))
				case "/api/v1/backfills":
					_, _ = w.Write([]byte(c.answers[min(asked, len(c.answers)-1)]))
					asked++
				}
			}))
			defer server.Close()
			f, err := newControl(strings.TrimPrefix(server.URL, "http://"), "").askAnew(t.Context(), 41, name != "known")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("got %v, want that it %s", err, c.fails)
				}
				return
			}
			if err != nil || published != 1 || asked != len(c.answers) || f.entries != c.entries || f.known <= 0 || (f.judged > 0) == (name == "known") {
				t.Errorf("%+v, %v, after %d of %d answers", f, err, asked, len(c.answers))
			}
		})
	}
}
