package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

const now = cx.Instant(1_795_334_400_000_000)

func newKey(t *testing.T, w cx.Workspace, kind cx.KeyKind, text string) access.Key {
	t.Helper()
	k, err := access.NewKey(w, kind, "", text, now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyTexts(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		text := access.NewKeyText(cx.ServerKey)
		if !strings.HasPrefix(text, "ck_server_") || len(text) != len("ck_server_")+32 || seen[text] {
			t.Fatalf("text %q", text)
		}
		seen[text] = true
	}
	k := newKey(t, "shop", cx.BrowserKey, "demo")
	if again := newKey(t, "shop", cx.BrowserKey, "demo"); again.ID != k.ID || again.Hash != k.Hash {
		t.Error("the same text gives another id")
	}
	if strings.Contains(fmt.Sprintf("%+v", k), "demo") {
		t.Errorf("the text is kept: %+v", k)
	}
}

func TestKeysRefused(t *testing.T) {
	server := access.NewKeyText(cx.ServerKey)
	for _, tt := range []struct {
		w    cx.Workspace
		kind cx.KeyKind
		text string
		ok   bool
	}{
		{"shop", cx.BrowserKey, "demo", true},
		{"shop", cx.BrowserKey, access.NewKeyText(cx.BrowserKey), true},
		{"shop", cx.ServerKey, server, true},
		{access.Everywhere, cx.AdminKey, access.NewKeyText(cx.AdminKey), true},
		{access.Everywhere, cx.ReadKey, access.NewKeyText(cx.ReadKey), true},
		{access.Everywhere, cx.ServerKey, server, false},
		{access.Everywhere, cx.BrowserKey, "demo", false},
		{"shop", cx.ServerKey, "demo", false},
		{"shop", cx.ServerKey, "ck_server_demo", false},
		{"shop", cx.AdminKey, server, false},
		{"shop", cx.ServerKey, server[:len(server)-1], false},
		{"shop", cx.NoKey, "demo", false},
		{"Shop", cx.BrowserKey, "demo", false},
		{"", cx.BrowserKey, "demo", false},
		{"shop", cx.BrowserKey, "de", false},
		{"shop", cx.BrowserKey, "de mo", false},
		{"shop", cx.BrowserKey, "demo:", false},
		{"shop", cx.BrowserKey, strings.Repeat("x", 101), false},
	} {
		_, err := access.NewKey(tt.w, tt.kind, "", tt.text, now)
		if (err == nil) != tt.ok || err != nil && cx.KindOf(err) != cx.Invalid {
			t.Errorf("%v key %q of %q: %v", tt.kind, tt.text, tt.w, err)
		}
	}
	if _, err := access.NewKey("shop", cx.BrowserKey, strings.Repeat("x", 101), "demo", now); err == nil {
		t.Error("a name of 101 bytes is taken")
	}
}

func TestSlugs(t *testing.T) {
	for slug, want := range map[cx.Workspace]bool{
		"a": true, "my-shop-2": true, cx.Workspace(strings.Repeat("a", 40)): true,
		"": false, "-a": false, "a-": false, "A": false, "a_b": false, "é": false, "*": false, cx.Workspace(strings.Repeat("a", 41)): false,
	} {
		if access.ValidSlug(slug) != want {
			t.Errorf("ValidSlug(%q) = %v", slug, !want)
		}
	}
	a, err := access.NewWorkspace("a", "A", now)
	b, _ := access.NewWorkspace("b", "B", now)
	if err != nil || len(a.SigningSecret) != 32 || string(a.SigningSecret) == string(b.SigningSecret) {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := access.NewWorkspace(access.Everywhere, "", now); cx.KindOf(err) != cx.Invalid {
		t.Errorf("workspace *: %v", err)
	}
}

func TestRing(t *testing.T) {
	a, _ := access.NewWorkspace("a", "", now)
	good, gone, stray := newKey(t, "a", cx.BrowserKey, "good"), newKey(t, "a", cx.BrowserKey, "gone"), newKey(t, "b", cx.BrowserKey, "stray")
	gone.RevokedAt = now
	adminText := access.NewKeyText(cx.AdminKey)
	admin := newKey(t, access.Everywhere, cx.AdminKey, adminText)
	r := access.NewRing([]access.Workspace{a}, []access.Key{good, gone, stray, admin})
	if k := r.Key("good"); k == nil || k.ID != good.ID || !k.MayWrite() || !k.Covers("a") || k.Covers("b") {
		t.Errorf("good: %+v", k)
	}
	if k := r.Key(adminText); k == nil || k.MayWrite() || !k.Covers("a") || !k.Covers("b") {
		t.Errorf("admin: %+v", k)
	}
	for _, text := range []string{"gone", "stray", "", "goo", "good ", strings.Repeat("x", 1000), string(good.ID), string(good.Hash[:])} {
		if k := r.Key(text); k != nil {
			t.Errorf("%q opens %+v", text, k)
		}
	}
	if r.KeyByID(good.ID) == nil || r.KeyByID(gone.ID) != nil || r.Workspace("a") == nil || r.Workspace("b") != nil {
		t.Error("look-up by id")
	}
}

// shelf is a Store that has only workspaces and keys.
type shelf struct {
	access.Store
	workspaces []access.Workspace
	keys       []access.Key
	err        error
}

func (s *shelf) Workspaces(context.Context) ([]access.Workspace, error) { return s.workspaces, nil }
func (s *shelf) Keys(context.Context) ([]access.Key, error)             { return s.keys, s.err }

func TestKeyringReload(t *testing.T) {
	a, _ := access.NewWorkspace("a", "", now)
	s := &shelf{workspaces: []access.Workspace{a}, keys: []access.Key{newKey(t, "a", cx.BrowserKey, "one")}}
	var ring access.Keyring
	if ring.Ring() != nil {
		t.Fatal("there is a ring before the first")
	}
	if err := ring.Reload(t.Context(), s); err != nil || ring.Ring().Key("one") == nil {
		t.Fatal(err)
	}
	before := ring.Ring()
	s.keys = append(s.keys, newKey(t, "a", cx.BrowserKey, "two"))
	s.err = errors.New("disk on fire")
	if err := ring.Reload(t.Context(), s); !errors.Is(err, s.err) || ring.Ring() != before {
		t.Errorf("after an error: %v", err)
	}
	s.err = nil
	if err := ring.Reload(t.Context(), s); err != nil || ring.Ring().Key("two") == nil || before.Key("two") != nil {
		t.Errorf("after the reload: %v", err)
	}
}

func ExampleRing() {
	shop, _ := access.NewWorkspace("shop", "My shop", now)
	key, _ := access.NewKey("shop", cx.BrowserKey, "shop pages", "demo", now)
	ring := access.NewRing([]access.Workspace{shop}, []access.Key{key})
	fmt.Println(ring.Key("demo").Workspace, ring.Key("demo").Kind, ring.Key("guess") == nil)
	// Output: shop browser true
}

func BenchmarkRingKey(b *testing.B) {
	a, _ := access.NewWorkspace("a", "", now)
	k, _ := access.NewKey("a", cx.BrowserKey, "", "demo", now)
	r := access.NewRing([]access.Workspace{a}, []access.Key{k})
	b.ReportAllocs()
	for b.Loop() {
		if r.Key("demo") == nil {
			b.Fatal("lost")
		}
	}
}
