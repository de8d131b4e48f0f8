package definition

import (
	"errors"
	"slices"
	"sort"
	"strconv"
	"unicode/utf8"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/template"
)

// actionSpec is the form of an action document.
type actionSpec struct {
	enabled      bool
	action       decide.Action // all but rules and message
	issue, group string
	triggers     []trigger
	eligible     phrase
	applicable   phrase
	suitable     phrase
	context      []weight
	message      template.Message
	variables    []phrase // the values of message.Variables
	destination  phrase
}

// trigger is a trigger before its rule is compiled.
type trigger struct {
	event   cx.EventName
	segment phrase
	when    phrase
}

// places are where an on-site message may appear, and how it is laid out there.
var places = []struct {
	name   string
	layout template.Layout
}{
	{"top-bar", template.Bar},
	{"bottom-bar", template.Bar},
	{"center", template.Modal},
}

// defaultCooldown is how long an action stays away after a dismissal when its
// document does not say.
const defaultCooldown = cx.Day

func readAction(f *form) *actionSpec {
	a := &actionSpec{enabled: f.boolean("enabled", true)}
	a.action = decide.Action{
		Name: f.v.name(), Purpose: readPurpose(f), Channel: readChannel(f),
		Caps: readCaps(f), Cooldown: f.span("cooldown", defaultCooldown), Floor: readFloor(f),
		Prior: readPrior(f), Value: f.number("value", 1, 0, 1e9), Lever: f.number("lever", 0, -100, 1000),
	}
	a.issue, a.group = f.phrase("issue").text, f.phrase("group").text
	a.triggers = readTriggers(f)
	a.eligible, a.applicable, a.suitable = f.phrase("eligible"), f.phrase("applicable"), f.phrase("suitable")
	a.context = readContext(f, false)
	if a.action.Channel == cx.Web {
		readOnSite(f, a)
	} else {
		readOutgoing(f, a)
	}
	return a
}

// readOnSite reads what an action shows, and where on the page.
func readOnSite(f *form, a *actionSpec) {
	a.action.Live = f.boolean("live", false)
	a.action.Place, a.message.Layout = readPlace(f)
	a.message.Tone = template.Tone(f.choice("tone", string(template.Info), string(template.Info), string(template.Success)))
	readVariables(f, a)
	readCopies(f, a)
}

// name returns the name field of a document, which has been checked already.
func (v *value) name() string {
	if n := v.member("name"); n != nil {
		return n.text
	}
	return ""
}

func readPurpose(f *form) cx.Purpose {
	p, _ := f.purpose(f.needPhrase("purpose", "write what the person must have allowed, such as on_site_service"))
	return p
}

func readChannel(f *form) cx.Channel {
	return cx.Channel(f.choice("channel", string(cx.Web), string(cx.Web), string(cx.Webhook)))
}

func readPrior(f *form) (p cx.Prior) {
	prior := f.sub("prior")
	if prior == nil {
		return p
	}
	prior.need("mean", "write the share of people expected to respond, such as 0.05")
	p = cx.Prior{Mean: prior.number("mean", 0, 0, 1), Weight: prior.number("weight", 1, 0.001, 1e6)}
	prior.done()
	return p
}

func readTriggers(f *form) (out []trigger) {
	if f.need("trigger", "write a list of events and segments that the action listens to, such as - event: Product Added") == nil {
		return nil
	}
	for _, v := range f.list("trigger") {
		t := fill(f.reporter, v, "an item of trigger")
		event, segment := t.phrase("event"), t.phrase("segment")
		out = append(out, trigger{event: cx.EventName(event.text), segment: segment, when: t.phrase("when")})
		t.done()
		if event.given() == segment.given() {
			t.on(v, "a trigger is either an event or a segment that is entered; write one of the two")
		}
	}
	if v := f.v.member("trigger"); v.kind == list && len(out) == 0 {
		f.on(v, "trigger is empty; without one the action is never considered: add - event: Product Added or the like")
	}
	return out
}

func readPlace(f *form) (string, template.Layout) {
	var names []string
	for _, p := range places {
		names = append(names, p.name)
	}
	place := f.needPhrase("place", "write where on the page it appears: top-bar, bottom-bar or center")
	layout := f.phrase("layout")
	for _, p := range places {
		if p.name != place.text {
			continue
		}
		if layout.given() && layout.text != string(p.layout) {
			f.on(layout.at, "%s shows messages as a %s, not as %q; leave layout out, or choose another place", p.name, p.layout, layout.text)
		}
		return p.name, p.layout
	}
	if place.given() {
		f.on(place.at, "there is no place %q; %s", place.text, suggest(place.text, names))
	}
	return "", ""
}

// readVariables reads what may stand in the copies.
func readVariables(f *form, a *actionSpec) {
	vars := f.sub("variables")
	if vars == nil {
		return
	}
	for _, m := range byName(vars.v.members) {
		v := vars.sub(m.name)
		if v == nil {
			vars.at(m.line, m.column, "variable %q is empty; give it a value: a rule such as cart", m.name)
			continue
		}
		if !identifier.MatchString(m.name) {
			v.at(m.line, m.column, "%q cannot be the name of a variable; use lower-case letters, digits and _", m.name)
		}
		a.variables = append(a.variables, v.needPhrase("value", "write a rule that gives a number or a text"))
		a.message.Variables = append(a.message.Variables, readVariable(v, m.name))
		v.done()
	}
}

// byName returns the fields sorted by name.
func byName(members []member) []member {
	out := slices.Clone(members)
	sort.SliceStable(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func readVariable(v *form, name string) template.Variable {
	format, _ := template.ParseFormat(v.choice("format", "text", "text", "number", "money", "percent"))
	currency := readCurrency(v, "in")
	out := template.Variable{Name: name, Format: format, Currency: currency}
	if currency != "" && format != template.AsMoney {
		v.on(v.v.member("in"), "in names a currency, which only format: money needs; leave it out")
	}
	if d := v.take("default"); d != nil {
		out.Default = v.constant(d)
	}
	return out
}

// constant reads a number or a text.
func (f *form) constant(v *value) cx.Value {
	switch v.kind {
	case number:
		if n, err := strconv.ParseFloat(v.text, 64); err == nil {
			return cx.NumberValue(n)
		}
	case words:
		return cx.TextValue(v.text)
	default:
	}
	f.on(v, "default is %s; write a number or a text", v.shown())
	return cx.Value{}
}

// readCopies reads the words in every language.
func readCopies(f *form, a *actionSpec) {
	copies := f.need("copy", "write what it says in ja and en")
	if copies == nil {
		return
	}
	c := fill(f.reporter, copies, "copy")
	for _, l := range template.Languages {
		v := c.need(l.String(), "every text is written in Japanese (ja) and in English (en)")
		if v != nil {
			a.message.Copies[l] = readCopy(fill(f.reporter, v, "copy "+l.String()), l, a)
		}
	}
	c.done()
	unusedVariables(f, a)
}

// unusedVariables reports variables that stand nowhere.
func unusedVariables(f *form, a *actionSpec) {
	where := "a copy"
	if a.action.Channel != cx.Web {
		where = "a field of body"
	}
	for i, v := range a.message.Variables {
		if !a.message.Uses(i) {
			m := f.v.member("variables")
			f.at(m.line, m.column, "variable %q is never used; write {{ %s }} in %s or take it out", v.Name, v.Name, where)
		}
	}
}

func variableNames(a *actionSpec) []string {
	names := make([]string, len(a.message.Variables))
	for i, v := range a.message.Variables {
		names[i] = v.Name
	}
	return names
}

// closeLabels name the button that closes a message when the copy does not.
var closeLabels = [...]string{template.Japanese: "閉じる", template.English: "Close"}

func readCopy(f *form, l template.Language, a *actionSpec) template.Copy {
	names := variableNames(a)
	c := template.Copy{
		Title: f.template("title", 120, names),
		Text:  f.template("text", 600, names),
		Close: f.template("close", 40, names),
	}
	if c.Text == nil && f.v.member("text") == nil {
		f.on(f.v, "text is missing; write what the message says")
	}
	if c.Close == nil {
		c.Close, _ = template.Parse(closeLabels[l], nil)
	}
	if b := f.sub("button"); b != nil {
		if b.v.member("label") == nil {
			b.on(b.v, "label is missing; write what the button says")
		}
		c.Label = b.template("label", 60, names)
		c.URL = b.address("url", names)
		b.done()
	}
	f.done()
	return c
}

// template reads a text with placeholders of at most limit characters, nil when
// it is absent.
func (f *form) template(name string, limit int, variables []string) *template.Text {
	p := f.phrase(name)
	if !p.given() {
		return nil
	}
	if n := utf8.RuneCountInString(p.text); n > limit {
		f.on(p.at, "%s has %d characters; say it in %d", name, n, limit)
	}
	t, err := template.Parse(p.text, variables)
	f.fault(p, err)
	return t
}

// address reads where a button leads, nil when it is absent.
func (f *form) address(name string, variables []string) *template.URL {
	p := f.phrase(name)
	if !p.given() {
		return nil
	}
	u, err := template.ParseURL(p.text, variables)
	f.fault(p, err)
	return u
}

// fault reports what template found wrong with p.
func (f *form) fault(p phrase, err error) {
	if e, ok := errors.AsType[*template.Error](err); ok {
		line, column := p.at.place(utf8.RuneCountInString(p.text[:e.Offset]))
		f.at(line, column, "%s", e.Error())
	}
}
