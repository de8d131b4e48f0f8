package api

import "net/http"

// Pages of any origin send events: a write key in a page is public, and no
// cookie of ours says who somebody is. The origin is echoed because pages may
// ask with credentials, which a "*" would forbid.

// allowOrigin lets the page that asked read the answer.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Vary"] = varyOrigin
	origin := r.Header["Origin"]
	if len(origin) == 0 || origin[0] == "" {
		return
	}
	h["Access-Control-Allow-Origin"] = origin[:1:1]
	h["Access-Control-Allow-Credentials"] = allowCredentials
	h["Access-Control-Expose-Headers"] = exposeHeaders
}

// The same for every page. Whoever adds to them gets a copy.
var (
	varyOrigin       = []string{"Origin"}
	allowCredentials = []string{"true"}
	exposeHeaders    = []string{"Retry-After, X-RateLimit-Reset"}
)

// preflight answers a browser that asks whether it may ask.
func preflight(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w, r)
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, x-retry-count, idempotency-key")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}
