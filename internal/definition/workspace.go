package definition

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/template"
	"github.com/kikubari/kikubari/internal/zone"
)

// workspaceSpec is the form of a workspace document.
type workspaceSpec struct {
	settings Settings
	values   []named
}

// named is a named expression.
type named struct {
	name   string
	source phrase
}

func readWorkspace(f *form) *workspaceSpec {
	w := &workspaceSpec{settings: Settings{Zone: readZone(f), Currency: readCurrency(f, "currency"), Language: readLanguage(f)}}
	readConsent(f, &w.settings)
	w.settings.Redact = readRedact(f)
	w.settings.MergeOn = readMergeOn(f)
	w.settings.Batching = f.boolean("batching", true)
	w.values = readValues(f)
	return w
}

// readZone reads the time zone, which no workspace can do without: its days
// start at some midnight.
func readZone(f *form) *time.Location {
	hint := "write the name of the time zone whose midnight starts your day, such as Asia/Tokyo"
	p := f.needPhrase("time_zone", hint)
	if !p.given() {
		return time.UTC
	}
	location, err := zone.Load(p.text)
	if err != nil {
		f.on(p.at, "%v; %s", err, hint)
		return time.UTC
	}
	return location
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func readCurrency(f *form, name string) cx.Currency {
	hint := "write the ISO 4217 code in capitals, such as JPY"
	p := f.phrase(name)
	if name == "currency" && !p.given() && f.v.member(name) == nil {
		f.on(f.v, "currency is missing; %s", hint)
	}
	if p.given() && !currencyCode.MatchString(p.text) {
		f.on(p.at, "currency cannot be %q; %s", p.text, hint)
	}
	return cx.Currency(p.text)
}

func readLanguage(f *form) template.Language {
	l, _ := template.ParseLanguage(f.choice("language", template.English.String(), "ja", "en"))
	return l
}

// readConsent reads what is allowed by default and how the site's consent
// categories are to be understood.
func readConsent(f *form, s *Settings) {
	c := f.sub("consent")
	if c == nil {
		return
	}
	for _, p := range c.phrases("allowed") {
		if purpose, ok := c.purpose(p); ok && !slices.Contains(s.Allowed, purpose) {
			s.Allowed = append(s.Allowed, purpose)
		}
	}
	sort.Slice(s.Allowed, func(i, j int) bool {
		return slices.Index(cx.Purposes, s.Allowed[i]) < slices.Index(cx.Purposes, s.Allowed[j])
	})
	s.Categories = readCategories(c)
	c.done()
}

func readCategories(c *form) (out []Category) {
	f := c.sub("categories")
	if f == nil {
		return nil
	}
	for _, m := range f.v.members {
		if purpose, ok := f.purpose(f.phrase(m.name)); ok {
			out = append(out, Category{m.name, purpose})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// purpose reads p as one of the purposes.
func (f *form) purpose(p phrase) (cx.Purpose, bool) {
	if !p.given() {
		return "", false
	}
	if slices.Contains(cx.Purposes, cx.Purpose(p.text)) {
		return cx.Purpose(p.text), true
	}
	f.on(p.at, "there is no purpose %q; %s", p.text, suggest(p.text, purposes()))
	return "", false
}

func purposes() (out []string) {
	for _, p := range cx.Purposes {
		out = append(out, string(p))
	}
	return out
}

func readRedact(f *form) (out []string) {
	for _, p := range f.phrases("redact") {
		if strings.ContainsAny(p.text, " \t*[]") {
			f.on(p.at, "redact cannot have %q; write a property or query parameter, with dots between levels, such as card.number", p.text)
			continue
		}
		out = append(out, p.text)
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// readMergeOn reads the weak identities that may merge customers.
func readMergeOn(f *form) (out []cx.Namespace) {
	for _, p := range f.phrases("merge_on") {
		n, ok := cx.ParseNamespace(p.text)
		if !ok || n != cx.Mail && n != cx.Phone {
			f.on(p.at, "customers cannot be merged on %q; use one of: mail, phone", p.text)
			continue
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reserved are names that mean something else in rules.
var reserved = []string{
	"event", "traits", "customer", "session", "time", "segment", "count", "sum", "min", "max", "avg", "first", "last",
	"distinct", "top", "recent", "since", "minutes", "hours", "days", "has", "size", "matches", "contains", "startsWith", "endsWith",
	"all", "exists", "exists_one", "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
	"import", "let", "loop", "package", "namespace", "return", "var", "void", "while", "int", "uint", "double", "bool", "string", "bytes", "list", "map", "type", "dyn", "duration", "timestamp",
}

func readValues(f *form) (out []named) {
	values := f.sub("values")
	if values == nil {
		return nil
	}
	for _, m := range values.v.members {
		p := values.needPhrase(m.name, "write a rule")
		switch {
		case !identifier.MatchString(m.name):
			f.at(m.line, m.column, "%q cannot be the name of a value; use lower-case letters, digits and _, such as cart_total", m.name)
		case slices.Contains(reserved, m.name):
			f.at(m.line, m.column, "%q means something else in rules; choose another name, such as %s_value", m.name, m.name)
		case p.given():
			out = append(out, named{m.name, p})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,59}$`)
