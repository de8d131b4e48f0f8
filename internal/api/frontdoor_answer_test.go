package api

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

func treat(decision, action, place, rest string) cx.Treatment {
	return cx.Treatment{
		Action: action, Place: place, Channel: cx.Web,
		Content: []byte(`{"decision":"` + decision + `","action":"` + action + `","place":"` + place + `"` + rest + `}`),
	}
}

func saidBy(treatments ...cx.Treatment) []cx.Treatment { return treatments }

// answering gives the i-th answer to the i-th event of a request.
func answering(answers ...pipeline.Answer) func([]*cx.Event, *pipeline.Waiter) {
	return func(_ []*cx.Event, w *pipeline.Waiter) {
		for i, a := range answers {
			a.Position = cx.At(1, i+1)
			w.Answer(i, a)
		}
	}
}

func TestAnswerToABrowser(t *testing.T) {
	bar := func(rest string) cx.Treatment { return treat("d_1", "bar", "top", rest) }
	for _, tt := range []struct {
		name    string
		answers []pipeline.Answer
		want    string
	}{
		{"nothing to say", []pipeline.Answer{{}}, `"actions":[],"withdraw":[]`},
		{"one action", []pipeline.Answer{{Treatments: saidBy(bar(""))}}, `"actions":[{"decision":"d_1","action":"bar","place":"top"}],"withdraw":[]`},
		{"nothing that can be repeated", []pipeline.Answer{{Treatments: saidBy(cx.Treatment{Action: "bar", Place: "top"})}}, `"actions":[],"withdraw":[]`},
		{
			"two places",
			[]pipeline.Answer{{Treatments: saidBy(bar(""))}, {Treatments: saidBy(treat("d_2", "card", "centre", ""))}},
			`"actions":[{"decision":"d_1","action":"bar","place":"top"},{"decision":"d_2","action":"card","place":"centre"}],"withdraw":[]`,
		},
		{
			"the last wins its place",
			[]pipeline.Answer{{Treatments: saidBy(bar(""))}, {Treatments: saidBy(treat("d_2", "card", "top", ""))}},
			`"actions":[{"decision":"d_2","action":"card","place":"top"}],"withdraw":[]`,
		},
		{"silence does not take back", []pipeline.Answer{{Treatments: saidBy(bar(""))}, {}}, `"actions":[{"decision":"d_1","action":"bar","place":"top"}],"withdraw":[]`},
		{"withdrawn before it was seen", []pipeline.Answer{{Treatments: saidBy(bar(""))}, {Withdraw: []string{"d_1/bar"}}}, `"actions":[],"withdraw":[]`},
		{"withdrawn from the screen", []pipeline.Answer{{Withdraw: []string{"d_0/bar"}}, {Withdraw: []string{"d_0/bar"}}}, `"actions":[],"withdraw":["d_0/bar"]`},
		{
			"an update of what is on screen",
			[]pipeline.Answer{{Treatments: saidBy(bar(`,"update":true`))}, {Treatments: saidBy(bar(`,"update":true,"n":2`))}},
			`"actions":[{"decision":"d_1","action":"bar","place":"top","update":true,"n":2}],"withdraw":[]`,
		},
		{
			"an update of what is not yet on screen",
			[]pipeline.Answer{{Treatments: saidBy(bar(`,"update":false`))}, {Treatments: saidBy(bar(`,"update":true,"t":"\"é"`))}},
			`"actions":[{"decision":"d_1","action":"bar","place":"top","update":false,"t":"\"é"}],"withdraw":[]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoorstep(t, nil)
			d.tape.answers = answering(tt.answers...)
			calls := strings.TrimSuffix(strings.Repeat(pageCall+",", len(tt.answers)), ",")
			w := d.post("/v1/b?actions=1", `{"batch":[`+calls+`]}`, "Authorization", basic("demo"))
			if want := `{"success":true,` + tt.want + `}`; w.Code != 200 || w.Body.String() != want {
				t.Errorf("%d\n got %s\nwant %s", w.Code, w.Body, want)
			}
			if !d.tape.events[0].Has(cx.WantsAnswer) {
				t.Error("the event does not say that an answer is awaited")
			}
		})
	}
}

func TestAnswerToAServer(t *testing.T) {
	d := newDoorstep(t, nil)
	d.tape.answers = answering(
		pipeline.Answer{Treatments: saidBy(treat("d_1", "bar", "top", ""))},
		pipeline.Answer{Withdraw: []string{"d_0/bar"}},
		pipeline.Answer{Treatments: saidBy(cx.Treatment{Action: "bar", Place: "top"})},
	)
	w := d.post("/v1/batch?actions=1", `{"batch":[
		{"type":"page","userId":"u","messageId":"m\"1"}, {"type":"page"}, {"type":"page","userId":"v","messageId":"m2"}, {"type":"page","userId":"v","messageId":"m2"}]}`,
		"Authorization", basic(d.server))
	const want = `{"success":true,"rejected":[{"index":1,"reason":"no_user_anon_id"}],"actions":{` +
		`"m\"1":{"actions":[{"decision":"d_1","action":"bar","place":"top"}],"withdraw":[]},` +
		`"m2":{"actions":[],"withdraw":[]}}}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d\n got %s\nwant %s", w.Code, w.Body, want)
	}
}

func TestNobodyWaitsUnasked(t *testing.T) {
	d := newDoorstep(t, nil)
	asked := false
	d.tape.answers = func([]*cx.Event, *pipeline.Waiter) { asked = true }
	for _, path := range []string{"/v1/p", "/v1/p?actions=0", "/v1/p?x=1"} {
		w := d.post(path, pageCall, "Authorization", basic("demo"))
		if w.Body.String() != `{"success":true}` || asked || d.tape.events[0].Has(cx.WantsAnswer) {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	if w := d.post("/v1/b?actions=1", `{"batch":[]}`, "Authorization", basic("demo")); w.Body.String() != `{"success":true,"actions":[],"withdraw":[]}` {
		t.Errorf("nothing sent: %s", w.Body)
	}
}

func TestLateDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoorstep(t, nil)
		d.tape.answers = func(_ []*cx.Event, w *pipeline.Waiter) {
			w.Answer(0, pipeline.Answer{Position: 1, Treatments: saidBy(treat("d_1", "bar", "top", ""))})
		}
		start := time.Now()
		w := d.post("/v1/b?actions=1", `{"batch":[`+pageCall+`,`+pageCall+`]}`, "Authorization", basic("demo"))
		const want = `{"success":true,"actions":[{"decision":"d_1","action":"bar","place":"top"}],"withdraw":[],"late":true}`
		if w.Body.String() != want || time.Since(start) != 150*time.Millisecond {
			t.Errorf("after %v: %s", time.Since(start), w.Body)
		}
		w = d.post("/v1/batch?actions=1", `{"batch":[`+pageCall+`,{"type":"page","userId":"u","messageId":"m2"}]}`, "Authorization", basic(d.server))
		const byMessage = `{"success":true,"actions":{"m1":{"actions":[{"decision":"d_1","action":"bar","place":"top"}],"withdraw":[]}},"late":true}`
		if w.Body.String() != byMessage {
			t.Errorf("server: %s", w.Body)
		}
	})
}

// A body that drips in must not hold the door open, and a client that is slow
// for a moment must not be told to give up for ever.
func TestSlowBody(t *testing.T) {
	d := newDoorstep(t, func(o *FrontDoorOptions) { o.ReadTimeout = 50 * time.Millisecond })
	server := httptest.NewServer(d)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("POST /v1/p HTTP/1.1\r\nHost: x\r\nAuthorization: " + basic("demo") + "\r\nContent-Length: 100\r\n\r\n{"))
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 1000)
	n, err := conn.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 503 ") || !strings.Contains(string(answer[:n]), "Retry-After: 1") {
		t.Errorf("%v %s", err, answer[:n])
	}
}

func TestRealConnection(t *testing.T) {
	d := newDoorstep(t, nil)
	server := httptest.NewServer(d)
	defer server.Close()
	for range 3 { // on one connection
		resp, err := server.Client().Post(server.URL+"/v1/p?k=demo", "text/plain", strings.NewReader(pageCall))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	if n := len(d.tape.events); n != 3 {
		t.Errorf("%d events", n)
	}
	if diff := cmp.Diff(`{"ip":"127.0.0.0"}`, string(d.tape.events[0].Context)); diff != "" {
		t.Error(diff)
	}
}
