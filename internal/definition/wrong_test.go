package definition_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/definition"
)

const workspaceYAML = `kind: workspace
name: shop
time_zone: Asia/Tokyo
currency: JPY
`

const actionYAML = `kind: action
name: bar
purpose: on_site_service
place: top-bar
trigger:
  - event: Product Added
copy:
  ja: {text: やあ}
  en: {text: Hi}
`

// problemsOf parses and builds files and returns what is wrong with them.
func problemsOf(files ...definition.File) (out []string) {
	docs, problems := definition.Parse(files)
	if len(problems) == 0 {
		_, problems = definition.Build(docs, new(definition.Registry), 1)
	}
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

// TestWrong holds one mistake each: what is written, and exactly what is said
// about it.
func TestWrong(t *testing.T) {
	with := func(old, replacement string) string {
		if !strings.Contains(actionYAML, old) {
			panic("the action does not say " + old)
		}
		return workspaceYAML + "---\n" + strings.Replace(actionYAML, old, replacement, 1)
	}
	for _, c := range []struct {
		name string
		yaml string
		want string
	}{
		{
			"no YAML", "kind: [workspace\n",
			"shop.yaml:1:7: this is not YAML: sequence end token ']' not found; check the indentation, and put texts with : # { [ or quotes in them between quotes",
		},
		{
			"a field twice", "kind: segment\nkind: action\n",
			`shop.yaml:2:1: this is not YAML: mapping key "kind" already defined at [1:1]; check the indentation, and put texts with : # { [ or quotes in them between quotes`,
		},
		{
			"a list", "- kind: workspace\n",
			"shop.yaml:1:1: a document is a list; write it as fields, one a line, name: value",
		},
		{
			"brackets without end", "kind: workspace\nname: " + strings.Repeat("[", 100_000) + "\n",
			"shop.yaml:2:1: this is nested too deeply; definitions need a few levels only",
		},
		{
			"dashes without end", "kind: workspace\nname:\n" + strings.Repeat("- ", 100_000) + "\n",
			"shop.yaml:3:1: this is nested too deeply; definitions need a few levels only",
		},
		{
			"no text", "kind: \xff\n",
			"shop.yaml: the file is not UTF-8 text; save it as UTF-8",
		},
		{
			"no kind", "name: shop\n",
			"shop.yaml:1:1: kind is missing; write kind: workspace, segment, action, policy or destination",
		},
		{
			"another kind", "kind: segmnet\nname: a\n",
			`shop.yaml:1:7: kind cannot be "segmnet"; did you mean "segment"?`,
		},
		{
			"no name", workspaceYAML + "---\nkind: segment\nwhen: session.number > 1\n",
			"shop.yaml:6:1: name is missing; names are lower-case letters, digits and dashes, such as free-shipping-bar",
		},
		{
			"a name with capitals", workspaceYAML + "---\nkind: segment\nname: VIP\nwhen: session.number > 1\n",
			`shop.yaml:7:7: "VIP" cannot be a name; names are lower-case letters, digits and dashes, such as free-shipping-bar`,
		},
		{
			"an unknown field", with("place: top-bar", "place: top-bar\npriority: 3"),
			`shop.yaml:10:1: action bar: unknown field "priority"; use one of: applicable, caps, channel, context, cooldown, copy, description, eligible, enabled, floor, group, issue, kind, layout, lever, live, name, place, prior, purpose, suitable, tone, trigger, value, variables`,
		},
		{
			"a misspelt field", with("place: top-bar", "place: top-bar\naplicable: session.number > 1"),
			`shop.yaml:10:1: action bar: unknown field "aplicable"; did you mean "applicable"?`,
		},
		{
			"an unknown field inside", with("{text: Hi}", "{text: Hi, txt: Ho}"),
			`shop.yaml:14:18: action bar: unknown field "txt"; did you mean "text"?`,
		},
		{
			"no workspace", actionYAML,
			"the set has no workspace document; add one with kind: workspace, a name, time_zone and currency",
		},
		{
			"no time zone", "kind: workspace\nname: shop\ncurrency: JPY\n",
			"shop.yaml:1:1: workspace shop: time_zone is missing; write the name of the time zone whose midnight starts your day, such as Asia/Tokyo",
		},
		{
			"another time zone", "kind: workspace\nname: shop\ncurrency: JPY\ntime_zone: Asia/Tokio\n",
			`shop.yaml:4:12: workspace shop: there is no time zone "Asia/Tokio"; write the name of the time zone whose midnight starts your day, such as Asia/Tokyo`,
		},
		{
			"a currency in small letters", "kind: workspace\nname: shop\ncurrency: yen\ntime_zone: Asia/Tokyo\n",
			`shop.yaml:3:11: workspace shop: currency cannot be "yen"; write the ISO 4217 code in capitals, such as JPY`,
		},
		{
			"an unknown purpose", workspaceYAML + "consent:\n  allowed: [on_site_service, advertising]\n",
			`shop.yaml:6:30: workspace shop: there is no purpose "advertising"; use one of: analytics, marketing, on_site_service, personalization, replay`,
		},
		{
			"merging on anonymous ids", workspaceYAML + "merge_on: [anonymous_id]\n",
			`shop.yaml:5:12: workspace shop: customers cannot be merged on "anonymous_id"; use one of: mail, phone`,
		},
		{
			"a value named like a word of the language", workspaceYAML + "values:\n  session: session.number\n",
			`shop.yaml:6:3: workspace shop: "session" means something else in rules; choose another name, such as session_value`,
		},
		{
			"a rule that is no rule", workspaceYAML + "---\nkind: segment\nname: a\nwhen: session.number >\n",
			`shop.yaml:8:23: segment a: the rule ends too early; `,
		},
		{
			"a rule over several lines", workspaceYAML + "---\nkind: segment\nname: a\nwhen: |\n  session.number > 1\n  && sesion.number > 2\n",
			"shop.yaml:10:6: segment a: nothing is called sesion; did you mean session?",
		},
		{
			"a folded rule", workspaceYAML + "---\nkind: segment\nname: a\nwhen: >-\n    session.number > 1\n    && sesion.number > 2\n",
			"shop.yaml:10:8: segment a: nothing is called sesion; did you mean session?",
		},
		{
			"a quoted rule", workspaceYAML + "---\nkind: segment\nname: a\nwhen: \"count(\\\"a\\\", \\\"session\\\") > 1 && sesion.number > 2\"\n",
			"shop.yaml:8:41: segment a: nothing is called sesion; did you mean session?",
		},
		{
			"an unknown window", workspaceYAML + "---\nkind: segment\nname: a\nwhen: count(\"a\", \"fortnight\") > 1\n",
			`shop.yaml:8:18: segment a: `,
		},
		{
			"a value that is wrong is wrong where it is written", workspaceYAML + "values:\n  cart: sum(\"a\", \"b\", \"era\")\n---\nkind: segment\nname: a\nwhen: cart > 1\n",
			`shop.yaml:6:23: workspace shop: `,
		},
		{
			"a segment about the event", workspaceYAML + "---\nkind: segment\nname: a\nwhen: event.name == \"x\"\n",
			"shop.yaml:8:13: segment a: event.… is gone once the event is over",
		},
		{
			"a segment that is a number", workspaceYAML + "---\nkind: segment\nname: a\nwhen: session.number\n",
			"shop.yaml:8:15: segment a: the rule is a number, not true or false",
		},
		{
			"segments in a circle", workspaceYAML + "---\nkind: segment\nname: a\nwhen: segment(\"b\")\n---\nkind: segment\nname: b\nwhen: session.number > 1\n---\nkind: segment\nname: c\nwhen: segment(\"c\")\n",
			"shop.yaml:16:7: segment c: the segment depends on itself through segment(…); take one of the references out",
		},
		{
			"an unknown segment in a rule", with("place: top-bar", "place: top-bar\neligible: segment(\"vip\")"),
			`shop.yaml:10:19: action bar: `,
		},
		{
			"an unknown segment as a trigger", with("event: Product Added", "segment: vip"),
			`shop.yaml:11:14: action bar: there is no segment "vip"; there are none to choose from`,
		},
		{
			"a trigger that is both", with("event: Product Added", "event: Product Added\n    segment: vip"),
			"shop.yaml:11:5: action bar: a trigger is either an event or a segment that is entered; write one of the two",
		},
		{
			"no trigger", with("trigger:\n  - event: Product Added\n", ""),
			"shop.yaml:6:1: action bar: trigger is missing; write a list of events and segments that the action listens to, such as - event: Product Added",
		},
		{
			"an empty trigger", with("trigger:\n  - event: Product Added\n", "trigger: []\n"),
			"shop.yaml:10:10: action bar: trigger is empty; without one the action is never considered: add - event: Product Added or the like",
		},
		{
			"an unknown place", with("top-bar", "topbar"),
			`shop.yaml:9:8: action bar: there is no place "topbar"; did you mean "top-bar"?`,
		},
		{
			"a layout that does not fit", with("place: top-bar", "place: top-bar\nlayout: modal"),
			`shop.yaml:10:9: action bar: top-bar shows messages as a bar, not as "modal"; leave layout out, or choose another place`,
		},
		{
			"another channel", with("place: top-bar", "place: top-bar\nchannel: mail"),
			`shop.yaml:10:10: action bar: channel cannot be "mail"; use one of: web`,
		},
		{
			"no English", with("  en: {text: Hi}\n", ""),
			"shop.yaml:13:3: action bar: en is missing; every text is written in Japanese (ja) and in English (en)",
		},
		{
			"an unknown variable", with("{text: Hi}", `{text: "Hi, {{ name }}"}`),
			`shop.yaml:14:22: action bar: unknown variable "name"; declare it under variables`,
		},
		{
			"an unclosed placeholder", with("{text: やあ}", `{text: "やあ{{ name"}`),
			`shop.yaml:13:17: action bar: "{{" is never closed; write {{ name }}`,
		},
		{
			"a variable that nobody uses", with("copy:", "variables:\n  name: {value: traits.name}\ncopy:"),
			`shop.yaml:13:3: action bar: variable "name" is never used; write {{ name }} in a copy or take it out`,
		},
		{
			"a text shown as money", with("{text: Hi}", "{text: \"{{ name }}\"}\nvariables:\n  name:\n    value: event.name\n    format: money"),
			"shop.yaml:17:12: action bar: the rule gives text, which format: money cannot show; use format: text",
		},
		{
			"a button that runs a script", with("{text: Hi}", "{text: Hi, button: {label: Go, url: \"javascript:alert(1)\"}}"),
			"shop.yaml:14:44: action bar: an address leads to http, https or the same site only; write https://… or a path like /cart",
		},
		{
			"a length of time in words", with("place: top-bar", "place: top-bar\ncooldown: a day"),
			`shop.yaml:10:11: action bar: cooldown is "a day"; write a length of time such as 45s, 30m, 36h, 7d or 4w, or none`,
		},
		{
			"a cap of nought", with("place: top-bar", "place: top-bar\ncaps: {session: 0}"),
			`shop.yaml:10:17: action bar: session is "0"; write a whole number from 1 to 1000000, or leave it out for no limit`,
		},
		{
			"a number in words", with("place: top-bar", "place: top-bar\nvalue: high"),
			`shop.yaml:10:8: action bar: value is "high"; write a number from 0 to 1000000000`,
		},
		{
			"yes for true", with("place: top-bar", "place: top-bar\nlive: yes"),
			`shop.yaml:10:7: action bar: live is "yes"; write true or false`,
		},
		{
			"fields for text", with("place: top-bar", "place: top-bar\neligible: {a: b}"),
			"shop.yaml:10:12: action bar: eligible is fields, not text; a text with { or : or # in it goes between quotes",
		},
		{
			"a rule that starts with an exclamation mark", with("place: top-bar", "place: top-bar\neligible: !segment(\"a\")"),
			"shop.yaml:10:11: a value cannot start with ! here; put a rule that starts with ! between quotes",
		},
		{
			"an anchor", with("name: bar", "name: &n bar"),
			"shop.yaml:7:7: anchors and aliases (& and *) are not used in definitions; write the value out, or name a rule under values of the workspace",
		},
		{
			"a name twice", workspaceYAML + "---\nkind: segment\nname: a\nwhen: session.number > 1\n---\nkind: segment\nname: a\nwhen: session.number > 2\n",
			"shop.yaml:10:1: segment a: this name is taken by a document in shop.yaml line 6; give one of them another name",
		},
		{
			"two policies", workspaceYAML + "---\nkind: policy\nname: a\n---\nkind: policy\nname: b\n",
			"shop.yaml:9:1: policy b: a set has one policy, and a in shop.yaml line 6 is another; keep one of them",
		},
		{
			"a weight for an action that is not there", workspaceYAML + "---\nkind: policy\nname: a\ncontext:\n  - when: session.number > 1\n    action: bra\n    percent: 10\n---\n" + actionYAML,
			`shop.yaml:9:11: policy a: context speaks of the action "bra", which is not in the set; did you mean "bar"?`,
		},
	} {
		got := problemsOf(definition.File{Name: "shop.yaml", Text: []byte(c.yaml)})
		if len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
			t.Errorf("%s: want %q\n%s", c.name, c.want, strings.Join(got, "\n"))
		}
	}
}

// TestAllAtOnce shows that one look finds everything, in the order of files and
// lines.
func TestAllAtOnce(t *testing.T) {
	got := problemsOf(
		definition.File{Name: "b.yaml", Text: []byte("kind: segment\nname: b\nwhen: sesion.number > 1\n")},
		definition.File{Name: "a.yaml", Text: []byte(workspaceYAML + "---\nkind: segment\nname: a\nwhen: segment(\"c\") && traits.x >\n---\nkind: segment\nname: d\nwhen: cuont(\"x\", \"all\") > 1\n")},
	)
	var places []string
	for _, p := range got {
		place, _, _ := strings.Cut(p, ": ")
		places = append(places, place)
	}
	if diff := cmp.Diff([]string{"a.yaml:8:33", "a.yaml:12:7", "b.yaml:3:7"}, places); diff != "" {
		t.Errorf("%s\n%s", diff, strings.Join(got, "\n"))
	}
}

func TestWrongSetLeavesTheRegistryAlone(t *testing.T) {
	docs, problems := definition.Parse([]definition.File{{Name: "a.yaml", Text: []byte(workspaceYAML + "---\nkind: segment\nname: a\nwhen: count(\"x\", \"all\") > 1\n---\nkind: segment\nname: b\nwhen: segment(\"c\")\n")}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	reg := new(definition.Registry)
	set, problems := definition.Build(docs, reg, 1)
	if set != nil || len(problems) == 0 || !reg.Equal(new(definition.Registry)) {
		t.Errorf("set %v, problems %v, registry %v", set, problems, reg)
	}
}
