package profile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// said is one call, written short: "track a1 u1", "server identify a1 u1
// mail=m1", "signed track a1 u1", "server alias u1->u2".
type said struct {
	workspace              cx.Workspace
	who                    string // browser, server, signed
	typ                    cx.EventType
	anonymous, user, prior string
	mail                   string
}

func (s said) event() *cx.Event {
	ev := &cx.Event{Workspace: s.workspace, Type: s.typ, KeyKind: cx.BrowserKey, AnonymousID: s.anonymous, UserID: s.user, PreviousID: s.prior}
	if s.who == "server" {
		ev.KeyKind = cx.ServerKey
	}
	if s.who != "browser" {
		ev.Flags |= cx.Verified
	}
	if s.mail != "" {
		ev.Properties = fmt.Appendf(nil, `{"email": %q}`, s.mail)
	}
	return ev
}

func parseSaid(t *testing.T, text string) said {
	t.Helper()
	s := said{workspace: "demo", who: "browser"}
	for word := range strings.FieldsSeq(text) {
		typ, isType := cx.ParseEventType(word)
		prior, user, isAlias := strings.Cut(word, "->")
		mail, isMail := strings.CutPrefix(word, "mail=")
		switch {
		case isType:
			s.typ = typ
		case isAlias:
			s.prior, s.user = prior, user
		case isMail:
			s.mail = mail
		case word == "server" || word == "signed":
			s.who = word
		case word[0] == 'a':
			s.anonymous = word
		case word[0] == 'u':
			s.user = word
		default:
			t.Fatalf("%q in %q says nothing", word, text)
		}
	}
	return s
}

// TestResolver tells short stories of who is who. Each call must belong to the
// customer numbered after the "=", in order of their creation; after merges the
// winner's number counts.
func TestResolver(t *testing.T) {
	for name, calls := range map[string]string{
		"an anonymous visitor stays one":                      "track a1 = 1; track a1 = 1; track a2 = 2",
		"a visitor becomes a user":                            "track a1 = 1; server identify a1 u1 = 1; server track u1 = 1; track a1 = 1",
		"a user's second device merges":                       "server track a1 u1 = 1; track a2 = 2; server identify a2 u1 = 1; track a2 = 1",
		"a signed user is as good as a server's":              "track a1 = 1; signed identify a1 u1 = 1; server track u1 = 1",
		"two users on one device never merge":                 "server track a1 u1 = 1; server track a1 u2 = 2; track a1 = 1; server track u2 = 2",
		"a claim makes a claimed customer":                    "track a1 = 1; identify a1 u1 = 1; track a2 u1 = 1; server track u1 = 2",
		"a claim on the user's own device is the user":        "server track a1 u1 = 1; track a1 u1 = 1",
		"a claim elsewhere does not reach the user":           "server track a1 u1 = 1; track a2 u1 = 2; server track u1 = 1; track a2 = 2; track a1 = 1",
		"a false claim on a user's device goes elsewhere":     "server track a1 u1 = 1; track a1 u2 = 2; track a1 = 1",
		"a true claim from the only device joins the user":    "identify a1 u1 = 1; server track u1 = 2; server track a1 u1 = 2; track a1 = 2",
		"a true claim is taken over by a new user":            "identify a1 u1 = 1; server track a1 u1 = 1; server track u1 = 1",
		"of a claim from two devices only one moves":          "identify a1 u1 = 1; identify a2 u1 = 1; server track a1 u1 = 2; track a1 = 2; track a2 = 1; server track a2 u1 = 2; track a2 = 2; track a9 u1 = 3",
		"a merged device counts as a second one":              "track a2 = 1; identify a1 u1 = 2; identify a2 u1 = 2; server track a1 u1 = 3; track a2 = 2; track a1 = 3",
		"of another's claim only the device moves":            "identify a1 u1 = 1; server track a1 u2 = 2; track a1 = 2; track a3 u1 = 1",
		"a claim once proved no longer opens the user":        "identify a1 u1 = 1; server track a1 u1 = 1; track a9 u1 = 2; server track u1 = 1; track a9 = 2; track a1 u1 = 1",
		"claims of two users on one device stay apart":        "identify a1 u1 = 1; identify a1 u2 = 2; track a1 = 1",
		"mail merges where it is listed":                      "server identify a1 mail=m1@x.jp = 1; server identify a2 mail=M1@X.jp = 1; track a2 = 1",
		"mail from a browser links nothing":                   "identify a1 mail=m1@x.jp = 1; identify a2 mail=m1@x.jp = 2",
		"mail does not join two users":                        "server identify a1 u1 mail=m1@x.jp = 1; server identify a2 u2 mail=m1@x.jp = 2; server identify a3 mail=m1@x.jp = 1",
		"a mail customer merges into the user":                "server identify mail=m1@x.jp a5 = 1; server track u1 a6 = 2; server identify u1 mail=m1@x.jp = 2; track a5 = 2; track a6 = 2",
		"a server may join two users":                         "server track a1 u1 = 1; server track a2 u2 = 2; server alias u1->u2 = 1; server track u2 = 1; track a2 = 1",
		"a browser may not join two users":                    "server track a1 u1 = 1; server track a2 u2 = 2; alias a9 u1->u2 = 3; server track u1 = 1; server track u2 = 2",
		"a signed browser may not join two users":             "server track a1 u1 = 1; server track a2 u2 = 2; signed alias u1->u2 = 2; server track u1 = 1",
		"an alias from an anonymous id":                       "track a1 = 1; server alias a1->u1 = 1; server track u1 = 1",
		"an unsigned alias does not open a user by device":    "server track a1 u1 = 1; track a2 = 2; alias a2 a1->u9 = 2; track a1 = 1; track a2 = 2",
		"an unsigned alias brings an anonymous id to a claim": "track a1 = 1; track a2 = 2; alias a2 a1->u9 = 2; track a1 = 2; server track u9 = 3",
		"the older of two equals wins":                        "server identify a1 mail=m1@x.jp = 1; server identify a2 mail=m2@x.jp = 2; server alias a2->u0 = 2; server identify a1 mail=m2@x.jp = 2",
		"an unsigned alias alone does not reach a user":       "server track a1 u1 = 1; alias a9 a1->u9 = 2; track a1 = 1; track a9 = 2",
		"ids that stand for nobody link nothing":              "track a1 undefined = 1; track a2 null = 2; track anonymous = 0; server track a3 guest = 3",
	} {
		t.Run(name, func(t *testing.T) {
			var r Resolver
			r.Configure("demo", Settings{MergeOn: []cx.Namespace{cx.Mail}})
			var created []cx.CustomerID
			for i, call := range strings.Split(calls, ";") {
				text, want, _ := strings.Cut(call, "=")
				if k := strings.LastIndex(call, "="); k >= 0 {
					text, want = call[:k], call[k+1:]
				}
				text = strings.NewReplacer("undefined", "user=undefined", "null", "user=null", "guest", "user=guest").Replace(text)
				s := parseJunk(t, text)
				out := r.Resolve(s.event(), cx.At(uint64(i+1), 0), cx.Instant(i+1))
				if out.New {
					created = append(created, out.Customer)
				}
				got := fmt.Sprint(slices.Index(created, out.Customer) + 1)
				if got != strings.TrimSpace(want) {
					t.Fatalf("%q belongs to customer %s, want %s", strings.TrimSpace(text), got, want)
				}
			}
		})
	}
}

func parseJunk(t *testing.T, text string) said {
	t.Helper()
	var junk string
	var words []string
	for word := range strings.FieldsSeq(text) {
		if v, ok := strings.CutPrefix(word, "user="); ok {
			junk = v
			continue
		}
		words = append(words, word)
	}
	s := parseSaid(t, strings.Join(words, " "))
	if junk != "" {
		s.user = junk
	}
	return s
}

// person is a customer as the slow model sees one.
type person struct {
	id    cx.CustomerID
	names map[cx.Identity]bool // Since is 0
}

func (p *person) has(n cx.Namespace) bool {
	for name := range p.names {
		if name.Namespace == n {
			return true
		}
	}
	return false
}

func (p *person) devices() (n int) {
	for name := range p.names {
		if name.Namespace == cx.AnonymousID {
			n++
		}
	}
	return n
}

func (p *person) strongest() cx.Namespace {
	for n := cx.UserID; n <= cx.AnonymousID; n++ {
		if p.has(n) {
			return n
		}
	}
	return cx.AnonymousID + 1
}

// world is the slow model of one workspace: plain sets, searched through.
type world struct{ people []*person }

func (w *world) whose(name cx.Identity) *person {
	for _, p := range w.people {
		if p.names[name] {
			return p
		}
	}
	return nil
}

func (w *world) take(name cx.Identity, p *person) {
	if q := w.whose(name); q != nil {
		delete(q.names, name)
	}
	p.names[name] = true
}

// unite pours one person into the other, and returns who is left.
func (w *world) unite(a, b *person) *person {
	if b.strongest() < a.strongest() || b.strongest() == a.strongest() && b.id.Position() < a.id.Position() {
		a, b = b, a
	}
	for name := range b.names {
		a.names[name] = true
	}
	w.people = slices.DeleteFunc(w.people, func(p *person) bool { return p == b })
	return a
}

// says works out a call by the rules, literally.
func (w *world) says(s said, at cx.Position) cx.CustomerID {
	vouched := s.who != "browser"
	var mine []cx.Identity
	add := func(n cx.Namespace, v string) {
		if v != "" {
			mine = append(mine, cx.Identity{Namespace: n, Value: v})
		}
	}
	if vouched {
		add(cx.UserID, s.user)
	} else {
		add(cx.ClaimedUserID, s.user)
	}
	if vouched && s.typ == cx.Identify {
		add(cx.Mail, s.mail)
	}
	add(cx.AnonymousID, s.anonymous)
	if len(mine) == 0 {
		return 0
	}
	device := w.whose(cx.Identity{Namespace: cx.AnonymousID, Value: s.anonymous})
	if !vouched && s.user != "" && device != nil && device.names[cx.Identity{Namespace: cx.UserID, Value: s.user}] {
		return device.id
	}
	all := append(slices.Clone(mine), w.prior(s, vouched)...)
	self := w.choose(all, len(mine), s.who, at)
	for i, name := range all {
		self = w.join(self, name, s, vouched, i >= len(mine))
	}
	return self.id
}

func (w *world) prior(s said, vouched bool) []cx.Identity {
	switch user := (cx.Identity{Namespace: cx.UserID, Value: s.prior}); {
	case s.typ != cx.Alias || s.prior == "":
		return nil
	case vouched && w.whose(user) != nil:
		return []cx.Identity{user}
	}
	return []cx.Identity{{Namespace: cx.AnonymousID, Value: s.prior}}
}

func (w *world) choose(mine []cx.Identity, own int, who string, at cx.Position) *person {
	lead := mine[0]
	if p := w.whose(lead); p != nil && (lead.Namespace != cx.ClaimedUserID || !p.has(cx.UserID)) {
		return p
	}
	for i, name := range mine[1:] {
		p := w.whose(name)
		if p == nil || 1+i >= own && who == "browser" && p.has(cx.UserID) {
			continue
		}
		user, claimed := p.has(cx.UserID), p.has(cx.ClaimedUserID)
		switch {
		case lead.Namespace == cx.UserID && user && 1+i >= own && who == "server":
			return p
		case lead.Namespace == cx.UserID && (user || claimed && !w.provedBy(p, name, lead.Value)):
		case lead.Namespace == cx.ClaimedUserID && (user || claimed):
		default:
			return p
		}
	}
	p := &person{id: cx.NewCustomerID(at), names: make(map[cx.Identity]bool)}
	w.people = append(w.people, p)
	return p
}

// provedBy reports whether p claims to be user and was only seen on the device
// name.
func (w *world) provedBy(p *person, name cx.Identity, user string) bool {
	return name.Namespace == cx.AnonymousID && p.devices() == 1 && p.names[cx.Identity{Namespace: cx.ClaimedUserID, Value: user}]
}

func (w *world) join(self *person, name cx.Identity, s said, vouched, prior bool) *person {
	other := w.whose(name)
	selfUser, otherUser := self.has(cx.UserID), other != nil && other.has(cx.UserID)
	selfClaim := !selfUser && self.has(cx.ClaimedUserID)
	otherClaim := other != nil && !otherUser && other.has(cx.ClaimedUserID)
	user := ""
	if vouched {
		user = s.user
	}
	switch {
	case other == self:
	case prior && !vouched && (selfUser || otherUser):
	case other == nil:
		w.take(name, self)
	case name.Namespace == cx.ClaimedUserID && otherUser:
		w.take(name, self)
	case selfUser && otherUser:
		if prior && s.who == "server" {
			return w.unite(self, other)
		}
	case selfUser && otherClaim:
		if user != "" && w.provedBy(other, name, user) {
			return w.unite(self, other)
		}
		if vouched && name.Namespace == cx.AnonymousID {
			w.take(name, self)
		}
	case selfClaim && (otherUser || otherClaim):
	default:
		return w.unite(self, other)
	}
	return self
}

// calls makes calls about four devices and three users, or about two and one.
func calls(serverAliases, few bool) *rapid.Generator[said] {
	devices, users := []string{"", "a1", "a2", "a3", "a4"}, []string{"", "", "u1", "u2", "u3"}
	if few {
		devices, users = devices[:3], users[1:3]
	}
	return rapid.Custom(func(t *rapid.T) said {
		s := said{workspace: rapid.SampledFrom([]cx.Workspace{"one", "two"}).Draw(t, "workspace")}
		s.who = rapid.SampledFrom([]string{"browser", "browser", "server", "signed"}).Draw(t, "who")
		s.typ = rapid.SampledFrom([]cx.EventType{cx.Track, cx.Track, cx.Identify, cx.Alias}).Draw(t, "type")
		s.anonymous = rapid.SampledFrom(devices).Draw(t, "anonymous")
		s.user = rapid.SampledFrom(users).Draw(t, "user")
		if s.typ == cx.Alias {
			s.prior = rapid.SampledFrom([]string{"a1", "a2", "a3", "u1", "u2"}).Draw(t, "prior")
			if s.who == "server" && !serverAliases {
				s.who = "signed"
			}
		}
		if s.typ == cx.Identify {
			s.mail = rapid.SampledFrom([]string{"", "m1@x.jp", "m2@x.jp"}).Draw(t, "mail")
		}
		return s
	})
}

// TestResolverModel: any calls in two workspaces give each the partition that a
// slow literal model gives; a resolver reloaded from the changes of the first
// one at any point goes on exactly as that; nobody is in two workspaces; no
// customer has two user ids unless a server said so.
func TestResolverModel(t *testing.T) {
	for round := range 10 {
		t.Run(fmt.Sprint(round), func(t *testing.T) { rapid.Check(t, checkAgainstModel) })
	}
}

func checkAgainstModel(t *rapid.T) {
	settings := Settings{MergeOn: []cx.Namespace{cx.Mail}}
	aliases := rapid.Bool().Draw(t, "serverAliases")
	list := rapid.SliceOfN(calls(aliases, rapid.Bool().Draw(t, "few")), 1, 40).Draw(t, "calls")
	reload := rapid.IntRange(0, len(list)).Draw(t, "reload")
	worlds := map[cx.Workspace]*world{"one": {}, "two": {}}
	r, again := new(Resolver), new(Resolver)
	for _, w := range []cx.Workspace{"one", "two"} {
		r.Configure(w, settings)
		again.Configure(w, settings)
	}
	owners := make(map[cx.CustomerID]*cx.Customer)
	home := make(map[cx.CustomerID]cx.Workspace)
	for i, s := range list {
		at, now := cx.At(uint64(i+1), 0), cx.Instant(i+1)
		if i == reload {
			rows, merged := r.Changes()
			for _, pair := range merged {
				again.LoadMerged(pair[0], pair[1])
			}
			for _, row := range lastRows(rows) {
				again.LoadIdentity(row)
			}
		}
		got := r.Resolve(s.event(), at, now)
		if want := worlds[s.workspace].says(s, at); got.Customer != want {
			t.Fatalf("call %d %+v belongs to %v, the model says %v", i, s, got.Customer, want)
		}
		if i >= reload {
			if diff := cmp.Diff(got, again.Resolve(s.event(), at, now)); diff != "" {
				t.Fatal("after reloading (-first +again):", diff)
			}
		}
		if was, ok := home[got.Customer]; ok && was != s.workspace {
			t.Fatalf("%v is in workspaces %s and %s", got.Customer, was, s.workspace)
		}
		if got.Customer == 0 {
			continue
		}
		home[got.Customer] = s.workspace
		follow(owners, got)
	}
	for _, w := range []cx.Workspace{"one", "two"} {
		comparePartition(t, r, w, worlds[w], owners, aliases)
	}
}

// lastRows keeps the last row of each identity, as a store does, in any order.
func lastRows(rows []IdentityRow) []IdentityRow {
	var out []IdentityRow
	for _, row := range slices.Backward(rows) {
		same := func(o IdentityRow) bool {
			return o.Workspace == row.Workspace && o.Identity.Namespace == row.Identity.Namespace && o.Identity.Value == row.Identity.Value
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, row)
		}
	}
	return out
}

// follow does to customers what a resolution says, as the lanes do.
func follow(customers map[cx.CustomerID]*cx.Customer, out Resolution) {
	if out.New {
		customers[out.Customer] = &cx.Customer{ID: out.Customer}
	}
	of := func(id cx.CustomerID) *cx.Customer {
		if customers[id] == nil {
			customers[id] = &cx.Customer{ID: id}
		}
		return customers[id]
	}
	for _, m := range out.Merges {
		Link(of(m.Winner), of(m.Loser).Identities)
		delete(customers, m.Loser)
	}
	for _, m := range out.Moves {
		Unlink(of(m.From), m.Identity)
	}
	if out.Customer != 0 {
		Link(of(out.Customer), out.Links)
	}
}

func comparePartition(t *rapid.T, r *Resolver, w cx.Workspace, model *world, customers map[cx.CustomerID]*cx.Customer, aliases bool) {
	for _, p := range model.people {
		var want []cx.Identity
		users := 0
		for name := range p.names {
			if got := r.Lookup(w, name); got != p.id {
				t.Fatalf("%+v belongs to %v, the model says %v", name, got, p.id)
			}
			if name.Namespace == cx.UserID {
				users++
			}
			want = append(want, name)
		}
		slices.SortFunc(want, compareIdentities)
		var got []cx.Identity
		for _, name := range customers[p.id].Identities {
			got = append(got, cx.Identity{Namespace: name.Namespace, Value: name.Value})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("customer %v has (-model +links) %s", p.id, diff)
		}
		if users > 1 && !aliases {
			t.Fatalf("customer %v has %d user ids", p.id, users)
		}
	}
}
