package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/access"
)

func TestRepeatedRequestIsAnsweredOnce(t *testing.T) {
	b := newBench(t)
	const body = `{"kind":"server","name":"till","why":"new shop"}`
	first, said := b.ask(t, b.admin, "POST", "/api/v1/keys", body, "Idempotency-Key: one")
	again, repeated := b.ask(t, b.admin, "POST", "/api/v1/keys", body, "Idempotency-Key: one")
	if first.StatusCode != 201 || again.StatusCode != 201 || said != repeated {
		t.Fatalf("first %d %s, again %d %s", first.StatusCode, said, again.StatusCode, repeated)
	}
	var k Key
	if err := json.Unmarshal([]byte(said), &k); err != nil || b.keys.Ring().Key(k.Text) == nil {
		t.Fatalf("the new key does not work: %s", said)
	}
	if n := len(b.store.changed); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	for _, a := range b.store.answers {
		if bytes.Contains(a.Body, []byte(k.Text)) || bytes.Contains(a.Body, []byte("till")) {
			t.Error("the kept answer shows the text of the key")
		}
	}
}

func TestIdempotencyKeyIsForOneRequest(t *testing.T) {
	b := newBench(t)
	b.ask(t, b.root, "POST", "/api/v1/workspaces", `{"slug":"one"}`, "Idempotency-Key: k")
	if res, body := b.ask(t, b.root, "POST", "/api/v1/workspaces", `{"slug":"two"}`, "Idempotency-Key: k"); res.StatusCode != 409 {
		t.Errorf("another body: %d %s", res.StatusCode, body)
	}
	if res, body := b.ask(t, b.admin, "POST", "/api/v1/keys", `{"kind":"read"}`, "Idempotency-Key: k"); res.StatusCode != 201 {
		t.Errorf("another caller: %d %s", res.StatusCode, body)
	}
	b.busy.Store([2]string{string(b.keys.Ring().Key(b.root).ID), "now"}, true)
	if res, body := b.ask(t, b.root, "POST", "/api/v1/workspaces", `{"slug":"three"}`, "Idempotency-Key: now"); res.StatusCode != 409 {
		t.Errorf("while the first runs: %d %s", res.StatusCode, body)
	}
}

func TestRefusedChangeIsNotRemembered(t *testing.T) {
	b := newBench(t)
	if res, _ := b.ask(t, b.root, "POST", "/api/v1/workspaces", `{"slug":"shop"}`, "Idempotency-Key: k"); res.StatusCode != 409 {
		t.Fatalf("a slug twice: %d", res.StatusCode)
	}
	if len(b.store.answers) != 0 || len(b.store.changed) != 0 {
		t.Error("a change that failed left something behind")
	}
}

func TestEachChangeKeepsWhoAndWhy(t *testing.T) {
	b := newBench(t)
	who := b.keys.Ring().Key(b.admin).ID
	b.ask(t, b.admin, "POST", "/api/v1/keys", `{"kind":"read","why":"for Bob"}`)
	b.ask(t, b.admin, "POST", "/api/v1/definitions", `{"files":[{"name":"a","text":"b"}],"why":"body"}`, "X-Reason: header wins")
	b.ask(t, b.admin, "DELETE", "/api/v1/keys/"+string(b.keys.Ring().Key(b.read).ID), "", "X-Reason: leaked")
	want := []access.Change{
		{Workspace: "shop", Who: who, Why: "for Bob", What: "create read key"},
		{Workspace: "shop", Who: who, Why: "header wins", What: "publish definitions 1"},
		{Workspace: "shop", Who: who, Why: "leaked", What: "revoke read key"},
	}
	if len(b.store.changed) != len(want) {
		t.Fatalf("changes: %+v", b.store.changed)
	}
	for i, c := range b.store.changed {
		w := want[i]
		if c.Workspace != w.Workspace || c.Who != w.Who || c.Why != w.Why || !strings.HasPrefix(c.What, w.What) || c.At == 0 {
			t.Errorf("change %d: %+v, want %+v", i, c, w)
		}
	}
	if p := b.shop.published[0]; p.Who != who || p.Why != "header wins" || p.Workspace != "shop" {
		t.Errorf("publication: %+v", p)
	}
	if res, _ := b.ask(t, b.read, "GET", "/api/v1/status", ""); res.StatusCode != 401 {
		t.Errorf("a key that was taken back: %d", res.StatusCode)
	}
	if res, body := b.ask(t, b.admin, "GET", "/api/v1/changes", ""); res.StatusCode != 200 || strings.Index(body, "leaked") > strings.Index(body, "for Bob") {
		t.Errorf("the record of changes, newest first: %s", body)
	}
}

func TestRevoking(t *testing.T) {
	b := newBench(t)
	id := func(text string) string { return string(b.keys.Ring().Key(text).ID) }
	for _, c := range []struct {
		name, key, id string
		want          int
	}{
		{"itself", b.admin, id(b.admin), 409},
		{"a key of another workspace", b.admin, id(b.other), 404},
		{"a key of the installation", b.admin, id(b.root), 404},
		{"nobody's", b.root, "k_nobody", 404},
		{"any, by the installation", b.root, id(b.other), 200},
		{"the same again", b.root, id(b.other), 200},
	} {
		if res, body := b.ask(t, c.key, "DELETE", "/api/v1/keys/"+c.id, ""); res.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, res.StatusCode, body, c.want)
		}
	}
}
