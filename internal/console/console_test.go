package console

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// What a page or script names is there.
func TestStatusIsWhole(t *testing.T) {
	named := regexp.MustCompile(`(?:from '\./|(?:src|href)="/status/)([a-z.]+)`)
	files, err := fs.Glob(Status(), "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, m := range named.FindAllStringSubmatch(read(t, file), -1) {
			if !slices.Contains(files, m[1]) {
				t.Errorf("%s names %s, which is not there", file, m[1])
			}
		}
	}
}

// A strict Content-Security-Policy blocks nothing of the page.
func TestStatusHasNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script>|innerHTML|eval\(`)
	files, err := fs.Glob(Status(), "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if m := inline.FindString(read(t, file)); m != "" {
			t.Errorf("%s holds %q, which a strict policy blocks", file, m)
		}
	}
}

// Each gate is explained in both languages, and nothing else is.
func TestEveryGateIsExplained(t *testing.T) {
	var gates []string
	for g := cx.Passed + 1; g.String() != "unknown"; g++ {
		gates = append(gates, g.String())
	}
	gates = append(gates, "unknown")
	slices.Sort(gates)
	for _, language := range []string{"en", "ja"} {
		explained := keys(t, "const gates = {", language)
		slices.Sort(explained)
		if !slices.Equal(explained, gates) {
			t.Errorf("%s explains %v, want %v", language, explained, gates)
		}
	}
}

// What becomes of what was said is named in both languages: on the page, in the
// ledger, and on its way to a destination.
func TestEveryFateIsNamed(t *testing.T) {
	fates := []string{}
	for s := cx.Reserved; s.String() != "unknown"; s++ {
		fates = append(fates, s.String())
	}
	for _, s := range cx.DeliveryStates {
		if s.Settled() {
			fates = append(fates, s.String())
		}
	}
	for _, language := range []string{"en", "ja"} {
		named := keys(t, "const fates = {", language)
		for _, f := range fates {
			if !slices.Contains(named, f) {
				t.Errorf("%s has no name for %s", language, f)
			}
		}
	}
}

// Every sentence exists in both languages.
func TestBothLanguagesSayTheSame(t *testing.T) {
	for _, table := range []string{"const words = {", "const gates = {"} {
		if en, ja := keys(t, table, "en"), keys(t, table, "ja"); !slices.Equal(en, ja) {
			t.Errorf("%s: en has %v, ja has %v", table, en, ja)
		}
	}
}

// keys returns the names in one language's part of a table of text.js, one a line.
func keys(t *testing.T, table, language string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, "text.js"), table)
	_, rest, ok2 := strings.Cut(rest, "\n  "+language+": {\n")
	part, _, ok3 := strings.Cut(rest, "\n  },\n")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("text.js has no %q with %q", table, language)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ {4}(\w+):`).FindAllStringSubmatch(part, -1) {
		names = append(names, m[1])
	}
	if len(names) == 0 {
		t.Fatalf("%q of %q is empty", language, table)
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(Status(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
