package definition_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/definition"
)

// lines writes differences one a line.
func lines(differences []definition.Difference) (out []string) {
	side := func(b []byte) string {
		if b == nil {
			return "(not set)"
		}
		return string(b)
	}
	for _, d := range differences {
		out = append(out, fmt.Sprint(d.Fate, " ", d.Kind, " ", d.Name))
		for _, f := range d.Fields {
			out = append(out, fmt.Sprint(f.Path, ": ", side(f.Old), " -> ", side(f.New)))
		}
	}
	return out
}

func TestDiff(t *testing.T) {
	const old = actionYAML + `lever: 10
caps: {day: 2}
eligible: cart > 0
trigger:
  - event: A
  - {event: B, when: cart > 1}
  - event: C
`
	base := strings.Replace(old, "trigger:\n  - event: Product Added\n", "", 1)
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", base, "# only a comment\n" + base, nil},
		{"a number", "lever: 10", "lever: 20", []string{"changed action bar", "lever: 10 -> 20"}},
		{"a number of another spelling", "lever: 10", "lever: 1_0", []string{"changed action bar", `lever: 10 -> "1_0"`}},
		{"a text in one language", "{text: Hi}", "{text: Hello, title: T}", []string{"changed action bar", `copy.en.title: (not set) -> "T"`, `copy.en.text: "Hi" -> "Hello"`}},
		{"a table that comes", "{text: Hi}", "{text: Hi, button: {url: /a, label: b}}", []string{"changed action bar", `copy.en.button.label: (not set) -> "b"`, `copy.en.button.url: (not set) -> "/a"`}},
		{"a table that goes", "caps: {day: 2}", "live: true", []string{"changed action bar", "live: (not set) -> true", "caps.day: 2 -> (not set)"}},
		{"a table that is empty", "caps: {day: 2}", "caps: {}", []string{"changed action bar", `caps: {"day":2} -> {}`}},
		{"an empty field that comes", "lever: 10", "lever: 10\nvalue:", []string{"changed action bar", "value: (not set) -> null"}},
		{"an item in front", "  - event: A\n", "  - event: Z\n  - event: A\n", []string{"changed action bar", `trigger[1].event: (not set) -> "Z"`}},
		{"an item that goes", "  - event: A\n", "", []string{"changed action bar", `trigger[1].event: "A" -> (not set)`}},
		{"an item that changes", "cart > 1", "cart > 2", []string{"changed action bar", `trigger[2].when: "cart \u003e 1" -> "cart \u003e 2"`}},
		{"another name", "name: bar", "name: car", []string{"removed action bar", "added action car"}},
	} {
		before, after := base, strings.Replace(base, c.old, c.new, 1)
		if diff := cmp.Diff(c.want, lines(definition.Diff(parsed(t, before), parsed(t, after)))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestSummary(t *testing.T) {
	segment := func(name, when string) string {
		return "---\nkind: segment\nname: " + name + "\nwhen: " + when + "\n"
	}
	first := parsed(t, workspaceYAML+segment("a", "x")+segment("b", "x")+segment("c", "x"))
	second := parsed(t, workspaceYAML+"language: ja\n"+segment("a", "y")+segment("b", "y")+"---\n"+actionYAML)
	for _, c := range []struct {
		before, after []definition.Document
		want          string
	}{
		{first, first, "no change"},
		{nil, first, "+1 workspace, +3 segments"},
		{first, second, "~1 workspace, ~2 segments, -1 segment, +1 action"},
		{second, nil, "-1 workspace, -2 segments, -1 action"},
	} {
		if got := definition.Summary(definition.Diff(c.before, c.after)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// TestDiffIsEmptyForTheSameOnly compares policies that differ in a few items.
func TestDiffIsEmptyForTheSameOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []definition.Document {
			text := "kind: policy\nname: p\ncontext:"
			items := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 6).Draw(t, name)
			if len(items) == 0 {
				text += " []"
			}
			for _, i := range items {
				text += fmt.Sprintf("\n  - {when: cart > %d, percent: %d}", i/2, i)
			}
			return parsed(t, text+"\n")
		}
		a, b := draw("before"), draw("after")
		x, errX := definition.Canonical(a)
		y, errY := definition.Canonical(b)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		forth, back := definition.Diff(a, b), definition.Diff(b, a)
		if same := bytes.Equal(x, y); same != (len(forth) == 0) || same != (len(back) == 0) {
			t.Fatalf("the same: %v; there %v, back %v", same, lines(forth), lines(back))
		}
	})
}
