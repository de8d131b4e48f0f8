package api

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

func TestSetsAreReadByReadersAndChangedByAdmins(t *testing.T) {
	b := newBench(t)
	keys := map[string]string{"none": "", "browser": b.browser, "read": b.read, "admin": b.admin, "root": b.root, "other": b.other}
	for _, c := range []struct {
		method, path, body string
		want               map[string]int
	}{
		{"GET", "/definitions/files", "", map[string]int{"none": 401, "browser": 403, "read": 200, "admin": 200, "root": 400, "other": 404}},
		{"GET", "/definitions/files?set=2", "", map[string]int{"read": 200, "other": 404}},
		{"GET", "/definitions/files?set=9", "", map[string]int{"read": 404}},
		{"GET", "/definitions/files?set=x", "", map[string]int{"read": 400}},
		{"GET", "/definitions/files?workspace=other", "", map[string]int{"read": 403, "admin": 403, "root": 404}},
		{"POST", "/definitions/diff", `{"from":1,"to":2}`, map[string]int{"none": 401, "browser": 403, "read": 200, "admin": 200, "root": 400}},
		{"POST", "/definitions/diff?workspace=shop", `{"from":1,"to":2}`, map[string]int{"read": 200, "root": 200, "other": 403}},
		{"POST", "/definitions/diff", `{"to":2,"files":[{"name":"a","text":"b"}]}`, map[string]int{"read": 400}},
		{"POST", "/definitions/rollback", `{"set":1,"dry_run":true}`, map[string]int{"none": 401, "browser": 403, "read": 403, "admin": 200, "root": 400}},
		{"POST", "/definitions/rollback?workspace=shop", `{"set":1}`, map[string]int{"admin": 201, "root": 201, "other": 403}},
		{"POST", "/definitions/rollback", `{"set":0}`, map[string]int{"admin": 400}},
		{"POST", "/definitions/rollback", `{}`, map[string]int{"admin": 400}},
	} {
		for who, want := range c.want {
			if res, body := b.ask(t, keys[who], c.method, prefix+c.path, c.body); res.StatusCode != want {
				t.Errorf("%s %s %s with %s key: %d %s, want %d", c.method, c.path, c.body, who, res.StatusCode, body, want)
			}
		}
	}
	for _, r := range b.shop.rolledBack {
		if r.Workspace != "shop" {
			t.Errorf("a rollback in workspace %s", r.Workspace)
		}
	}
}

func TestNoRouteAltersAVersion(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{"PUT", "PATCH", "DELETE", "POST"} {
		for _, path := range []string{"/definitions/1", "/definitions/files"} {
			if res, _ := b.ask(t, b.root, method, prefix+path+"?workspace=shop", `{"files":[]}`); res.StatusCode != 404 && res.StatusCode != 405 {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
		}
	}
}

func TestRollbackIsDoneOnceAndKeepsWhoAndWhy(t *testing.T) {
	b := newBench(t)
	first, said := b.ask(t, b.admin, "POST", "/api/v1/definitions/rollback", `{"set":3,"why":"too loud"}`, "Idempotency-Key: one")
	again, repeated := b.ask(t, b.admin, "POST", "/api/v1/definitions/rollback", `{"set":3,"why":"too loud"}`, "Idempotency-Key: one")
	if first.StatusCode != 201 || again.StatusCode != 201 || said != repeated || !strings.Contains(said, `"same_as":3`) {
		t.Errorf("first %d %s, again %d %s", first.StatusCode, said, again.StatusCode, repeated)
	}
	who := b.keys.Ring().Key(b.admin).ID
	if diff := cmp.Diff([]Rollback{{Workspace: "shop", Set: 3, Who: who, Why: "too loud"}}, b.shop.rolledBack); diff != "" {
		t.Error(diff)
	}
	if c := b.store.changed; len(c) != 1 || c[0].What != "publish definitions 7, the same as 3" || c[0].Why != "too loud" || c[0].Who != who || c[0].Workspace != "shop" {
		t.Errorf("changes: %+v", c)
	}
	if res, _ := b.ask(t, b.admin, "POST", "/api/v1/definitions/rollback", `{"set":2,"dry_run":true}`, "X-Reason: try"); res.StatusCode != 200 || len(b.store.changed) != 1 {
		t.Errorf("a dry run: %d, %d changes", res.StatusCode, len(b.store.changed))
	}
}

func TestComparisonShowsProblemsAsApplyDoes(t *testing.T) {
	b := newBench(t)
	b.shop.wrong = &cx.Error{Kind: cx.Invalid, Err: faults{"a.yaml:3:1: unknown field"}}
	res, body := b.ask(t, b.read, "POST", "/api/v1/definitions/diff", `{"files":[{"name":"a.yaml","text":"b"}]}`)
	if res.StatusCode != 400 || !strings.Contains(body, `"details":["a.yaml:3:1: unknown field"]`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	b.shop.wrong = nil
	_, body = b.ask(t, b.read, "POST", "/api/v1/definitions/diff", `{"from":2,"to":2}`)
	if !strings.Contains(body, `"equal":true`) || !strings.Contains(body, `"documents":[]`) {
		t.Error(body)
	}
	if diff := cmp.Diff([]ToCompare{{Workspace: "shop", From: 2, To: 2}}, b.shop.compared); diff != "" {
		t.Error(diff)
	}
}
