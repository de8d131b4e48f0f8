package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// need is what a route asks of the key that calls it.
type need string

const (
	toSend    need = "send"   // a server or admin key
	toRead    need = "read"   // a read or admin key
	toChange  need = "admin"  // an admin key
	toInstall need = "system" // the installation's own admin key
)

// caller is who is asking, and how.
type caller struct {
	key    *access.Key
	text   string // the key's text: secret, never stored
	method string
	path   string
}

type callerKey struct{}

// callerOf returns who is asking. Every route of /api/v1 has a caller, except
// the OpenAPI document.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// authenticate finds out whose key the request carries and whether that key may
// use the route.
func (a *API) authenticate(c huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(c)
	who := caller{text: keyText(r), method: r.Method, path: r.URL.Path}
	ring := a.keys.Ring()
	if ring == nil {
		a.refuse(c, cx.E(cx.Unavailable, "", "the program is starting; try again in a moment"))
		return
	}
	if who.key = ring.Key(who.text); who.key == nil {
		a.refuse(c, noKey())
		return
	}
	n, _ := c.Operation().Metadata[metaNeed].(need)
	if err := n.allows(who.key); err != nil {
		a.refuse(c, err)
		return
	}
	next(huma.WithValue(c, callerKey{}, who))
}

// allows reports, with kind Denied, that k may not do what n asks for.
func (n need) allows(k *access.Key) error {
	switch {
	case n == toSend && (k.Kind == cx.ServerKey || k.Kind == cx.AdminKey):
		return nil
	case n == toSend:
		return cx.E(cx.Denied, "", "a "+k.Kind.String()+" key may not import; use a server key")
	case k.Kind != cx.AdminKey && k.Kind != cx.ReadKey:
		return cx.E(cx.Denied, "", "a "+k.Kind.String()+" key may send events only; use a read or an admin key")
	case n == toRead:
		return nil
	case k.Kind != cx.AdminKey:
		return cx.E(cx.Denied, "", "a read key may look and change nothing; use an admin key")
	case n == toInstall && k.Workspace != access.Everywhere:
		return cx.E(cx.Denied, "", "only the installation's own admin key may do this; it was printed at the first start")
	}
	return nil
}

// keyText returns the key that r carries, as Bearer token or as the user name
// of Basic; "" when there is none.
func keyText(r *http.Request) string {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return rest
	case strings.EqualFold(scheme, "Basic"):
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		name, _, _ := strings.Cut(string(b), ":")
		return name
	}
	return ""
}

// workspace is the one workspace that a request is about: the key's own, or for
// a key of the installation the one it asks for. Such a key need not ask while
// there is only one.
func (a *API) workspace(ctx context.Context, asked string) (cx.Workspace, error) {
	own := callerOf(ctx).key.Workspace
	switch {
	case own != access.Everywhere && (asked == "" || asked == string(own)):
		return own, nil
	case own != access.Everywhere:
		return "", cx.E(cx.Denied, "", "this key belongs to workspace "+string(own))
	case asked != "":
		if ring := a.keys.Ring(); ring == nil || ring.Workspace(cx.Workspace(asked)) == nil {
			return "", cx.E(cx.NotFound, "", "there is no workspace "+quote(asked))
		}
		return cx.Workspace(asked), nil
	}
	all, err := a.store.Workspaces(ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", cx.E(cx.Invalid, "", "say which workspace: ?workspace=…")
	}
	return all[0].Slug, nil
}
