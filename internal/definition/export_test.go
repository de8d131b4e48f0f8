package definition_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/definition"
)

// roundTrip exports documents, reads the files again and returns them; the
// canonical form must be the same.
func roundTrip(tb rapid.TB, docs []definition.Document) []definition.File {
	tb.Helper()
	want, err := definition.Canonical(docs)
	if err != nil {
		tb.Fatal(err)
	}
	files, err := definition.Export(docs)
	if err != nil {
		tb.Fatal(err)
	}
	again, problems := definition.Parse(files)
	if err := definition.AsError(problems); err != nil {
		tb.Fatal(err)
	}
	got, err := definition.Canonical(again)
	if err != nil || !bytes.Equal(got, want) {
		tb.Fatalf("applying an export is not the identity (%v): %s", err, cmp.Diff(docs, again, cmp.Transformer("JSON", func(d definition.Document) string { return string(d.JSON()) })))
	}
	if diff := definition.Diff(docs, again); len(diff) > 0 {
		tb.Fatalf("the canonical form is the same and the difference is %v", diff)
	}
	kept, err := definition.ParseCanonical(want)
	if err != nil {
		tb.Fatal(err)
	}
	second, err := definition.Export(kept)
	if err != nil || !cmp.Equal(files, second) {
		tb.Fatalf("the export from the journal is another (%v): %s", err, cmp.Diff(files, second))
	}
	return files
}

func parsed(tb rapid.TB, text string) []definition.Document {
	tb.Helper()
	docs, problems := definition.Parse([]definition.File{{Name: "f.yaml", Text: []byte(text)}})
	if err := definition.AsError(problems); err != nil {
		tb.Fatal(err)
	}
	return docs
}

func TestExportOfTheDemoAndTheManual(t *testing.T) {
	docs, problems := definition.Parse(demoFiles(t))
	if err := definition.AsError(problems); err != nil {
		t.Fatal(err)
	}
	files := roundTrip(t, docs)
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	want := []string{
		"workspace.yaml",
		"segments/browsing-without-buying.yaml", "segments/buyer.yaml", "segments/cart-below-free-shipping.yaml", "segments/forgotten-cart.yaml",
		"segments/free-shipping-reached.yaml", "segments/lapsed-buyer.yaml", "segments/regular.yaml",
		"actions/first-order-offer.yaml", "actions/free-shipping-bar.yaml", "actions/free-shipping-reached-bar.yaml", "actions/order-thanks.yaml",
		"actions/size-guide.yaml", "actions/welcome-back.yaml",
		"policies/default.yaml",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	manual, err := os.ReadFile("../../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(manual), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		roundTrip(t, parsed(t, text))
	}
}

// TestFieldsCalledLikeASpellingOfNumbers holds names and numbers that the
// canonical form could take for each other.
func TestFieldsCalledLikeASpellingOfNumbers(t *testing.T) {
	roundTrip(t, parsed(t, workspaceYAML+`consent: {categories: {"#": marketing}}
---
kind: policy
name: p
levers: {issue: {"#": 5}, group: {"#": 1_0}}
floor: {score: .5, propensity: +0.5}
`))
}

// TestExportIsTidy holds one action with every kind of value, written by hand
// and as it comes out.
func TestExportIsTidy(t *testing.T) {
	files := roundTrip(t, parsed(t, `# a comment
copy: {en: {text: "{{ b }} more", title: "a: b"}, ja: {button: {url: "#size", label: 商品　を見る}, text: "あと{{ a }}と「{{ b }}」", close: 'it''s'}}
name: bar
trigger: [{when: "event.properties.price > 0", event: "*"}, {segment: buyer}]
kind: action
eligible: "!segment(\"buyer\")"
variables: {b: {value: "1"}, a: {format: money, value: cart - 0, default: "いく\"ら\"か"}}
description: "two lines\nof text"
applicable: >
  count("Product Viewed", "session") >= 3 && count("Product Viewed", "30d") >= 4 && count("Product Added", "session") == 0
  && session.number > 1
purpose: on_site_service
value: 1_000
caps: {}
live: true
cooldown:
place: top-bar
`))
	want := `kind: action
name: bar
description: |-
  two lines
  of text
purpose: on_site_service
place: top-bar
live: true
trigger:
  - event: "*"
    when: event.properties.price > 0
  - segment: buyer
eligible: '!segment("buyer")'
applicable: >
  count("Product Viewed", "session") >= 3 && count("Product Viewed", "30d") >= 4 && count("Product
  Added", "session") == 0 && session.number > 1
caps: {}
cooldown: null
value: 1_000
variables:
  a:
    value: cart - 0
    format: money
    default: いく"ら"か
  b:
    value: "1"
copy:
  ja:
    text: あと{{ a }}と「{{ b }}」
    button:
      label: 商品　を見る
      url: "#size"
    close: it's
  en:
    title: "a: b"
    text: "{{ b }} more"
`
	if diff := cmp.Diff(want, string(files[0].Text)); diff != "" {
		t.Error(diff)
	}
}

// odd are pieces of text that YAML, or our reader of it, could take for
// something else.
var odd = []string{
	"", " ", "  ", "\n", "\n\n", "\t", "\r", "\r\n", "\ufeff", "\u0085", "\u00a0", "\u2028", "\u3000", "\u200d", "\x00", "\x1b", "😀", "あ",
	"---", "...", "#", " #", ":", ": ", "- ", "-", "?", "!", "&a", "*a", "|", ">", ">-", "%", "@", "`", "'", "''", `"`, `\`, `\n`, `\x41`, "~", "null", "true", "No",
	"1", "0x1f", "1_000", ".5", ".inf", "1e9", "2026-01-01", "12:30:00", "<<", "{", "}", "[", "]", ",", "{{ a }}", "kind: segment", "word",
}

func oddText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		piece := rapid.OneOf(rapid.SampledFrom(odd), rapid.StringN(0, 5, -1), rapid.StringMatching(`[a-z]{1,12} `))
		return strings.Join(rapid.SliceOfN(piece, 0, rapid.SampledFrom([]int{1, 3, 6, 60}).Draw(t, "pieces")).Draw(t, "text"), "")
	})
}

// TestExportOfAnyText puts any text wherever the form takes any text.
func TestExportOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(what string) string {
			s := oddText().Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, what)
			return jsonText(s)
		}
		name := func(what string) string { return rapid.StringMatching(`[a-z_][a-z0-9_]{0,8}`).Draw(t, what) }
		number := rapid.SampledFrom([]string{"0", "1", "12.5", "1.5e+1", "0.1", "-5", "7_0", ".5"}).Draw(t, "number")
		docs := parsed(t, `kind: policy
name: p
description: `+text("description")+`
cooldown: 7d
caps: {session: 3, total: 9}
floor: {score: 0.5}
levers: {issue: {`+text("issue")+`: `+number+`, `+jsonText("n_"+name("group"))+`: 1}, group: {}}
context:
  - {when: `+text("when")+`, percent: `+number+`, issue: `+text("of")+`}
  - {percent: 0, when: `+text("when too")+`, action: `+text("action")+`, group: `+text("group")+`}
---
kind: segment
name: s
when: `+text("rule")+`
---
kind: action
name: a
enabled: false
purpose: marketing
channel: web
place: center
layout: modal
tone: success
live: true
issue: `+text("issue of")+`
group: `+text("group of")+`
trigger: [{event: `+text("event")+`, when: `+text("condition")+`}, {segment: `+text("segment")+`}]
eligible: `+text("eligible")+`
applicable: `+text("applicable")+`
suitable: `+text("suitable")+`
caps: {total: 100, day: 2}
cooldown: none
floor: {propensity: .5}
value: 1.5
lever: -3
prior: {weight: 2, mean: 0.5}
context: [{when: `+text("context")+`, percent: 4}]
variables:
  v: {value: `+text("variable")+`, default: `+jsonText(oddText().Draw(t, "default"))+`}
  w: {value: `+text("price")+`, format: money, in: EUR, default: 12}
copy:
  ja: {text: "{{ v }}", title: "# {{ w }}", button: {label: "- {{ v }}", url: "/a?b={{ v }}"}, close: "? x"}
  en: {text: "{{ v }}\n\n  {{ w }}: \n"}
---
kind: workspace
name: w
time_zone: UTC
currency: JPY
batching: `+rapid.SampledFrom([]string{"true", "false", "null", "True"}).Draw(t, "batching")+`
redact: [`+jsonText(name("redact"))+`, "a.b"]
merge_on: []
consent: {allowed: [analytics, marketing], categories: {`+text("category")+`: marketing, x y: analytics}}
values: {v_`+name("value")+`: `+text("value")+`, 'cart': `+text("cart")+`}
`)
		roundTrip(t, docs)
	})
}

// jsonText quotes a text the way a document from outside could: nothing in it
// is left to chance but what the reader makes of line ends.
func jsonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == '\ufeff' || r == '\u0085' || r == '\u2028':
			b.WriteString(`\u` + hex4(r))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hex4(r rune) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]})
}
