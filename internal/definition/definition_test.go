package definition_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/template"
)

// demoFiles reads the definitions of the demo shop.
func demoFiles(tb testing.TB) (files []definition.File) {
	tb.Helper()
	names, err := filepath.Glob("../../demo/definitions/*.yaml")
	if err != nil || len(names) == 0 {
		tb.Fatalf("no definitions: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, definition.File{Name: filepath.Base(name), Text: b})
	}
	return files
}

// built parses and builds files that have no problems.
func built(tb testing.TB, reg *definition.Registry, files ...definition.File) *definition.Set {
	tb.Helper()
	docs, problems := definition.Parse(files)
	if err := definition.AsError(problems); err != nil {
		tb.Fatal(err)
	}
	set, problems := definition.Build(docs, reg, 3)
	if err := definition.AsError(problems); err != nil {
		tb.Fatal(err)
	}
	return set
}

func TestDemo(t *testing.T) {
	set := built(t, new(definition.Registry), demoFiles(t)...)
	if set.Workspace != "demo" || set.Sequence != 3 || len(set.Warnings) != 0 {
		t.Errorf("workspace %q, sequence %d, warnings %v", set.Workspace, set.Sequence, set.Warnings)
	}
	s := set.Settings
	if s.Zone.String() != "Asia/Tokyo" || s.Currency != "JPY" || s.Language != template.Japanese || !s.Batching {
		t.Errorf("settings: %+v", s)
	}
	if diff := cmp.Diff([]cx.Purpose{cx.OnSiteService}, s.Allowed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]cx.Namespace{cx.Mail}, s.MergeOn); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"free-shipping-bar", "free-shipping-reached-bar"} {
		a := set.Offer.Action(name)
		if a == nil || !a.Live || a.Place != "top-bar" || a.Message.Layout != template.Bar || a.Personal {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := set.Offer.Action("welcome-back"); !a.Personal {
		t.Error("a greeting by name is not personal")
	}
	if a := set.Offer.Action("free-shipping-bar"); a.Lever != 20 || a.Cooldown != cx.Day {
		t.Errorf("lever %v, cool-down %v", a.Lever, a.Cooldown)
	}
	if w := set.Offer.Action("first-order-offer").Context; len(w) != 1 || w[0].Percent != -50 {
		t.Errorf("context of the offer: %+v", w)
	}
	if set.Policy.Caps.Session != 20 || set.Policy.Floor.Score != 0.01 {
		t.Errorf("policy: %+v", set.Policy)
	}
}

func TestCanonicalSaysTheSame(t *testing.T) {
	files := demoFiles(t)
	one, two := new(definition.Registry), new(definition.Registry)
	set := built(t, one, files...)
	b, err := definition.Canonical(set.Documents)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := definition.ParseCanonical(b)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := definition.Build(docs, two, 3)
	if err := definition.AsError(problems); err != nil {
		t.Fatal(err)
	}
	if !one.Equal(two) {
		t.Error("the set from the journal has other slots")
	}
	if diff := cmp.Diff(set.Statistics, again.Statistics); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(set.Offer.Names(), again.Offer.Names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(set.Values, again.Values); diff != "" {
		t.Error(diff)
	}
	second, err := definition.Canonical(docs)
	if err != nil || !bytes.Equal(b, second) {
		t.Errorf("the canonical form of the canonical form is another: %v", err)
	}
}

// TestCanonicalKnowsNoFiles cuts the same documents into files in any way and
// order, with comments between.
func TestCanonicalKnowsNoFiles(t *testing.T) {
	var parts []string
	for _, f := range demoFiles(t) {
		parts = append(parts, strings.Split(string(f.Text), "\n---\n")...)
	}
	want, err := definition.Canonical(built(t, new(definition.Registry), demoFiles(t)...).Documents)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		files := []definition.File{{Name: "0.yaml"}}
		for _, p := range rapid.Permutation(parts).Draw(t, "order") {
			if rapid.Bool().Draw(t, "cut") {
				files = append(files, definition.File{Name: fmt.Sprint(len(files), ".yaml")})
			}
			last := &files[len(files)-1]
			last.Text = append(last.Text, "---\n# "+rapid.StringMatching(`[a-z {}:]*`).Draw(t, "comment")+"\n"+p+"\n"...)
		}
		docs, problems := definition.Parse(files)
		if err := definition.AsError(problems); err != nil {
			t.Fatal(err)
		}
		got, err := definition.Canonical(docs)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("another canonical form: %v", err)
		}
	})
}

func TestCanonicalIsBounded(t *testing.T) {
	r := uint64(1)
	var b bytes.Buffer
	b.WriteString(workspaceYAML)
	for i := range 300 {
		fmt.Fprintf(&b, "---\nkind: segment\nname: s%d\nwhen: session.number > 1\ndescription: ", i)
		for range 400 {
			r ^= r << 13
			r ^= r >> 7
			r ^= r << 17
			fmt.Fprintf(&b, "%016x", r)
		}
		b.WriteByte('\n')
	}
	files := []definition.File{{Name: "a.yaml", Text: b.Bytes()[:b.Len()/2]}, {Name: "b.yaml", Text: b.Bytes()[b.Len()/2:]}}
	cut := bytes.LastIndex(files[0].Text, []byte("---\n"))
	files[1].Text, files[0].Text = b.Bytes()[cut:], b.Bytes()[:cut]
	docs, problems := definition.Parse(files)
	if err := definition.AsError(problems); err != nil {
		t.Fatal(err)
	}
	_, err := definition.Canonical(docs)
	if cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), "take out what is not used") {
		t.Errorf("a set that does not fit into a record: %v", err)
	}
}

func TestParseCanonicalRefusesOtherBytes(t *testing.T) {
	b, err := definition.Canonical(built(t, new(definition.Registry), demoFiles(t)...).Documents)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "text": []byte("kind: workspace"), "cut short": b[:len(b)/2]} {
		if _, err := definition.ParseCanonical(bad); err == nil {
			t.Errorf("%s was taken for a set", name)
		}
	}
}

func TestSlotsAreNeverUsedAgain(t *testing.T) {
	reg := new(definition.Registry)
	set := func(rules ...string) *definition.Set {
		text := workspaceYAML
		for _, r := range rules {
			name, when, _ := strings.Cut(r, ": ")
			text += "---\nkind: segment\nname: " + name + "\nwhen: " + when + "\n"
		}
		return built(t, reg, definition.File{Name: "shop.yaml", Text: []byte(text)})
	}
	first := set(`a: count("A", "all") > 1`, `b: count("B", "all") > 1`)
	second := set(`b: count("B", "all") > 2`, `c: count("C", "all") > 1`)
	third := set(`a: count("A", "all") > 3`)
	slotOf := func(s *definition.Set, name string) int {
		for _, seg := range s.Segments.All() {
			if seg.Name == name {
				return seg.Slot
			}
		}
		return -1
	}
	for name, slots := range map[string][3]int{"a": {0, -1, 0}, "b": {1, 1, -1}, "c": {-1, 2, -1}} {
		got := [3]int{slotOf(first, name), slotOf(second, name), slotOf(third, name)}
		if got != slots {
			t.Errorf("segment %s has slots %v, want %v", name, got, slots)
		}
	}
	for i, want := range [][]int{{0, 1}, {1, 2}, {0}} {
		var got []int
		for _, s := range []*definition.Set{first, second, third}[i].Statistics {
			got = append(got, s.Slot)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("set %d: %s", i+1, diff)
		}
	}
}

func TestRegistryCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reg := new(definition.Registry)
		for range rapid.IntRange(0, 40).Draw(t, "times") {
			n := rapid.IntRange(0, 20).Draw(t, "number")
			if rapid.Bool().Draw(t, "segment") {
				reg.Segment(fmt.Sprint("s", n))
			} else {
				reg.Statistic(cx.StatisticSpec{Aggregate: cx.Count, Event: cx.EventName(fmt.Sprint("e", n)), Window: cx.Window{Kind: cx.AllTime}})
			}
		}
		b := definition.AppendRegistry(nil, reg)
		got, err := definition.DecodeRegistry(b)
		if err != nil || !got.Equal(reg) || !reg.Clone().Equal(reg) {
			t.Fatalf("%v: %v, want %v", err, got, reg)
		}
		for n := range 21 {
			if got.Segment(fmt.Sprint("s", n)) != reg.Segment(fmt.Sprint("s", n)) {
				t.Fatalf("segment s%d has another slot", n)
			}
		}
		if _, err := definition.DecodeRegistry(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); !errors.Is(err, cx.ErrCodec) {
			t.Fatalf("cut short: %v", err)
		}
	})
}

func TestSchemaWarnsAndStrictRefuses(t *testing.T) {
	docs, problems := definition.Parse([]definition.File{{Name: "shop.yaml", Text: []byte(workspaceYAML + "---\nkind: segment\nname: a\nwhen: sum(\"Product Added\", \"prise\", \"all\") > 1\n")}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	b := definition.Builder{Registry: new(definition.Registry), Schema: rule.Schema{"Product Added": {"price": rule.KindsOf(cx.Number)}}}
	set, problems := b.Build(docs, 1)
	if len(problems) > 0 || len(set.Warnings) != 1 || set.Warnings[0].Line != 8 || !strings.Contains(set.Warnings[0].Message, "prise") {
		t.Errorf("problems %v, set %+v", problems, set)
	}
	b.Strict = true
	if _, problems := b.Build(docs, 1); len(problems) != 1 || !strings.Contains(problems[0].String(), "shop.yaml:8:") {
		t.Errorf("strict: %v", problems)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(workspaceYAML + "---\n" + actionYAML)
	f.Add("kind: policy\nname: p\ncontext:\n  - when: >\n      a\n    percent: 1\n")
	f.Add("a: !x &b [*c, {d: 1e9}]\n? e\n: f\n")
	f.Fuzz(func(t *testing.T, text string) {
		docs, problems := definition.Parse([]definition.File{{Name: "f", Text: []byte(text)}})
		for _, p := range problems {
			if p.File != "f" || p.Message == "" || p.Line < 0 || p.Line > 1+strings.Count(text, "\n")+strings.Count(text, "\r") {
				t.Fatalf("%q: %+v", text, p)
			}
		}
		if len(docs) == 0 {
			return
		}
		b, err := definition.Canonical(docs)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := definition.ParseCanonical(b)
		if err != nil || len(again) != len(docs) {
			t.Fatalf("%q: %v", text, err)
		}
		second, err := definition.Canonical(again)
		if err != nil || !bytes.Equal(b, second) {
			t.Fatalf("%q: another canonical form: %v", text, err)
		}
		roundTrip(t, docs)
	})
}

func ExampleParse() {
	_, problems := definition.Parse([]definition.File{{Name: "segments.yaml", Text: []byte("kind: segment\nname: buyer\nwenn: session.number > 1\n")}})
	for _, p := range problems {
		fmt.Println(p)
	}
	// Output:
	// segments.yaml:1:1: segment buyer: when is missing; write the rule that says who belongs, such as count("Order Completed", "all") > 0
	// segments.yaml:3:1: segment buyer: unknown field "wenn"; did you mean "when"?
}

func BenchmarkBuild(b *testing.B) {
	set := built(b, new(definition.Registry), demoFiles(b)...)
	canonical, err := definition.Canonical(set.Documents)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		docs, err := definition.ParseCanonical(canonical)
		if err != nil {
			b.Fatal(err)
		}
		if _, problems := definition.Build(docs, new(definition.Registry), 1); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

// TestRegistryFormatDoesNotChange holds what checkpoints keep: when it fails,
// the codec needs another version and has to read this one.
func TestRegistryFormatDoesNotChange(t *testing.T) {
	reg := new(definition.Registry)
	reg.Segment("vip")
	reg.Statistic(cx.StatisticSpec{Aggregate: cx.Count, Event: "A", Window: cx.Window{Kind: cx.AllTime}})
	want := "\x01" + "\x01" + "\x11" + `count("A", "all")` + "\x01" + "\x03" + "vip"
	if got := string(definition.AppendRegistry(nil, reg)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
