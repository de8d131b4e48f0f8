package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// FuzzFrontDoor sends anything to any path: the answer is JSON, says yes or a
// permanent no, and what is accepted is on the tape.
func FuzzFrontDoor(f *testing.F) {
	f.Add("/v1/p", pageCall, basic("demo"))
	f.Add("/v1/b?actions=1", `{"batch":[`+pageCall+`,0],"writeKey":"demo"}`, "Bearer x")
	f.Add("/v1/batch?k=demo&actions=1", "\x1f\x8b", "Basic ")
	f.Add("/v1/t?writeKey=other", "data=e30", "")
	d := newDoorstep(f, nil)
	d.tape.answers = func(events []*cx.Event, w *pipeline.Waiter) {
		for i, e := range events {
			w.Answer(i, pipeline.Answer{Position: 1, Treatments: saidBy(treat("d_1", "bar", "top", "")), Withdraw: []string{e.MessageID}})
		}
	}
	f.Fuzz(func(t *testing.T, path, body, authorization string) {
		path, query, _ := strings.Cut(path, "?")
		if !strings.HasPrefix(path, "/v1/") || strings.ContainsFunc(path+query, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' }) {
			return
		}
		d.tape.events = nil
		w := d.post(path+"?"+query, body, "Authorization", authorization)
		var answer struct {
			Success  bool
			Rejected []struct{ Index int }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%d %q: %v", w.Code, w.Body, err)
		}
		switch w.Code {
		case 200:
			if !answer.Success {
				t.Fatalf("200 without success: %s", w.Body)
			}
		case 400, 401, 404, 405:
			if answer.Success || len(d.tape.events) != 0 {
				t.Fatalf("%d with %d events: %s", w.Code, len(d.tape.events), w.Body)
			}
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
