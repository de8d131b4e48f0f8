package rule

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

var update = flag.Bool("update", false, "rewrite the wanted answers in testdata")

// counting returns an Env that numbers statistics in the order in which they
// come up.
func counting() *Env {
	slots := map[cx.StatisticSpec]int{}
	return &Env{
		Slot: func(spec cx.StatisticSpec) int {
			if _, ok := slots[spec]; !ok {
				slots[spec] = len(slots)
			}
			return slots[spec]
		},
		Segments: map[string]int{"vip": 1, "buyer": 2},
		Names: map[string]string{
			"cart": `sum("Product Added", "price", "session")`, "a": "b + 1", "b": "a", "bad": "1 +",
			"half": `event.nam == "x"`, "mixed": "true &&\n  'a' < 3", "added": `event.name == "Product Added"`,
		},
	}
}

// TestErrors holds what is said about wrong rules: testdata/errors.txt has a
// rule, its error indented, and an empty line.
func TestErrors(t *testing.T) {
	const file = "testdata/errors.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for i, block := range strings.Split(strings.TrimSuffix(string(want), "\n"), "\n\n") {
		text, _, _ := strings.Cut(block, "\n\t")
		if i > 0 {
			got.WriteString("\n")
		}
		_, err := CompileState(text, counting())
		var e *Error
		switch {
		case err == nil:
			t.Errorf("%s\nis accepted", text)
			continue
		case !errors.As(err, &e) || e.Line < 1 || e.Column < 1:
			t.Errorf("%s\nhas no position: %v", text, err)
			continue
		case e.Hint == "":
			t.Errorf("%s\ndoes not say what to do: %v", text, err)
		}
		got.WriteString(text + "\n\t" + strings.ReplaceAll(err.Error(), "\n", "\n\t") + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" && !*update {
		t.Error(diff)
	}
}

func TestLimits(t *testing.T) {
	for name, text := range map[string]string{
		"longer than":  strings.Repeat("true && ", 1500) + "true",
		"nested too":   strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300),
		"too large":    "[" + strings.Repeat("1,", 2500) + "1] == null",
		"64 different": manyStatistics(65),
		"not UTF-8":    "event.name == \"\xff\"",
		"500 bytes":    `traits.a.matches("` + strings.Repeat("a", 501) + `")`,
	} {
		_, err := Compile(text, counting())
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !strings.Contains(e.Message, name) {
			t.Errorf("%s: %v", name, e.Short())
		}
	}
	if _, err := Compile(manyStatistics(64), counting()); err != nil {
		t.Error(err)
	}
}

func manyStatistics(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = `count("E` + strings.Repeat("x", i) + `", "all") > 0`
	}
	return strings.Join(parts, " || ")
}

// TestNamedExpressionsExplode checks that names which double at every step run
// into the limit instead of memory.
func TestNamedExpressionsExplode(t *testing.T) {
	env := counting()
	env.Names = map[string]string{"p": "q + q", "q": "r + r", "r": "s + s", "s": "t + t", "t": "u + u", "u": "v + v", "v": "w + w", "w": "x + x", "x": "y + y", "y": "z + z", "z": "1 + 1"}
	_, err := Compile("p > 0", env)
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}
