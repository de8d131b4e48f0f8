package definition

import (
	"net/url"
	"sort"
	"strings"

	"github.com/kikubari/kikubari/internal/template"
)

// Endpoint is a destination: where actions of a channel other than the page send.
type Endpoint struct {
	Name string
	URL  string // http or https

	// Idempotent says that it takes a delivery once, however often it comes with
	// the same key.
	Idempotent bool
}

// Destination returns the destination called name, nil when the set has none.
func (s *Set) Destination(name string) *Endpoint {
	i := sort.Search(len(s.Destinations), func(i int) bool { return s.Destinations[i].Name >= name })
	if i == len(s.Destinations) || s.Destinations[i].Name != name {
		return nil
	}
	return &s.Destinations[i]
}

// destinationSpec is the form of a destination document.
type destinationSpec struct {
	endpoint Endpoint
}

// maxAddress is how long the address of a destination may be, in bytes.
const maxAddress = 2000

func readDestination(f *form) *destinationSpec {
	d := &destinationSpec{Endpoint{Name: f.v.name(), Idempotent: true}}
	p := f.needPhrase("url", "write where it listens, such as https://crm.example/hooks/kikubari")
	d.endpoint.URL, d.endpoint.Idempotent = p.text, f.boolean("idempotent", true)
	if wrong := faultOfAddress(p.text); p.given() && wrong != "" {
		f.on(p.at, "url %s; write an address such as https://crm.example/hooks/kikubari", wrong)
	}
	return d
}

// faultOfAddress says what is wrong with where a destination is, "" for nothing.
func faultOfAddress(address string) string {
	u, err := url.Parse(address)
	switch {
	case len(address) > maxAddress:
		return "is too long"
	case err != nil || strings.ContainsAny(address, " \\\"<>{}"):
		return "is not an address"
	case u.Scheme != "https" && u.Scheme != "http":
		return "must begin with https:// or http://"
	case u.Hostname() == "":
		return "has no host"
	case u.User != nil:
		return "must not hold a password: it would be in every copy of the definitions; the receiver checks the signature"
	case u.Fragment != "":
		return "must not have a #"
	}
	return ""
}

// destinations takes over where actions may send.
func (w *work) destinations() {
	for i := range w.set.Documents {
		if spec, ok := w.set.Documents[i].spec.(*destinationSpec); ok {
			w.set.Destinations = append(w.set.Destinations, spec.endpoint)
		}
	}
}

// readOutgoing reads what an action sends, and where to.
func readOutgoing(f *form, a *actionSpec) {
	a.destination = f.needPhrase("destination", "write the name of a destination document")
	a.action.Destination, a.action.Place = a.destination.text, a.destination.text
	if p := f.phrase("place"); p.given() {
		a.action.Place = p.text
		if !isSlug(p.text) {
			f.on(p.at, "%q cannot be a place; %s", p.text, slugHint)
		}
	}
	onSite := false
	for _, name := range [...]string{"copy", "tone", "layout", "live"} {
		if v := f.take(name); v != nil {
			f.on(v, "%s is of messages on the page; what goes to a destination stands in body, a field a line", name)
			onSite = true
		}
	}
	readVariables(f, a)
	readBody(f, a)
	if !onSite {
		unusedVariables(f, a)
	}
}

// maxFields is how many fields a body may have.
const maxFields = 50

func readBody(f *form, a *actionSpec) {
	body := f.sub("body")
	if body == nil {
		return
	}
	names := variableNames(a)
	for _, m := range byName(body.v.members) {
		if !identifier.MatchString(m.name) {
			body.at(m.line, m.column, "%q cannot be the name of a field; use lower-case letters, digits and _", m.name)
		}
		t := body.template(m.name, template.MaxFieldText, names)
		if t == nil {
			t = new(template.Text)
		}
		a.message.Body = append(a.message.Body, template.Field{Name: m.name, Text: t})
	}
	if len(body.v.members) > maxFields {
		body.on(body.v, "body has %d fields; at most %d can be sent", len(body.v.members), maxFields)
	}
	body.done()
}

// goes reports an action that sends to a destination which the set does not have.
func (w *work) goes(d *Document, spec *actionSpec) {
	if to := spec.destination; to.given() && !w.has(Destination, to.text) {
		w.reporterFor(d).on(to.at, "there is no destination %q; %s", to.text, suggest(to.text, w.names(Destination)))
	}
}
