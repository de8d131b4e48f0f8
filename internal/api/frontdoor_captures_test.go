package api

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

const recordings = "../../../shared/reference/captures"

type recording struct {
	Requests []struct {
		Method         string            `json:"method"`
		Path           string            `json:"path"`
		RequestHeaders map[string]string `json:"requestHeaders"`
		Body           struct {
			JSON json.RawMessage `json:"json"`
		} `json:"body"`
	} `json:"requests"`
}

// What the real, unmodified clients sent, header by header, is answered so that
// they go on, and every message lands.
func TestRecordedRequests(t *testing.T) {
	files, _ := filepath.Glob(recordings + "/*segment*.json")
	if len(files) == 0 {
		t.Skip("the recorded requests are not beside this repository: " + recordings)
	}
	seen := map[string]int{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var rec recording
			if err := json.Unmarshal(text, &rec); err != nil {
				t.Fatal(err)
			}
			d := newDoorstep(t, nil)
			for _, text := range []string{"wk_demo", "wk_npm", "wk_node"} {
				k, err := access.NewKey("shop", cx.BrowserKey, "", text, doorTime)
				if err != nil {
					t.Fatal(err)
				}
				d.ledger.keys = append(d.ledger.keys, k)
			}
			if err := d.Keys.Reload(t.Context(), d.ledger); err != nil {
				t.Fatal(err)
			}
			messages := 0
			for _, r := range rec.Requests {
				if !strings.HasPrefix(r.Path, "/v1/") {
					continue
				}
				seen[r.Method]++
				if call, ok := collect.Lookup(r.Path); ok && r.Method == "POST" && !call.Drop {
					messages += strings.Count(string(r.Body.JSON), `"messageId"`)
				}
				request := httptest.NewRequest(r.Method, r.Path, strings.NewReader(string(r.Body.JSON)))
				for name, value := range r.RequestHeaders {
					if name != "content-length" && name != "host" {
						request.Header.Set(name, value)
					}
				}
				w := httptest.NewRecorder()
				d.ServeHTTP(w, request)
				checkAnswer(t, request.Method+" "+r.Path, r.RequestHeaders, w)
			}
			if len(d.tape.events) != messages || messages == 0 {
				t.Errorf("%d events of %d messages", len(d.tape.events), messages)
			}
		})
	}
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		if seen[method] == 0 {
			t.Errorf("no %s among what was recorded: %v", method, seen)
		}
	}
}

// checkAnswer asks of an answer what the browser or the library asks.
func checkAnswer(t *testing.T, what string, asked map[string]string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != 200 && (w.Code != 204 || !strings.HasPrefix(what, "OPTIONS")) {
		t.Errorf("%s: %d %s", what, w.Code, w.Body)
	}
	allowed := w.Header().Get("Access-Control-Allow-Origin")
	if origin := asked["origin"]; origin != "" && allowed != origin && allowed != "*" {
		t.Errorf("%s: origin %q, allowed %q", what, origin, allowed)
	}
	names := strings.Split(w.Header().Get("Access-Control-Allow-Headers"), ", ")
	for name := range strings.SplitSeq(asked["access-control-request-headers"], ",") {
		if name != "" && !slices.Contains(names, name) {
			t.Errorf("%s: header %q is not among %q", what, name, names)
		}
	}
}
