package api

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// errNoWriteKey is the refusal of a request whose key is missing or unknown.
var errNoWriteKey = &Problem{code: http.StatusUnauthorized, What: ProblemBody{
	Kind:    cx.Denied.String(),
	Message: "the write key is missing or not known here: look it up in the workspace's settings",
}}

// findKey looks for the write key outside the body: first as the name in Basic
// authorization, then in the query. A request that brings one that is not good
// is refused before its body is read.
func (v *visit) findKey(ring *access.Ring) error {
	header := v.request.Header.Get("Authorization")
	if key := v.door.headers.find(ring, header); key != nil {
		v.take(key)
		return nil
	}
	if text := basicName(v.request, header); text != "" {
		err := v.useKey(ring, text)
		if err == nil {
			v.door.headers.keep(ring, header, v.key)
		}
		return err
	}
	text := ""
	if v.request.URL.RawQuery != "" {
		q := v.request.URL.Query()
		text = q.Get("writeKey")
		if text == "" {
			text = q.Get("k")
		}
	}
	if text == "" {
		return nil
	}
	return v.useKey(ring, text)
}

// findKeyInBody takes the write key from the body, when there was none outside.
// A bearer token is somebody else's OAuth as long as the body has a key; alone
// it is taken for the key itself.
func (v *visit) findKeyInBody(ring *access.Ring) error {
	if v.key != nil {
		return nil
	}
	if text := v.collector.WriteKey(); text != "" {
		v.inBody = text
		return v.useKey(ring, text)
	}
	token, _ := strings.CutPrefix(v.request.Header.Get("Authorization"), "Bearer ")
	return v.useKey(ring, token)
}

func (v *visit) useKey(ring *access.Ring, text string) error {
	if key := v.door.texts.find(ring, text); key != nil {
		v.take(key)
		return nil
	}
	key := ring.Key(text)
	if key == nil {
		return errNoWriteKey
	}
	v.take(key)
	if !key.MayWrite() {
		v.key = nil
		return cx.E(cx.Denied, "", "this key may not send events: use a browser or server key")
	}
	v.door.texts.keep(ring, text, key)
	return nil
}

func (v *visit) take(key *access.Key) {
	v.key, v.seen.Workspace, v.seen.Key = key, key.Workspace, key.ID
}

// basicName returns the name in Basic authorization, "" when there is none.
func basicName(r *http.Request, header string) string {
	if name, _, _ := r.BasicAuth(); name != "" {
		return name
	}
	return laxBasic(header)
}

// laxBasic reads Basic authorization without the colon that should end the
// name.
func laxBasic(header string) string {
	const scheme = "Basic "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	name, err := decodeBase64(header[len(scheme):])
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

// sender is who the events of the request come from.
func (v *visit) sender(ring *access.Ring, site Site) collect.Sender {
	from := collect.Sender{
		Workspace:   v.key.Workspace,
		Key:         v.key.ID,
		Kind:        v.key.Kind,
		WriteKey:    v.inBody,
		Redact:      site.Redact,
		Address:     v.door.remoteAddress(v.request),
		UserAgent:   v.request.UserAgent(),
		WantsAnswer: v.wants,
	}
	if w := ring.Workspace(v.key.Workspace); w != nil {
		from.Secret = w.SigningSecret
	}
	return from
}

// remoteAddress returns where the request came from: the connection's other
// end, or, when that is a trusted proxy, the last address in X-Forwarded-For
// that is not one. It is the zero Addr when not known.
func (f *FrontDoor) remoteAddress(r *http.Request) netip.Addr {
	end, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := end.Addr().Unmap()
	if !f.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && f.trusts(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}

func (f *FrontDoor) trusts(a netip.Addr) bool {
	for _, p := range f.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// proxied reports whether the request came through a trusted proxy, so that
// its X-Forwarded-* headers say what the client asked for.
func (f *FrontDoor) proxied(r *http.Request) bool {
	end, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && f.trusts(end.Addr().Unmap())
}
