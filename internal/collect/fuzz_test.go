package collect_test

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// FuzzSegment holds what is accepted to what later stages rely on, whatever the
// bytes were.
func FuzzSegment(f *testing.F) {
	for _, body := range []string{
		browserEvent(1),
		batchOf(browserEvent(1), `{"type":"page","userId":"u"}`, `3`),
		`{"context":{"ip":"1.2.3.4","locale":"ja"},"sentAt":1795334400000,"historical":true,"batch":[` + browserEvent(2) + `]}`,
		`{"event":"E","userId":"u","properties":{"url":"https://a:b@c/?token=1#sid=2","card":{"number":[{"n":1}]},"email":"x"}}`,
		"{\"batch\":[{\"type\":\"page\",\"userId\":\"\xff\"},{\"type\":\"page\",\"userId\":\"u\"}]}",
		`{"event":"\ud83d\ude00","userId":"\u0000","context":{"consent":{"categoryPreferences":{"a":true,"b":1}},"user_signature":"00"}}`,
		"data=eyJldmVudCI6IkUiLCJ1c2VySWQiOiJ1In0%3D",
		zipped(browserEvent(3)),
		`{"context":{"ip":"1.2.3.4","\u0069p":"5.6.7.0"},"batch":[{"type":"page","userId":"u"},{"type":"page","userId":"u","context":{"a":1}}]}`,
		`{"event":"E","userId":"u","context":{"ip":"1.2.3.4","context":{"ip":"::1"},"ip":"5.6.7.0"},"context":{"i\u0070":"1.2.3.4","ip":"5.6.7.0","user_signature":"00"}}`,
		`{"event":"E","userId":"u","properties":{"email":1,"\u0065mail":2,"url":"?token[]=1&token[]=2"},"context":{"traits":{"n":1},"traits":{"N":2}}}`,
	} {
		for path := range 2 {
			f.Add(body, path == 0, true)
		}
	}
	single, _ := collect.Lookup("/v1/track")
	batch, _ := collect.Lookup("/v1/batch")
	redaction := collect.NewRedaction([]string{"email", "card.number", "n"})
	var used collect.Collector
	f.Fuzz(func(t *testing.T, body string, asBatch, asBrowser bool) {
		call, from := single, server
		if asBatch {
			call = batch
		}
		if asBrowser {
			from = browser
			from.Address = netip.MustParseAddr("203.0.113.77")
		}
		from.Redact = redaction
		want, err := collect.Parse(call, []byte(body), from, now)
		if err != nil {
			if collect.ReasonOf(err) == "" || cx.KindOf(err) != cx.Invalid {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		for i := range want.Events {
			checkEvent(t, &want.Events[i])
		}
		for _, n := range append(want.Rejected, want.Altered...) {
			if n.Reason.Advice() == string(n.Reason) {
				t.Fatalf("%q has no advice", n.Reason)
			}
		}
		if err := used.Open(call, []byte(body)); err != nil {
			t.Fatalf("a used collector refuses: %v", err)
		}
		if n := used.Len(); n != len(want.Events)+len(want.Rejected) {
			t.Fatalf("of %d events %d were accepted and %d rejected", n, len(want.Events), len(want.Rejected))
		}
		got, err := used.Events(from, now)
		if err != nil || len(got.Events) != len(want.Events) {
			t.Fatalf("a used collector gives %d events, %v", len(got.Events), err)
		}
		for i := range got.Events {
			if !bytes.Equal(cx.AppendEvent(nil, &got.Events[i]), cx.AppendEvent(nil, &want.Events[i])) {
				t.Fatalf("a used collector differs:\n%+v\n%+v", got.Events[i], want.Events[i])
			}
		}
	})
}

// checkEvent fails unless e is as every later stage expects.
func checkEvent(t *testing.T, e *cx.Event) {
	t.Helper()
	for _, s := range []string{string(e.Name), e.MessageID, e.AnonymousID, e.UserID, e.GroupID, e.PreviousID, e.Locale} {
		if !utf8.ValidString(s) || len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("text %q in %+v", s, e)
		}
	}
	if e.Name == "" || e.Type == 0 || e.MessageID == "" || len(e.MessageID) > collect.MaxMessage {
		t.Fatalf("incomplete: %+v", e)
	}
	if e.UserID == "" && e.AnonymousID == "" || cx.Junk(e.UserID) && e.UserID != "" {
		t.Fatalf("nobody: %+v", e)
	}
	if e.Time > e.ReceivedAt || !e.Has(cx.Historical) && e.Time < e.ReceivedAt-7*cx.Day {
		t.Fatalf("time %v received %v", e.Time, e.ReceivedAt)
	}
	for _, raw := range [][]byte{e.Properties, e.Context, e.Consent} {
		if raw != nil && (raw[0] != '{' || !jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))) {
			t.Fatalf("not an object: %s", raw)
		}
	}
	checkRedaction(t, e.Properties)
	for _, f := range cx.ParseFields(nil, e.Context) {
		if f.Name == "traits" {
			checkRedaction(t, f.Raw)
		}
	}
	checkAddresses(t, e)
	var back cx.Event
	if err := cx.DecodeEvent(cx.AppendEvent(nil, e), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*e, back) {
		t.Fatalf("the codec changes\n%+v\nto\n%+v", *e, back)
	}
}

// checkRedaction fails when properties or traits hold what FuzzSegment's sender
// does not keep.
func checkRedaction(t *testing.T, raw []byte) {
	t.Helper()
	for _, f := range cx.ParseFields(nil, raw) {
		if strings.EqualFold(f.Name, "email") || strings.EqualFold(f.Name, "n") {
			t.Fatalf("%s is kept: %s", f.Name, raw)
		}
	}
}

// FuzzTime compares with the standard library wherever both read the text.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-11-22T07:59:39.285Z", "2026-11-22T07:59:39+09:00", "2026-02-30T00:00:00Z", "1795334379285", "20261122", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			return
		}
		got, ok := collect.ParseTime(raw)
		if ok && (got == 0 || got.Time().Year() > 9999) {
			t.Fatalf("ParseTime(%s) = %v", raw, got)
		}
		want, err := time.Parse(time.RFC3339, s)
		if err != nil || want.Year() < 1 || want.UnixMicro() == 0 {
			return
		}
		if !ok || int64(got) != want.UnixMicro() {
			t.Fatalf("ParseTime(%s) = %v, %v; the library reads %v", raw, got, ok, want)
		}
	})
}

// FuzzFields holds the scanner that trusts validated JSON to the decoder that
// validates it.
func FuzzFields(f *testing.F) {
	f.Add([]byte(browserEvent(1)))
	f.Add([]byte(`{"a\"b\\":"\\\"","\u00e9":[{"x":"]}"}],"":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
		if !jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true)) || d.PeekKind() != '{' {
			return
		}
		_, _ = d.ReadToken()
		for i, got := range cx.ParseFields(nil, raw) {
			name, _ := d.ReadToken()
			text := name.String()
			value, err := d.ReadValue()
			if err != nil || got.Name != text || !bytes.Equal(got.Raw, value) {
				t.Fatalf("field %d of %s: %q %s, want %q %s (%v)", i, raw, got.Name, got.Raw, text, value, err)
			}
		}
		if d.PeekKind() != '}' {
			t.Fatalf("fields of %s are missing", raw)
		}
	})
}
