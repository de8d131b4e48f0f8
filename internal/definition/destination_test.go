package definition_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
)

const outgoingYAML = `kind: destination
name: crm
url: https://crm.example/hooks
---
kind: destination
name: chat
url: http://chat.example:8080/in?x=1
idempotent: false
---
kind: action
name: tell-crm
purpose: transactional
channel: webhook
destination: crm
trigger:
  - event: Order Completed
variables:
  total: {value: event.properties.total}
  plan: {value: traits.plan, default: none}
body:
  text: "paid {{ total }}"
  total: "{{ total }}"
  plan: "{{ plan }}"
`

func TestOutgoingAction(t *testing.T) {
	set := built(t, new(definition.Registry), definition.File{Name: "shop.yaml", Text: []byte(workspaceYAML + "---\n" + outgoingYAML)})
	want := []definition.Endpoint{{Name: "chat", URL: "http://chat.example:8080/in?x=1"}, {Name: "crm", URL: "https://crm.example/hooks", Idempotent: true}}
	if d := cmp.Diff(want, set.Destinations); d != "" {
		t.Errorf("destinations (-want +got):\n%s", d)
	}
	if set.Destination("crm").URL != want[1].URL || set.Destination("mail") != nil {
		t.Error("destinations are not found by name")
	}
	a := set.Offer.Action("tell-crm")
	if a.Channel != cx.Webhook || a.Destination != "crm" || a.Place != "crm" || a.Purpose != cx.Transactional || !a.Personal {
		t.Errorf("the action: %+v", a)
	}
	values := []cx.Value{{}, cx.NumberValue(1234.5)} // plan, total
	filled := make([]string, 2)
	a.Message.Fill(filled, values, set.Settings.Language)
	if got, want := string(a.Message.AppendBody(nil, values, filled)), `{"plan":"none","text":"paid 1,234.5","total":1234.5}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
}

func TestOutgoingSurvivesItsCanonicalForm(t *testing.T) {
	docs, problems := definition.Parse([]definition.File{{Name: "shop.yaml", Text: []byte(workspaceYAML + "---\n" + outgoingYAML)}})
	if len(problems) > 0 {
		t.Fatal(definition.AsError(problems))
	}
	before, err := definition.Canonical(docs)
	if err != nil {
		t.Fatal(err)
	}
	files, err := definition.Export(docs)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := definition.Parse(files)
	after, err := definition.Canonical(again)
	if err != nil || len(problems) > 0 || !bytes.Equal(before, after) {
		t.Errorf("exported and read again it is another set: %v %v", problems, err)
	}
}

func TestWrongOutgoing(t *testing.T) {
	for _, c := range []struct{ name, old, replacement, want string }{
		{"no such destination", "destination: crm", "destination: crn", `shop.yaml:19:14: action tell-crm: there is no destination "crn"; did you mean "crm"?`},
		{"no destination", "destination: crm\n", "", `shop.yaml:15:1: action tell-crm: destination is missing; write the name of a destination document`},
		{"copy off site", "body:\n", "copy:\n", `shop.yaml:26:3: action tell-crm: copy is of messages on the page; what goes to a destination stands in body, a field a line`},
		{"an unknown variable", `"{{ total }}"`, `"{{ totl }}"`, `shop.yaml:27:14: action tell-crm: unknown variable "totl"; declare it under variables, or use one of: plan, total`},
		{"a variable that stands nowhere", `  plan: "{{ plan }}"` + "\n", "", `shop.yaml:23:3: action tell-crm: variable "plan" is never used; write {{ plan }} in a field of body or take it out`},
		{"not an address", "https://crm.example/hooks", "crm.example", `shop.yaml:8:6: destination crm: url must begin with https:// or http://; write an address such as https://crm.example/hooks/kikubari`},
		{"a password", "https://crm.example", "https://a:b@crm.example", `shop.yaml:8:6: destination crm: url must not hold a password: it would be in every copy of the definitions; the receiver checks the signature; write an address such as https://crm.example/hooks/kikubari`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := workspaceYAML + "---\n" + string(bytes.Replace([]byte(outgoingYAML), []byte(c.old), []byte(c.replacement), 1))
			got := problemsOf(definition.File{Name: "shop.yaml", Text: []byte(text)})
			if len(got) == 0 || got[0] != c.want {
				t.Errorf("said\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}
