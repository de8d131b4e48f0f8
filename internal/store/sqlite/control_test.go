package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

var ctx = context.Background()

func openControl(t *testing.T, path string) *Control {
	t.Helper()
	c, err := OpenControl(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newControl(t *testing.T) *Control {
	t.Helper()
	return openControl(t, filepath.Join(t.TempDir(), "control.db"))
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func conflicts(t *testing.T, what string, err error) {
	t.Helper()
	if cx.KindOf(err) != cx.Conflict {
		t.Errorf("%s: got %v, want an error of kind conflict", what, err)
	}
}

func workspace(slug cx.Workspace) access.Workspace {
	return access.Workspace{Slug: slug, Name: "Shop " + string(slug), SigningSecret: []byte("secret"), CreatedAt: 5}
}

func key(id cx.KeyID, w cx.Workspace) access.Key {
	return access.Key{ID: id, Workspace: w, Kind: cx.ServerKey, Name: "name of " + string(id), Hash: access.HashText(string(id)), CreatedAt: 6}
}

func TestApplyIsWholeAndLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.db")
	c := openControl(t, path)
	answer := access.Answer{Caller: "k_admin", Key: "try-1", Request: [32]byte{1, 2}, Status: 201, Body: []byte(`{"ok":true}`), Expires: 1000}
	first := access.Update{
		Workspaces: []access.Workspace{workspace("shop"), workspace("demo")},
		Keys:       []access.Key{key("k_b", "shop"), key("k_a", "demo")},
		Change:     access.Change{At: 10, Workspace: access.Everywhere, Who: "k_admin", Why: "start", What: "create two workspaces"},
		Answer:     &answer,
	}
	if err := c.Apply(ctx, first); err != nil {
		t.Fatal(err)
	}
	clash := func(name string, u access.Update, want cx.Kind) {
		t.Helper()
		u.Workspaces = append([]access.Workspace{workspace("lost")}, u.Workspaces...)
		u.Keys = append([]access.Key{key("k_lost", "lost")}, u.Keys...)
		u.Change = access.Change{At: 20, What: "lost"}
		if err := c.Apply(ctx, u); cx.KindOf(err) != want {
			t.Errorf("%s: got %v, want kind %v", name, err, want)
		}
	}
	sameHash := key("k_c", "shop")
	sameHash.Hash = access.HashText("k_a")
	clash("a workspace that exists", access.Update{Workspaces: []access.Workspace{workspace("demo")}}, cx.Conflict)
	clash("a key that exists", access.Update{Keys: []access.Key{key("k_a", "demo")}}, cx.Conflict)
	clash("a key's text that exists", access.Update{Keys: []access.Key{sameHash}}, cx.Conflict)
	clash("an answer that exists", access.Update{Answer: &answer}, cx.Conflict)
	clash("a key that does not exist", access.Update{Revoke: []cx.KeyID{"k_a", "k_none"}}, cx.NotFound)

	again := openControl(t, path) // the first was never closed
	equal(t, "workspaces", must(again.Workspaces(ctx))(t), []access.Workspace{workspace("demo"), workspace("shop")})
	equal(t, "keys", must(again.Keys(ctx))(t), []access.Key{key("k_a", "demo"), key("k_b", "shop")})
	line := first.Change
	line.Number = 1
	equal(t, "changes", must(again.Changes(ctx, access.Everywhere, 0, 10))(t), []access.Change{line})
	equal(t, "the answer", must(again.Remembered(ctx, "k_admin", "try-1", 999))(t), &answer)
}

func TestRevokingKeepsTheFirstTime(t *testing.T) {
	c := newControl(t)
	for at, u := range []access.Update{
		{Keys: []access.Key{key("k_a", "demo"), key("k_b", "demo")}},
		{Revoke: []cx.KeyID{"k_a"}},
		{Revoke: []cx.KeyID{"k_a", "k_b"}},
	} {
		u.Change.At = cx.Instant(at + 1)
		if err := c.Apply(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	a, b := key("k_a", "demo"), key("k_b", "demo")
	a.RevokedAt, b.RevokedAt = 2, 3
	equal(t, "keys", must(c.Keys(ctx))(t), []access.Key{a, b})
}

func TestChangesAreOnlyAddedTo(t *testing.T) {
	c := newControl(t)
	for i := range 6 {
		w := cx.Workspace([]string{"demo", "shop"}[i%2])
		if err := c.Apply(ctx, access.Update{Change: access.Change{At: cx.Instant(i), Workspace: w, What: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	numbers := func(w cx.Workspace, before uint64, limit int) (out []uint64) {
		for _, h := range must(c.Changes(ctx, w, before, limit))(t) {
			out = append(out, h.Number)
		}
		return out
	}
	equal(t, "all", numbers(access.Everywhere, 0, 10), []uint64{6, 5, 4, 3, 2, 1})
	equal(t, "the first page", numbers(access.Everywhere, 0, 2), []uint64{6, 5})
	equal(t, "the second page", numbers(access.Everywhere, 5, 2), []uint64{4, 3})
	equal(t, "of one workspace", numbers("shop", 6, 10), []uint64{4, 2})
	for _, statement := range []string{"UPDATE changes SET who = 'x'", "DELETE FROM changes WHERE number = 1"} {
		if _, err := c.db.Exec(statement); err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestAnswersExpire(t *testing.T) {
	c := newControl(t)
	remember := func(now, expires cx.Instant, body string) error {
		return c.Apply(ctx, access.Update{Change: access.Change{At: now}, Answer: &access.Answer{Caller: "k", Key: "i", Body: []byte(body), Expires: expires}})
	}
	if err := remember(10, 100, "first"); err != nil {
		t.Fatal(err)
	}
	conflicts(t, "before it expires", remember(99, 200, "too early"))
	if a := must(c.Remembered(ctx, "k", "i", 100))(t); a != nil {
		t.Errorf("at 100: %s", a.Body)
	}
	if a := must(c.Remembered(ctx, "other", "i", 50))(t); a != nil {
		t.Errorf("another caller's: %s", a.Body)
	}
	if err := remember(100, 200, "second"); err != nil {
		t.Fatal(err)
	}
	if err := c.Forget(ctx, 200); err != nil {
		t.Fatal(err)
	}
	if a := must(c.Remembered(ctx, "k", "i", 150))(t); a == nil || string(a.Body) != "second" {
		t.Errorf("at 150: %v", a)
	}
	if err := c.Forget(ctx, 201); err != nil {
		t.Fatal(err)
	}
	if a := must(c.Remembered(ctx, "k", "i", 150))(t); a != nil {
		t.Errorf("after it was forgotten: %s", a.Body)
	}
}

func TestRefusedIsBounded(t *testing.T) {
	c := newControl(t)
	sample := func(at cx.Instant, key cx.KeyID, reason string) access.Refused {
		return access.Refused{At: at, Workspace: "demo", Key: key, Altered: true, Reason: reason, Index: -1, Type: "track", Name: "N", Excerpt: "{…}"}
	}
	now := 100 * cx.Day
	var many []access.Refused
	for i := range access.MaxRefused + 50 {
		many = append(many, sample(now, "k_loud", fmt.Sprint(i)))
	}
	for _, rs := range [][]access.Refused{
		{sample(now-access.RefusedFor-1, "k_quiet", "old"), sample(now-access.RefusedFor-1, "k_quiet", "old too")},
		many[:700], nil, many[700:],
		{sample(now, "k_quiet", "new"), {At: now, Workspace: "shop", Key: "k_shop", Reason: "of another"}},
	} {
		if err := c.Refuse(ctx, rs); err != nil {
			t.Fatal(err)
		}
	}
	loud := must(c.Refused(ctx, "demo", "k_loud", 5_000))(t)
	if len(loud) != access.MaxRefused || loud[0].Reason != "1049" || loud[len(loud)-1].Reason != "50" {
		t.Errorf("%d samples, from %s to %s", len(loud), loud[len(loud)-1].Reason, loud[0].Reason)
	}
	equal(t, "the quiet key", must(c.Refused(ctx, "demo", "k_quiet", 10))(t), []access.Refused{sample(now, "k_quiet", "new")})
	equal(t, "newest of all", must(c.Refused(ctx, "demo", "", 2))(t), []access.Refused{sample(now, "k_quiet", "new"), many[1049]})
	if got := must(c.Refused(ctx, "shop", "k_loud", 10))(t); len(got) != 0 {
		t.Errorf("another workspace reads %d samples", len(got))
	}
}

func TestDefinitionVersions(t *testing.T) {
	c := newControl(t)
	set := func(w cx.Workspace, n uint64) DefinitionSet {
		return DefinitionSet{Workspace: w, Sequence: n, Position: cx.At(n, 1), At: cx.Instant(n), Who: "k", Why: "because", Blob: fmt.Append(nil, w, n)}
	}
	for _, d := range []DefinitionSet{set("demo", 1), set("shop", 1), set("demo", 2), set("demo", 3)} {
		if err := c.PutDefinitions(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	conflicts(t, "a sequence number again", c.PutDefinitions(ctx, set("demo", 3)))
	other := set("demo", 1)
	other.Who, other.Why, other.Blob = "k_other", "to hide something", []byte("another set")
	conflicts(t, "another set under a number that is taken", c.PutDefinitions(ctx, other))
	for _, statement := range []string{"UPDATE definitions SET blob = x'00'", "DELETE FROM definitions WHERE sequence = 1"} {
		if _, err := c.db.Exec(statement); err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	equal(t, "the first set", must(c.DefinitionsAt(ctx, "demo", 1))(t), set("demo", 1))
	equal(t, "the first set of the other workspace", must(c.DefinitionsAt(ctx, "shop", 1))(t), set("shop", 1))
	for _, n := range []uint64{0, 2, 1 << 63} {
		if _, err := c.DefinitionsAt(ctx, "shop", n); cx.KindOf(err) != cx.NotFound {
			t.Errorf("set %d of a workspace that has only the first: %v", n, err)
		}
	}
	equal(t, "newest two", must(c.Definitions(ctx, "demo", 2))(t), []DefinitionSet{set("demo", 3), set("demo", 2)})
	equal(t, "latest of each", must(c.LatestDefinitions(ctx))(t), []DefinitionSet{set("demo", 3), set("shop", 1)})
}

// TestDiskIsFull lets the file grow no further: the change is refused in words,
// and is taken when there is room.
func TestDiskIsFull(t *testing.T) {
	c := newControl(t)
	c.db.SetMaxOpenConns(1) // the limit is one connection's own
	var pages int
	if err := c.db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		t.Helper()
		if _, err := c.db.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	long := access.Update{Change: access.Change{At: 1, Workspace: access.Everywhere, Who: "k_1", Why: strings.Repeat("because ", 10_000)}}
	limit(pages)
	if err := c.Apply(ctx, long); cx.KindOf(err) != cx.Unavailable || !strings.Contains(err.Error(), "make room") {
		t.Errorf("on a full disk: %v", err)
	}
	limit(pages + 100)
	if err := c.Apply(ctx, long); err != nil {
		t.Errorf("with room: %v", err)
	}
	if changes, err := c.Changes(ctx, access.Everywhere, 0, 10); err != nil || len(changes) != 1 {
		t.Errorf("%d changes are recorded, %v, want the second", len(changes), err)
	}
}
