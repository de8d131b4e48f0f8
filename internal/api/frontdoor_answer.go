package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// appendHead begins the answer to accepted input: {"success":true and what was
// rejected. It is left open.
func appendHead(dst []byte, rejected []collect.Note) []byte {
	dst = append(dst, `{"success":true`...)
	for i, note := range rejected {
		if i == 0 {
			dst = append(dst, `,"rejected":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"index":`...)
		dst = strconv.AppendInt(dst, int64(note.Index), 10)
		dst = append(dst, `,"reason":"`...)
		dst = append(dst, note.Reason...)
		dst = append(dst, `"}`...)
	}
	if len(rejected) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// appendByMessage writes "actions" as a map from message id to what is to be
// said to whom that message is about. Events that were not answered are
// missing; of several with one id the last counts.
func appendByMessage(dst []byte, events []cx.Event, answers []pipeline.Answer) []byte {
	dst = append(dst, `,"actions":{`...)
	last := make(map[string]int, len(events))
	for i := range events {
		last[events[i].MessageID] = i
	}
	first := true
	for i := range events {
		if last[events[i].MessageID] != i || answers[i].Position == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendText(dst, events[i].MessageID)
		dst = append(dst, ":{"...)
		contents := make([][]byte, 0, len(answers[i].Treatments))
		for _, t := range answers[i].Treatments {
			if len(t.Content) > 0 {
				contents = append(contents, t.Content)
			}
		}
		dst = appendSayings(dst, contents, answers[i].Withdraw)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendMerged writes one answer for all events of a request from one browser:
// what would be on its screen had each event been answered by itself.
func appendMerged(dst []byte, answers []pipeline.Answer) []byte {
	var s screen
	for i := range answers {
		s.apply(&answers[i])
	}
	contents := make([][]byte, 0, len(s.shown))
	for _, t := range s.shown {
		contents = append(contents, t.content)
	}
	dst = append(dst, ',')
	return appendSayings(dst, contents, s.withdrawn)
}

func appendSayings(dst []byte, contents [][]byte, withdraw []string) []byte {
	dst = append(dst, `"actions":[`...)
	for i, content := range contents {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, content...)
	}
	dst = append(dst, `],"withdraw":[`...)
	for i, id := range withdraw {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, id)
	}
	return append(dst, ']')
}

// appendText writes s as a JSON string.
func appendText(dst []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always can be
	return append(dst, text...)
}

// screen is what the answers of one request, one after another, leave to be
// shown and to be taken off.
type screen struct {
	shown     []saying
	withdrawn []string
}

type saying struct {
	id      string // decision/action
	place   string
	content []byte
}

func (s *screen) apply(a *pipeline.Answer) {
	for _, id := range a.Withdraw {
		if i := slices.IndexFunc(s.shown, func(t saying) bool { return t.id == id }); i >= 0 {
			s.shown = slices.Delete(s.shown, i, i+1)
		} else if !slices.Contains(s.withdrawn, id) {
			s.withdrawn = append(s.withdrawn, id)
		}
	}
	for _, t := range a.Treatments {
		if len(t.Content) == 0 {
			continue
		}
		decision := cx.ParseValue(cx.Member(t.Content, "decision")).Str()
		s.show(saying{id: decision + "/" + t.Action, place: t.Place, content: t.Content})
	}
}

// show puts t in its place. A new text for what this very answer shows first
// is no update: the browser has not seen it yet.
func (s *screen) show(t saying) {
	i := slices.IndexFunc(s.shown, func(was saying) bool { return was.place == t.place })
	if i < 0 {
		s.shown = append(s.shown, t)
		return
	}
	was := s.shown[i]
	if was.id == t.id && isUpdate(t.content) && !isUpdate(was.content) {
		t.content = withoutUpdate(t.content)
	}
	s.shown[i] = t
}

func isUpdate(content []byte) bool { return cx.ParseValue(cx.Member(content, "update")).IsTrue() }

func withoutUpdate(content []byte) []byte {
	out := []byte{'{'}
	for _, f := range cx.ParseFields(nil, content) {
		if f.Name == "update" {
			f.Raw = []byte("false")
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendText(out, f.Name)
		out = append(out, ':')
		out = append(out, f.Raw...)
	}
	return append(out, '}')
}

// failure is how the front door says no.
type failure struct {
	Success bool        `json:"success"`
	Error   failureBody `json:"error"`
}

type failureBody struct {
	Kind    string         `json:"kind"`
	Reason  collect.Reason `json:"reason,omitempty"`
	Message string         `json:"message"`
}

// fail answers with what err means to the client and returns the status.
func (f *FrontDoor) fail(w http.ResponseWriter, r *http.Request, err error) int {
	p := problem(context.WithoutCancel(r.Context()), f.Log, err)
	code := p.GetStatus()
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		wait := int64((waitOf(err) + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
		if code == http.StatusTooManyRequests {
			w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(wait, 10))
		}
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="kikubari"`)
	}
	body, _ := json.Marshal(failure{Error: failureBody{Kind: p.What.Kind, Reason: collect.ReasonOf(err), Message: p.What.Message}})
	writeRaw(w, code, body)
	return code
}

func (f *FrontDoor) refuseMethod(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w, r)
	body, _ := json.Marshal(failure{Error: failureBody{Kind: cx.Invalid.String(), Message: "use another method: see Allow"}})
	writeRaw(w, http.StatusMethodNotAllowed, body)
}

// What most answers have in common, shared by all of them.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// unmeasured is how many bytes of an answer net/http counts by itself.
const unmeasured = 2048

// accept answers 200 with body. That the client has gone is not our error.
func accept(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = jsonType, noStore
	if len(body) >= unmeasured {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	_, _ = w.Write(body)
}

// writeRaw answers with body, which is JSON already. That the client has gone
// is not our error.
func writeRaw(w http.ResponseWriter, code int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

func decodeBase64(s string) (string, error) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return string(b), err
}
