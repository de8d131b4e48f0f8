package api

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kikubari/kikubari/internal/cx"
)

// operate adds the routes that machines ask: no key, no personal data.
func (a *API) operate(metrics prometheus.Gatherer) {
	a.mux.HandleFunc("GET /healthz", a.healthz)
	a.mux.HandleFunc("GET /readyz", a.readyz)
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	a.mux.HandleFunc("/", a.noRoute)
}

// healthz says that the program runs, whatever else is wrong: a supervisor that
// restarts it on anything less makes an outage longer.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"alive": true})
}

// readyz says whether events are taken now, and how far each stage is behind.
func (a *API) readyz(w http.ResponseWriter, _ *http.Request) {
	c := a.health.Health()
	code := http.StatusOK
	if !c.Ready {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, code, c)
}

// noRoute answers what no route answers: 405 where another method would do,
// else 404.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := a.mux.Handler(other); pattern != "/" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		a.fail(r.Context(), w, cx.E(cx.NotFound, "", "there is nothing here; "+prefix+"/openapi.json lists what there is"))
		return
	}
	w.Header()["Allow"] = allowed
	a.fail(r.Context(), w, &Problem{code: http.StatusMethodNotAllowed, What: ProblemBody{
		Kind: cx.Invalid.String(), Message: "this address does not take " + r.Method,
	}})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: there is nobody to tell
}
