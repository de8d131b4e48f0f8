package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Batching is whether and how analytics.js packs events into batches. The zero
// Batching sends each event at once.
type Batching struct {
	Size    int           // events that make a batch full; 0: no batches
	Timeout time.Duration // how long the first event of a batch waits
}

// settingsFor is how long browsers may keep the settings document.
const settingsFor = "public, max-age=60"

// settingsKey returns the write key in /v1/projects/KEY/settings.
func settingsKey(path string) (key string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/v1/projects/")
	if !ok {
		return "", false
	}
	key, ok = strings.CutSuffix(rest, "/settings")
	return key, ok && key != "" && !strings.Contains(key, "/")
}

// settings serves the document that analytics.js fetches first. Without it the
// client sends nothing, so it is served to every origin.
func (f *FrontDoor) settings(w http.ResponseWriter, r *http.Request, text string) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	ring := f.Keys.Ring()
	if ring == nil {
		f.fail(w, r, errStarting)
		return
	}
	key := ring.Key(text)
	if key == nil || key.Kind != cx.BrowserKey {
		f.fail(w, r, cx.E(cx.NotFound, "", "there is no browser key of that name here"))
		return
	}
	site, ok := f.Sites.Site(key.Workspace)
	if !ok {
		f.fail(w, r, errStarting)
		return
	}
	document, err := json.Marshal(f.settingsDocument(r, text, site))
	if err != nil {
		f.fail(w, r, err)
		return
	}
	sum := sha256.Sum256(document)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", settingsFor)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeRaw(w, http.StatusOK, document)
}

// The settings document, as far as analytics.js needs it. There is exactly one
// integration: with more it fetches code of the others.
type (
	settingsDocument struct {
		Integrations      map[string]settingsIntegration `json:"integrations"`
		Plan              settingsPlan                   `json:"plan"`
		EdgeFunction      struct{}                       `json:"edgeFunction"`
		Metrics           settingsMetrics                `json:"metrics"`
		EnabledMiddleware struct{}                       `json:"enabledMiddleware"`
		RemotePlugins     []struct{}                     `json:"remotePlugins"`
	}
	settingsIntegration struct {
		APIKey                string            `json:"apiKey"`
		APIHost               string            `json:"apiHost"` // without a scheme
		Protocol              string            `json:"protocol"`
		RetryQueue            bool              `json:"retryQueue"`
		AddBundledMetadata    bool              `json:"addBundledMetadata"`
		UnbundledIntegrations []string          `json:"unbundledIntegrations"`
		BundledConfigIDs      []string          `json:"bundledConfigIds"`
		UnbundledConfigIDs    []string          `json:"unbundledConfigIds"`
		MaybeBundledConfigIDs struct{}          `json:"maybeBundledConfigIds"`
		DeliveryStrategy      *settingsBatching `json:"deliveryStrategy,omitempty"`
	}
	settingsBatching struct {
		Strategy string                 `json:"strategy"`
		Config   settingsBatchingConfig `json:"config"`
	}
	settingsBatchingConfig struct {
		Size    int   `json:"size"`
		Timeout int64 `json:"timeout"` // milliseconds
	}
	settingsPlan struct {
		Track    settingsDefault `json:"track"`
		Identify settingsDefault `json:"identify"`
		Group    settingsDefault `json:"group"`
	}
	settingsDefault struct {
		Default settingsAllowed `json:"__default"`
	}
	settingsAllowed struct {
		Enabled      bool     `json:"enabled"`
		Integrations struct{} `json:"integrations"`
	}
	settingsMetrics struct {
		SampleRate int `json:"sampleRate"` // 0: the client does not report about itself
	}
)

func (f *FrontDoor) settingsDocument(r *http.Request, key string, site Site) settingsDocument {
	protocol, host := f.asked(r)
	segment := settingsIntegration{
		APIKey: key, APIHost: host + "/v1", Protocol: protocol,
		RetryQueue: true, AddBundledMetadata: true,
		UnbundledIntegrations: []string{}, BundledConfigIDs: []string{}, UnbundledConfigIDs: []string{},
	}
	if b := site.Batching; b.Size > 0 {
		segment.DeliveryStrategy = &settingsBatching{
			Strategy: "batching",
			Config:   settingsBatchingConfig{Size: b.Size, Timeout: b.Timeout.Milliseconds()},
		}
	}
	open := settingsDefault{Default: settingsAllowed{Enabled: true}}
	return settingsDocument{
		Integrations:  map[string]settingsIntegration{"Segment.io": segment},
		Plan:          settingsPlan{Track: open, Identify: open, Group: open},
		RemotePlugins: []struct{}{},
	}
}

// asked returns the protocol and host that the client sees us under.
func (f *FrontDoor) asked(r *http.Request) (protocol, host string) {
	protocol, host = "http", r.Host
	if r.TLS != nil {
		protocol = "https"
	}
	if !f.proxied(r) {
		return protocol, host
	}
	if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
		protocol = p
	}
	if h := r.Header.Get("X-Forwarded-Host"); h != "" {
		host, _, _ = strings.Cut(h, ",")
		host = strings.TrimSpace(host)
	}
	return protocol, host
}
