package blank_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/blank"
	"github.com/kikubari/kikubari/internal/cx"
)

func said(e cx.Event) cx.Entry {
	e.Workspace, e.Type = "shop", max(e.Type, cx.Track)
	return cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &e)}
}

func command(kind cx.CommandKind, body []byte) cx.Entry {
	return cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, &cx.Command{Kind: kind, Workspace: "shop", Body: body})}
}

// survey lets a survey see a log whose positions count from 0.
func survey(t *testing.T, log []cx.Entry, erased map[cx.Position]cx.Lesson, nobodys ...cx.Position) (s *blank.Survey, tokens map[blank.Name]string) {
	t.Helper()
	s = blank.NewSurvey(erased, undoing{}, func(at cx.Position) (bool, error) {
		return !slices.Contains(nobodys, at), nil
	})
	for _, see := range []func(cx.Position, cx.Entry) error{s.Learn, s.Look} {
		for at, e := range log {
			if err := see(cx.Position(at), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 0
	return s, s.End(func() string { n++; return fmt.Sprint("token-", n) })
}

// change changes some entries of a log in place.
func change(t *testing.T, b *blank.Blanking, log []cx.Entry, from, to int) (changed int) {
	t.Helper()
	for at := from; at < to; at++ {
		e, did, err := b.Change(cx.Position(at), log[at])
		if err != nil {
			t.Fatal(err)
		}
		if did {
			log[at] = e
			changed++
		}
	}
	return changed
}

func read(t *testing.T, e cx.Entry) (x cx.Erased) {
	t.Helper()
	if e.Kind != cx.EntryErased {
		t.Fatalf("an entry of kind %d stands there", e.Kind)
	}
	if err := cx.DecodeErased(e.Payload, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestWhatStays(t *testing.T) {
	release := func(value string) cx.Entry {
		return command(cx.CommandRelease, cx.AppendIdentity(nil, cx.Identity{Namespace: cx.AnonymousID, Value: value}))
	}
	log := []cx.Entry{
		0: said(cx.Event{AnonymousID: " own ", MessageID: "m", Properties: []byte(`{"a":1}`)}),
		1: said(cx.Event{AnonymousID: "tablet", UserID: "hana", Type: cx.Identify, Flags: cx.Verified | cx.TimeSet, Properties: []byte(`{"email":"Hana@Example.com"}`)}),
		2: said(cx.Event{AnonymousID: "tablet", UserID: "other"}),
		3: said(cx.Event{AnonymousID: "own", MessageID: "m"}),      // again
		4: said(cx.Event{AnonymousID: "own", UserID: "third"}),     // led to nothing and names a stranger
		5: said(cx.Event{AnonymousID: "stranger", UserID: "null"}), // a placeholder
		6: release("tablet"),
	}
	erased := map[cx.Position]cx.Lesson{0: {}, 1: {Action: "bar", Exposed: true}}
	_, tokens := survey(t, log, erased, 3, 4)
	if _, ok := tokens[blank.Name{Workspace: "shop", Value: "own"}]; ok {
		t.Error("a name is blanked that stays in an entry that names a stranger")
	}
	_, tokens = survey(t, log, erased, 3)
	if _, ok := tokens[blank.Name{Workspace: "shop", Value: "own"}]; ok {
		t.Error("a name is blanked that somebody else is known by")
	}
	log[4], log[6] = said(cx.Event{AnonymousID: "fourth", UserID: "third"}), release("own")
	_, tokens = survey(t, log, erased, 3)
	b := blank.New(erased, undoing{}, tokens)
	if n := change(t, b, log, 0, len(log)); n != 4 {
		t.Errorf("%d entries are changed, want 4", n)
	}
	own, user, mail := tokens[blank.Name{Workspace: "shop", Value: "own"}], tokens[blank.Name{Workspace: "shop", Value: "hana"}], tokens[blank.Name{Workspace: "shop", Value: "hana@example.com"}]
	want := cx.Erased{Workspace: "shop", Type: cx.Track, AnonymousID: own, Pseudonymous: cx.ErasedAnonymousID}
	if diff := cmp.Diff(want, read(t, log[0])); diff != "" {
		t.Errorf("of the first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, read(t, log[3])); diff != "" {
		t.Errorf("of what came again (-want +got):\n%s", diff)
	}
	want = cx.Erased{
		Workspace: "shop", Type: cx.Identify, Flags: cx.Verified, AnonymousID: "tablet", UserID: user, Mail: mail,
		Pseudonymous: cx.ErasedUserID | cx.ErasedMail, Taught: cx.Lesson{Action: "bar", Exposed: true},
	}
	if diff := cmp.Diff(want, read(t, log[1])); diff != "" {
		t.Errorf("of the second (-want +got):\n%s", diff)
	}
	c, err := cx.DecodeCommand(log[6].Payload)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := cx.DecodeIdentity(c.Body); err != nil || id.Value != own {
		t.Errorf("the command releases %v, %v", id, err)
	}

	// When the other person of the tablet goes too, nothing of it is left.
	erased = map[cx.Position]cx.Lesson{2: {}}
	_, tokens = survey(t, log, erased)
	change(t, blank.New(erased, undoing{}, tokens), log, 0, len(log))
	first, second := read(t, log[1]), read(t, log[2])
	if first.AnonymousID == "tablet" || first.AnonymousID != second.AnonymousID || first.UserID != user {
		t.Errorf("one is of %q, the other of %q", first.AnonymousID, second.AnonymousID)
	}
}

// A rewriting that ends in the middle and is gone on with comes to what one that
// does not end comes to, and changes nothing twice.
func TestRewritingGoesOn(t *testing.T) {
	var whole []cx.Entry
	erased := map[cx.Position]cx.Lesson{}
	for i := range 10 {
		whole = append(whole, said(cx.Event{AnonymousID: fmt.Sprint("own-", i%3), UserID: "hana"}))
		erased[cx.Position(i)] = cx.Lesson{}
	}
	whole = append(whole, said(cx.Event{AnonymousID: "own-1", MessageID: "again"}))
	parts := append([]cx.Entry(nil), whole...)
	_, tokens := survey(t, whole, erased, 10)
	change(t, blank.New(erased, undoing{}, tokens), whole, 0, len(whole))
	change(t, blank.New(erased, undoing{}, tokens), parts, 0, 4)
	again := blank.New(erased, undoing{}, tokens)
	if n := change(t, again, parts, 0, len(parts)); n != len(parts)-4 {
		t.Errorf("%d entries are changed when it goes on, want %d", n, len(parts)-4)
	}
	if diff := cmp.Diff(whole, parts); diff != "" {
		t.Errorf("another log (-at once +in two):\n%s", diff)
	}
}

// undoing are un-merges whose bodies are words: a name of an erased person begins
// with "x-".
type undoing struct{}

func (undoing) Names(body []byte, found func(string, bool)) error {
	for name := range strings.FieldsSeq(string(body)) {
		name, theirs := strings.CutPrefix(name, "x-")
		found(name, theirs)
	}
	return nil
}

func (undoing) Blank(body []byte, token func(string) (string, bool)) ([]byte, error) {
	words := strings.Fields(string(body))
	for i, name := range words {
		name, theirs := strings.CutPrefix(name, "x-")
		if t, ok := token(name); ok && theirs {
			words[i] = "x-" + t
		}
	}
	return []byte(strings.Join(words, " ")), nil
}

// In an un-merge an erased person has the tokens that stand in the events; whom
// others in it are known by stays. Another rewriting changes no token.
func TestNamesInAnUnmerge(t *testing.T) {
	log := []cx.Entry{
		said(cx.Event{AnonymousID: "own", UserID: "hana"}),
		said(cx.Event{AnonymousID: "tablet", UserID: "hana"}),
		command(cx.CommandUnmerge, []byte("x-hana x-own x-told tablet taro")),
	}
	erased := map[cx.Position]cx.Lesson{0: {}, 1: {}}
	_, tokens := survey(t, log, erased)
	if _, ok := tokens[blank.Name{Workspace: "shop", Value: "tablet"}]; ok || len(tokens) != 3 {
		t.Errorf("tokens are %v, want those of own, hana and told", tokens)
	}
	if n := change(t, blank.New(erased, undoing{}, tokens), log, 0, len(log)); n != 3 {
		t.Errorf("%d entries are changed, want 3", n)
	}
	of := func(name string) string { return tokens[blank.Name{Workspace: "shop", Value: name}] }
	c, err := cx.DecodeCommand(log[2].Payload)
	if want := fmt.Sprintf("x-%s x-%s x-%s tablet taro", of("hana"), of("own"), of("told")); err != nil || string(c.Body) != want {
		t.Errorf("the un-merge has %q, want %q (%v)", c.Body, want, err)
	}
	if x := read(t, log[0]); x.UserID != of("hana") || x.AnonymousID != of("own") {
		t.Errorf("the event has %+v", x)
	}
	told := blank.Name{Workspace: "shop", Value: of("told")}
	_, tokens = survey(t, log, map[cx.Position]cx.Lesson{})
	delete(tokens, told) // no event has it
	if n := change(t, blank.New(nil, undoing{}, tokens), log, 0, len(log)); n != 0 || len(tokens) != 0 {
		t.Errorf("another rewriting changes %d entries, by %v", n, tokens)
	}
}

// Whether an event was taken is asked once for a name that others have too: a
// shared device may have a million.
func TestASharedNameIsAskedForOnce(t *testing.T) {
	log := []cx.Entry{0: said(cx.Event{AnonymousID: "tablet"})}
	for range 100 {
		log = append(log, said(cx.Event{AnonymousID: "tablet"}))
	}
	asked := 0
	s := blank.NewSurvey(map[cx.Position]cx.Lesson{0: {}}, undoing{}, func(cx.Position) (bool, error) { asked++; return true, nil })
	for _, see := range []func(cx.Position, cx.Entry) error{s.Learn, s.Look} {
		for at, e := range log {
			if err := see(cx.Position(at), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if tokens := s.End(func() string { return "token" }); asked != 1 || len(tokens) != 0 {
		t.Errorf("asked %d times, tokens %v", asked, tokens)
	}
}
