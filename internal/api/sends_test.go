package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// post sends to one destination, crm, of workspace shop.
type post struct {
	calls  []string
	paused map[cx.Workspace]bool
}

func (p *post) List(_ context.Context, w cx.Workspace, destination string, state cx.DeliveryState, limit int) ([]Send, error) {
	p.calls = append(p.calls, fmt.Sprintf("list %s %s %v %d", w, destination, state, limit))
	return []Send{{Send: "s_1", State: "queued"}}, nil
}

func (p *post) Destinations(_ context.Context, w cx.Workspace) ([]Destination, error) {
	p.calls = append(p.calls, "destinations "+string(w))
	return []Destination{{Name: "crm"}}, nil
}

func (p *post) Has(w cx.Workspace, destination string) bool {
	return w == "shop" && destination == "crm"
}
func (p *post) Paused(w cx.Workspace) bool        { return p.paused[w] }
func (p *post) FormatSecret(secret []byte) string { return "whsec_" + hex.EncodeToString(secret) }

func (p *post) Pause(_ context.Context, w cx.Workspace, paused bool) error {
	if p.paused == nil {
		p.paused = map[cx.Workspace]bool{}
	}
	p.paused[w] = paused
	return nil
}

func (p *post) Retry(_ context.Context, w cx.Workspace, destination string, k cx.SendKey) (int, error) {
	p.calls = append(p.calls, fmt.Sprintf("retry %s %s %v", w, destination, k != cx.SendKey{}))
	return 3, nil
}

func (p *post) Resend(_ context.Context, r Resend) (Resent, error) {
	p.calls = append(p.calls, fmt.Sprintf("resend %s %v %v %v %v", r.Workspace, r.Send != cx.SendKey{}, r.State, r.Since, r.MayRepeat))
	return Resent{Sends: 2, Refused: []string{"no"}}, nil
}

func TestWhoMayHoldUpSends(t *testing.T) {
	b := newBench(t)
	keys := map[string]string{"none": "", "browser": b.browser, "read": b.read, "admin": b.admin, "root": b.root, "other": b.other}
	key := cx.SendKey{1, 2}.String()
	for _, c := range []struct {
		method, path, body string
		want               map[string]int
	}{
		{"GET", "/sends", "", map[string]int{"none": 401, "browser": 403, "read": 200, "admin": 200, "root": 200}},
		{"GET", "/sends?state=lost", "", map[string]int{"read": 400}},
		{"GET", "/destinations", "", map[string]int{"browser": 403, "read": 200, "root": 400}},
		{"POST", "/sends/pause", `{"why":"x"}`, map[string]int{"none": 401, "browser": 403, "read": 403, "admin": 200, "root": 200}},
		{"POST", "/sends/resume?workspace=shop", `{}`, map[string]int{"read": 403, "admin": 200, "other": 403, "root": 200}},
		{"POST", "/sends/retry", `{"send":"` + key + `"}`, map[string]int{"read": 403, "admin": 200}},
		{"POST", "/sends/retry", `{"send":"s_wrong"}`, map[string]int{"admin": 400}},
		{"POST", "/destinations/crm/secret", `{}`, map[string]int{"none": 401, "browser": 403, "read": 403, "admin": 200, "root": 400, "other": 404}},
		{"POST", "/destinations/mail/secret", `{}`, map[string]int{"admin": 404}},
	} {
		for who, want := range c.want {
			if res, body := b.ask(t, keys[who], c.method, prefix+c.path, c.body); res.StatusCode != want {
				t.Errorf("%s %s %s with %s key: %d %s, want %d", c.method, c.path, c.body, who, res.StatusCode, body, want)
			}
		}
	}
	if !b.post.paused["*"] || b.post.paused["shop"] {
		t.Errorf("paused: %v", b.post.paused)
	}
	if all := strings.Join(b.post.calls, "\n"); !strings.Contains(all, "list * ") || !strings.Contains(all, "list shop ") || !strings.Contains(all, "retry shop  true") {
		t.Errorf("asked:\n%s", all)
	}
}

func TestSecretIsShownAndMadeAnew(t *testing.T) {
	b := newBench(t)
	show := func(body string) string {
		t.Helper()
		res, said := b.ask(t, b.admin, "POST", prefix+"/destinations/crm/secret", body)
		_, rest, ok := strings.Cut(said, `"secret":"whsec_`)
		if res.StatusCode != 200 || !ok {
			t.Fatalf("%d %s", res.StatusCode, said)
		}
		return rest[:64]
	}
	first := show(`{}`)
	if again := show(`{}`); again != first {
		t.Error("another look gives another secret")
	}
	if anew := show(`{"rotate":true,"why":"it leaked"}`); anew == first {
		t.Error("it was not made anew")
	}
	var said []string
	for _, c := range b.store.changed {
		said = append(said, c.What+" "+c.Why)
		if strings.Contains(c.What, first) {
			t.Error("the record of changes holds the secret")
		}
	}
	if got := strings.Join(said[len(said)-3:], "; "); got != "make secret of destination crm ; show secret of destination crm ; make secret of destination crm it leaked" {
		t.Errorf("the record of changes: %s", got)
	}
}
