package collect_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

const captures = "../../../shared/reference/captures"

type capture struct {
	Requests []struct {
		T      int64  `json:"t"` // milliseconds since 1970
		Method string `json:"method"`
		Path   string `json:"path"`
		Body   struct {
			JSON json.RawMessage `json:"json"`
		} `json:"body"`
	} `json:"requests"`
}

// sent is what a client put on the wire, read without our code.
type sent struct {
	Type        string    `json:"type"`
	Event       string    `json:"event"`
	UserID      string    `json:"userId"`
	AnonymousID string    `json:"anonymousId"`
	MessageID   string    `json:"messageId"`
	Timestamp   time.Time `json:"timestamp"`
	SentAt      time.Time `json:"sentAt"`
	Batch       []sent    `json:"batch"`
}

// Every request of the real, unmodified clients is taken whole.
func TestRecordedClients(t *testing.T) {
	files, _ := filepath.Glob(captures + "/*segment*.json")
	if len(files) == 0 {
		t.Skip("the recorded requests are not beside this repository: " + captures)
	}
	kinds := map[cx.EventType]int{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c capture
			if err := json.Unmarshal(text, &c); err != nil {
				t.Fatal(err)
			}
			for _, r := range c.Requests {
				if r.Method == "POST" && strings.HasPrefix(r.Path, "/v1/") && len(r.Body.JSON) > 0 {
					checkRecorded(t, r.Path, r.Body.JSON, cx.Instant(r.T)*cx.Millisecond, kinds)
				}
			}
		})
	}
	for _, want := range []cx.EventType{cx.Track, cx.Identify, cx.Page} {
		if kinds[want] == 0 {
			t.Errorf("no %v among what was recorded: %v", want, kinds)
		}
	}
}

func checkRecorded(t *testing.T, path string, body []byte, at cx.Instant, kinds map[cx.EventType]int) {
	t.Helper()
	call, ok := collect.Lookup(path)
	if !ok {
		t.Fatalf("no call at %s", path)
	}
	if call.Drop {
		return
	}
	got, err := collect.Parse(call, body, browser, at)
	if err != nil || len(got.Rejected)+len(got.Altered) > 0 {
		t.Fatalf("%s: %v, rejected %v, altered %v", path, err, got.Rejected, got.Altered)
	}
	var whole sent
	if err := json.Unmarshal(body, &whole); err != nil {
		t.Fatal(err)
	}
	want := []sent{whole}
	if call.Batch() {
		want = whole.Batch
	}
	if len(got.Events) != len(want) {
		t.Fatalf("%s: %d events, want %d", path, len(got.Events), len(want))
	}
	for i, w := range want {
		e := &got.Events[i]
		kinds[e.Type]++
		name := string(cx.NameOf(e.Type, w.Event))
		if e.Type.String() != w.Type || string(e.Name) != name || e.UserID != w.UserID || e.AnonymousID != w.AnonymousID || e.MessageID != w.MessageID {
			t.Errorf("%s: %+v, want %+v", path, e, w)
		}
		sentAt := w.SentAt
		if sentAt.IsZero() {
			sentAt = whole.SentAt
		}
		if age := sentAt.Sub(w.Timestamp); e.Original != cx.InstantOf(w.Timestamp) || at.Sub(e.Time) != age {
			t.Errorf("%s: time %v original %v, sent %v after it happened at %v", path, e.Time, e.Original, age, w.Timestamp)
		}
	}
}
