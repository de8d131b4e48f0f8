package template_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/template"
)

// content is what a client reads.
type content struct {
	Title  string `json:"title"`
	Text   string `json:"text"`
	Button *struct {
		Label string `json:"label"`
		URL   string `json:"url"`
	} `json:"button"`
	Close string `json:"close"`
}

// message compiles one text with the variables given, the same in both
// languages.
func message(tb testing.TB, text string, variables ...template.Variable) *template.Message {
	tb.Helper()
	m := &template.Message{Layout: template.Bar, Tone: template.Info, Variables: variables}
	var names []string
	for _, v := range variables {
		names = append(names, v.Name)
	}
	body, err := template.Parse(text, names)
	if err != nil {
		tb.Fatal(err)
	}
	shut, err := template.Parse("Close", nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, l := range template.Languages {
		m.Copies[l] = template.Copy{Text: body, Close: shut}
	}
	return m
}

// shown renders m and reads the result as a client does.
func shown(tb testing.TB, m *template.Message, l template.Language, values ...cx.Value) content {
	tb.Helper()
	filled := make([]string, len(m.Variables))
	m.Fill(filled, values, l)
	raw := m.AppendContent(nil, l, filled)
	var c content
	if err := json.Unmarshal(raw, &c); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return c
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		value    cx.Value
		format   template.Format
		currency cx.Currency
		ja, en   string
	}{
		{cx.NumberValue(1000), template.AsMoney, "JPY", "1,000円", "¥1,000"},
		{cx.NumberValue(0), template.AsMoney, "JPY", "0円", "¥0"},
		{cx.NumberValue(999.5), template.AsMoney, "JPY", "1,000円", "¥1,000"},
		{cx.NumberValue(-1234567), template.AsMoney, "JPY", "-1,234,567円", "-¥1,234,567"},
		{cx.NumberValue(40), template.AsMoney, "USD", "40.00ドル", "$40.00"},
		{cx.NumberValue(0.1 + 0.2), template.AsMoney, "EUR", "0.30ユーロ", "€0.30"},
		{cx.NumberValue(-0.001), template.AsMoney, "USD", "0.00ドル", "$0.00"},
		{cx.NumberValue(12.3456), template.AsMoney, "KWD", "KWD 12.346", "KWD 12.346"},
		{cx.NumberValue(1e12), template.AsMoney, "JPY", "1,000,000,000,000円", "¥1,000,000,000,000"},
		{cx.NumberValue(12345.6), template.AsNumber, "", "12,345.6", "12,345.6"},
		{cx.NumberValue(1.0 / 3), template.AsNumber, "", "0.333333", "0.333333"},
		{cx.NumberValue(0.125), template.AsPercent, "", "12.5%", "12.5%"},
		{cx.NumberValue(1), template.AsPercent, "", "100%", "100%"},
		{cx.NumberValue(3), template.AsText, "", "3", "3"},
		{cx.TextValue("  花子\n\t様 "), template.AsText, "", "花子 様", "花子 様"},
		{cx.TextValue("a\u202eb\x00c"), template.AsText, "", "a b c", "a b c"},
		{cx.TextValue(`"<b>&`), template.AsText, "", `"<b>&`, `"<b>&`},
		{cx.TextValue(strings.Repeat("長", 300)), template.AsText, "", strings.Repeat("長", 200) + "…", strings.Repeat("長", 200) + "…"},
	} {
		m := message(t, "{{ v }}", template.Variable{Name: "v", Format: c.format, Currency: c.currency})
		if got := shown(t, m, template.Japanese, c.value).Text; got != c.ja {
			t.Errorf("%v as %v in Japanese: %q, want %q", c.value, c.format, got, c.ja)
		}
		if got := shown(t, m, template.English, c.value).Text; got != c.en {
			t.Errorf("%v as %v in English: %q, want %q", c.value, c.format, got, c.en)
		}
	}
}

func TestMissing(t *testing.T) {
	word := cx.TextValue("someone")
	for _, c := range []struct {
		name     string
		value    cx.Value
		format   template.Format
		fallback cx.Value
		want     int
	}{
		{"a number", cx.NumberValue(1), template.AsNumber, cx.Value{}, -1},
		{"nothing", cx.Value{}, template.AsText, cx.Value{}, 0},
		{"null", cx.Value{Kind: cx.Null}, template.AsText, cx.Value{}, 0},
		{"an empty text", cx.TextValue(" \n"), template.AsText, cx.Value{}, 0},
		{"a text for a number", cx.TextValue("12"), template.AsMoney, cx.Value{}, 0},
		{"not a number", cx.NumberValue(math.NaN()), template.AsNumber, cx.Value{}, 0},
		{"infinity", cx.NumberValue(math.Inf(1)), template.AsMoney, cx.Value{}, 0},
		{"a truth", cx.BoolValue(true), template.AsText, cx.Value{}, 0},
		{"nothing, with a default", cx.Value{}, template.AsText, word, -1},
		{"nothing, with a word for a number", cx.Value{}, template.AsMoney, word, -1},
	} {
		m := message(t, "{{ v }}", template.Variable{Name: "v", Format: c.format, Default: c.fallback})
		if got := m.Missing([]cx.Value{c.value}); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		if got := shown(t, m, template.English, c.value).Text; (got == "") != (c.want == 0) {
			t.Errorf("%s: Missing is %d, but the text is %q", c.name, c.want, got)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		source string
		offset int
		want   string
	}{
		{"{{ remaning }}", 3, `unknown variable "remaning"; declare it under variables, or use one of: remaining`},
		{"あと{{ x", 6, `"{{" is never closed`},
		{"a }} b", 2, `"}}" without "{{"`},
		{"{{ remaining {{ }}", 0, `"{{" is never closed`},
		{"{{ }}", 0, `"" is not a variable's name`},
		{"{{ remaining | money }}", 0, "compute in the variable's value"},
	} {
		_, err := template.Parse(c.source, []string{"remaining"})
		e, ok := errors.AsType[*template.Error](err)
		if !ok {
			t.Errorf("%q: %v, want an error", c.source, err)
			continue
		}
		if e.Offset != c.offset || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%q: at %d %q, want at %d %q", c.source, e.Offset, e, c.offset, c.want)
		}
	}
}

func TestURL(t *testing.T) {
	for _, c := range []struct {
		source string
		ok     bool
	}{
		{"/cart", true},
		{"https://example.com/cart?x={{ v }}", true},
		{"#size", true},
		{"?step=2", true},
		{"cart.html", true},
		{"/search/{{ v }}", true},
		{"http://localhost:7700/shop/", true},
		{"javascript:alert(1)", false},
		{" javascript:alert(1)", false},
		{"java\tscript:alert(1)", false},
		{"data:text/html,x", false},
		{"//evil.example/x", false},
		{"{{ v }}", false},
		{"{{ v }}/x", false},
		{"https://{{ v }}/x", false},
		{"https://{{ v }}.example.com/", false},
		{"https://user:pw@example.com/", false},
		{"https:/x", false},
		{"mailto:a@example.com", false},
		{`/\evil.example`, false},
		{"x{{ v }}", false},
		{"", false},
	} {
		if _, err := template.ParseURL(c.source, []string{"v"}); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.source, err)
		}
	}
}

func TestURLStaysOnItsHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.String().Draw(t, "value")
		m := &template.Message{Variables: []template.Variable{{Name: "v", Default: cx.TextValue("x")}}}
		u, err := template.ParseURL("/search/{{ v }}?q={{ v }}", []string{"v"})
		if err != nil {
			t.Fatal(err)
		}
		text, _ := template.Parse("x", nil)
		m.Copies[template.English] = template.Copy{Text: text, Close: text, Label: text, URL: u}
		filled := make([]string, 1)
		m.Fill(filled, []cx.Value{cx.TextValue(v)}, template.English)
		var c content
		if err := json.Unmarshal(m.AppendContent(nil, template.English, filled), &c); err != nil {
			t.Fatal(err)
		}
		rest := strings.TrimPrefix(c.Button.URL, "/search/")
		if strings.ContainsAny(strings.Replace(rest, "?q=", "", 1), "/?#&\\<>\" ") {
			t.Fatalf("%q became %q", v, c.Button.URL)
		}
	})
}

func TestContentIsAlwaysJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := strings.NewReplacer("{{", "", "}}", "", "{", "(", "}", ")").Replace(rapid.String().Draw(t, "literal"))
		body, err := template.Parse("x"+literal+"{{ v }}", []string{"v"})
		if err != nil {
			t.Fatal(err)
		}
		m := &template.Message{Variables: []template.Variable{{Name: "v", Default: cx.TextValue("x")}}}
		m.Copies[template.Japanese] = template.Copy{Text: body, Close: body}
		filled := make([]string, 1)
		m.Fill(filled, []cx.Value{cx.TextValue(string(rapid.SliceOf(rapid.Byte()).Draw(t, "value")))}, template.Japanese)
		raw := m.AppendContent(nil, template.Japanese, filled)
		var c content
		if err := json.Unmarshal(raw, &c); err != nil || !utf8.Valid(raw) {
			t.Fatalf("%q: %v", raw, err)
		}
		if want := "x" + strings.ToValidUTF8(literal, "\ufffd"); !strings.HasPrefix(c.Text, want) {
			t.Fatalf("%q does not start with %q", c.Text, want)
		}
		if strings.ContainsAny(string(raw), "<>&\u2028\u2029") {
			t.Fatalf("%q could end a script element", raw)
		}
	})
}

func TestLanguageOf(t *testing.T) {
	for _, c := range []struct {
		locale string
		want   template.Language
	}{
		{"ja", template.Japanese},
		{"ja-JP", template.Japanese},
		{"JA_jp", template.Japanese},
		{"", template.Japanese},
		{"en-US", template.English},
		{"jam-JM", template.English},
		{"fr", template.English},
		{"de_AT", template.English},
	} {
		if got := template.LanguageOf(c.locale, template.Japanese); got != c.want {
			t.Errorf("%q: %v, want %v", c.locale, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("あと{{ remaining }}で送料無料")
	f.Add("{{")
	f.Add("a }} {{ b")
	f.Fuzz(func(t *testing.T, source string) {
		text, err := template.Parse(source, []string{"remaining", "b"})
		if e, ok := errors.AsType[*template.Error](err); ok {
			if e.Offset < 0 || e.Offset > len(source) {
				t.Fatalf("%q: offset %d", source, e.Offset)
			}
			return
		}
		if err != nil || text == nil {
			t.Fatalf("%q: %v", source, err)
		}
	})
}

func ExampleMessage_AppendContent() {
	m := &template.Message{
		Layout:    template.Bar,
		Variables: []template.Variable{{Name: "remaining", Format: template.AsMoney, Currency: "JPY"}},
	}
	for l, copies := range map[template.Language][2]string{
		template.Japanese: {"あと{{ remaining }}で送料無料", "閉じる"},
		template.English:  {"{{ remaining }} more and shipping is free", "Close"},
	} {
		text, _ := template.Parse(copies[0], []string{"remaining"})
		shut, _ := template.Parse(copies[1], nil)
		m.Copies[l] = template.Copy{Text: text, Close: shut}
	}
	values := []cx.Value{cx.NumberValue(1000)}
	filled := make([]string, 1)
	for _, l := range template.Languages {
		m.Fill(filled, values, l)
		fmt.Println(string(m.AppendContent(nil, l, filled)))
	}
	// Output:
	// {"text":"あと1,000円で送料無料","close":"閉じる"}
	// {"text":"¥1,000 more and shipping is free","close":"Close"}
}

func BenchmarkAppendContent(b *testing.B) {
	m := message(b, "あと{{ remaining }}で送料無料", template.Variable{Name: "remaining", Format: template.AsMoney, Currency: "JPY"})
	values, filled, dst := []cx.Value{cx.NumberValue(1000)}, make([]string, 1), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Fill(filled, values, template.Japanese)
		dst = m.AppendContent(dst[:0], template.Japanese, filled)
	}
}
