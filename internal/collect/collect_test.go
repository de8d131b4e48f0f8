package collect_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

var (
	now     = instant("2026-11-22T08:00:00Z")
	browser = collect.Sender{Workspace: "demo", Key: "k_browser", Kind: cx.BrowserKey, Secret: []byte("secret")}
	server  = collect.Sender{Workspace: "demo", Key: "k_server", Kind: cx.ServerKey, Secret: []byte("secret")}
)

func instant(s string) cx.Instant {
	t, ok := collect.ParseTime([]byte(`"` + s + `"`))
	if !ok {
		panic("not a time: " + s)
	}
	return t
}

func parse(t *testing.T, path, body string, from collect.Sender) (collect.Result, error) {
	t.Helper()
	call, ok := collect.Lookup(path)
	if !ok {
		t.Fatalf("no call at %s", path)
	}
	return collect.Parse(call, []byte(body), from, now)
}

// one parses a request that must give exactly one event.
func one(t *testing.T, path, body string, from collect.Sender) (cx.Event, []collect.Reason) {
	t.Helper()
	got, err := parse(t, path, body, from)
	if err != nil {
		t.Fatalf("%s %s: %v", path, body, err)
	}
	if len(got.Events) != 1 || len(got.Rejected) != 0 {
		t.Fatalf("%s %s: %d events, rejected %v", path, body, len(got.Events), got.Rejected)
	}
	return got.Events[0], reasons(got.Altered)
}

func reasons(notes []collect.Note) (rs []collect.Reason) {
	for _, n := range notes {
		rs = append(rs, n.Reason)
	}
	return rs
}

// padded returns a track call of exactly n bytes.
func padded(n int) string {
	const head, tail = `{"type":"track","event":"E","userId":"u","properties":{"p":"`, `"}}`
	return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
}

func zipped(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body)) // into memory
	w.Close()
	return b.String()
}

func batchOf(items ...string) string { return `{"batch":[` + strings.Join(items, ",") + `]}` }

func TestEveryPathGivesItsType(t *testing.T) {
	const body = `{"event":"E","userId":"u","groupId":"g","previousId":"p","anonymousId":"a"}`
	want := map[string]cx.Event{
		"/v1/track":    {Type: cx.Track, Name: "E"},
		"/v1/t":        {Type: cx.Track, Name: "E"},
		"/v1/identify": {Type: cx.Identify, Name: cx.Identified},
		"/v1/i":        {Type: cx.Identify, Name: cx.Identified},
		"/v1/page":     {Type: cx.Page, Name: cx.PageViewed},
		"/v1/p":        {Type: cx.Page, Name: cx.PageViewed},
		"/v1/screen":   {Type: cx.Screen, Name: cx.ScreenViewed},
		"/v1/s":        {Type: cx.Screen, Name: cx.ScreenViewed},
		"/v1/group":    {Type: cx.Group, Name: cx.Grouped},
		"/v1/g":        {Type: cx.Group, Name: cx.Grouped},
		"/v1/alias":    {Type: cx.Alias, Name: cx.Aliased, PreviousID: "p"},
		"/v1/a":        {Type: cx.Alias, Name: cx.Aliased, PreviousID: "p"},
	}
	for path, w := range want {
		e, _ := one(t, path, body, browser)
		if e.Type != w.Type || e.Name != w.Name || e.PreviousID != w.PreviousID {
			t.Errorf("%s: %v %q previous %q, want %v %q %q", path, e.Type, e.Name, e.PreviousID, w.Type, w.Name, w.PreviousID)
		}
		if e.UserID != "u" || e.AnonymousID != "a" || e.GroupID != "g" || e.Workspace != "demo" || e.Key != "k_browser" || e.KeyKind != cx.BrowserKey {
			t.Errorf("%s: %+v", path, e)
		}
		kind := w.Type.String()
		e, _ = one(t, "/v1/batch", batchOf(`{"type":"`+kind+`",`+body[1:]), server)
		if e.Type != w.Type || e.Name != w.Name {
			t.Errorf("%s in a batch: %v %q", kind, e.Type, e.Name)
		}
	}
	if _, ok := collect.Lookup("/v1/x"); ok {
		t.Error("/v1/x is a call")
	}
	if c, ok := collect.Lookup("/v1/m"); !ok || !c.Drop {
		t.Error("/v1/m is not dropped")
	}
}

func TestWholeRequestsRefused(t *testing.T) {
	items := func(n int) string {
		return batchOf(slices.Repeat([]string{`{"type":"page","userId":"u"}`}, n)...)
	}
	fill := func(n int) string { // a batch body of exactly n bytes
		b := items(3)
		return b + strings.Repeat(" ", n-len(b))
	}
	nested := func(n int) string {
		return `{"event":"E","userId":"u","properties":` + strings.Repeat(`{"a":`, n-1) + "1" + strings.Repeat("}", n)
	}
	tests := []struct {
		name, path, body string
		want             collect.Reason // "" accepted
	}{
		{"32 KB", "/v1/track", padded(32 << 10), ""},
		{"32 KB and 1", "/v1/track", padded(32<<10 + 1), collect.TooLarge},
		{"500 KB", "/v1/batch", fill(500 << 10), ""},
		{"500 KB and 1", "/v1/batch", fill(500<<10 + 1), collect.RequestTooLarge},
		{"500 KB zipped", "/v1/batch", zipped(fill(500 << 10)), ""},
		{"500 KB and 1 zipped", "/v1/batch", zipped(fill(500<<10 + 1)), collect.RequestTooLarge},
		{"a gzip bomb", "/v1/batch", zipped(strings.Repeat(" ", 20<<20)), collect.RequestTooLarge},
		{"2,500 events", "/v1/batch", items(2500), ""},
		{"2,501 events", "/v1/batch", items(2501), collect.TooManyEvents},
		{"no events", "/v1/batch", items(0), ""},
		{"a context for many", "/v1/batch", `{"context":{"x":"` + strings.Repeat("x", 30<<10) + `"},` + items(2500)[1:], collect.RequestTooLarge},
		{"64 levels", "/v1/track", nested(64), ""},
		{"65 levels", "/v1/track", nested(65), collect.TooDeep},
		{"65 levels of lists", "/v1/track", `{"event":"E","userId":"u","properties":{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + "}}", collect.TooDeep},
		{"65 brackets, flat", "/v1/track", `{"event":"E","userId":"u","properties":{"a":[` + strings.Repeat("[],", 70) + `1]}}`, ""},
		{"65 brackets in text", "/v1/track", `{"event":"E","userId":"u","properties":{"a":"` + strings.Repeat(`[{\"`, 70) + `"}}`, ""},
		{"100,000 levels", "/v1/track", strings.Repeat(`[`, 100_000), collect.InvalidJSON},
		{"nothing", "/v1/track", ``, collect.InvalidJSON},
		{"half", "/v1/track", `{"event":"E","userId":`, collect.InvalidJSON},
		{"a comma too many", "/v1/track", `{"event":"E","userId":"u",}`, collect.InvalidJSON},
		{"two values", "/v1/track", `{"event":"E","userId":"u"}{}`, collect.InvalidJSON},
		{"NaN", "/v1/track", `{"event":"E","userId":"u","properties":{"a":NaN}}`, collect.InvalidJSON},
		{"a bare batch", "/v1/batch", `[{"type":"page","userId":"u"}]`, collect.NoBatch},
		{"no batch", "/v1/batch", `{"type":"page","userId":"u"}`, collect.NoBatch},
		{"a batch of another kind", "/v1/batch", `{"batch":{"a":1}}`, collect.NoBatch},
		{"an unfinished batch", "/v1/batch", `{"batch":[{"type":"page","userId":"u"}`, collect.InvalidJSON},
		{"bad gzip", "/v1/track", "\x1f\x8bnonsense", collect.InvalidGzip},
		{"torn gzip", "/v1/track", zipped(padded(1000))[:60], collect.InvalidGzip},
		{"bad base64", "/v1/track", "data=%%%", collect.InvalidForm},
		{"a list for an event", "/v1/track", `[]`, collect.NotAnObject},
		{"Latin-1", "/v1/track", "{\"event\":\"caf\xe9\",\"userId\":\"u\"}", collect.InvalidUTF8},
		{"half a surrogate pair", "/v1/track", `{"event":"E","userId":"u","properties":{"a":"\ud800"}}`, collect.InvalidUTF8},
		{"a batch's context that is not UTF-8", "/v1/batch", "{\"context\":{\"a\":\"\xff\"}," + items(1)[1:], collect.InvalidUTF8},
		{"no id", "/v1/track", `{"event":"E"}`, collect.NoID},
		{"ids of nobody", "/v1/track", `{"event":"E","userId":"null","anonymousId":"00000000-0000-0000-0000-000000000000"}`, collect.NoID},
		{"no name", "/v1/track", `{"userId":"u"}`, collect.NoEventName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(t, tt.path, tt.body, browser)
			if got := collect.ReasonOf(err); got != tt.want {
				t.Fatalf("reason %q (%v), want %q", got, err, tt.want)
			}
			if err != nil && (cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), " ")) {
				t.Errorf("kind %v, message %q", cx.KindOf(err), err)
			}
		})
	}
}

func TestEventsRejected(t *testing.T) {
	const ok = `"type":"track","event":"E","userId":"u"`
	long := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name, item string
		want       collect.Reason
	}{
		{"sound", `{` + ok + `}`, ""},
		{"too large", padded(32<<10 + 1), collect.TooLarge},
		{"not an object", `"track"`, collect.NotAnObject},
		{"null", `null`, collect.NotAnObject},
		{"Latin-1", "{" + ok + ",\"properties\":{\"a\":\"\xe9\"}}", collect.InvalidUTF8},
		{"no type", `{"event":"E","userId":"u"}`, collect.UnknownType},
		{"unknown type", `{"type":"delete","userId":"u"}`, collect.UnknownType},
		{"type in capitals", `{"type":"Track","event":"E","userId":"u"}`, collect.UnknownType},
		{"type not text", `{"type":1,"userId":"u"}`, collect.UnknownType},
		{"no name", `{"type":"track","userId":"u"}`, collect.NoEventName},
		{"blank name", `{"type":"track","event":"  ","userId":"u"}`, collect.NoEventName},
		{"name not text", `{"type":"track","event":7,"userId":"u"}`, collect.NoEventName},
		{"name of 200", `{"type":"track","event":"` + long(200) + `","userId":"u"}`, ""},
		{"name of 201", `{"type":"track","event":"` + long(201) + `","userId":"u"}`, collect.NameTooLong},
		{"control in name", `{"type":"track","event":"a\u0000b","userId":"u"}`, collect.InvalidID},
		{"no id", `{"type":"page"}`, collect.NoID},
		{"null ids", `{"type":"page","userId":null,"anonymousId":null}`, collect.NoID},
		{"empty ids", `{"type":"page","userId":"","anonymousId":" "}`, collect.NoID},
		{"id of 200", `{"type":"page","userId":"` + long(200) + `"}`, ""},
		{"id of 201", `{"type":"page","userId":"` + long(201) + `"}`, collect.IDTooLong},
		{"anonymous id of 201", `{"type":"page","userId":"u","anonymousId":"` + long(201) + `"}`, collect.IDTooLong},
		{"id a list", `{"type":"page","userId":["u"]}`, collect.InvalidID},
		{"id true", `{"type":"page","userId":true}`, collect.InvalidID},
		{"control in id", `{"type":"page","userId":"a\nb"}`, collect.InvalidID},
		{"message id of 100", `{` + ok + `,"messageId":"` + long(100) + `"}`, ""},
		{"message id of 101", `{` + ok + `,"messageId":"` + long(101) + `"}`, collect.MessageIDTooLong},
		{"properties a list", `{` + ok + `,"properties":[]}`, collect.InvalidProperties},
		{"properties text", `{` + ok + `,"properties":"a"}`, collect.InvalidProperties},
		{"properties null", `{` + ok + `,"properties":null}`, ""},
		{"traits text", `{"type":"identify","userId":"u","traits":"a"}`, collect.InvalidTraits},
		{"traits null", `{"type":"identify","userId":"u","traits":null}`, ""},
		{"no group", `{"type":"group","userId":"u"}`, collect.NoGroupID},
		{"no previous", `{"type":"alias","userId":"u"}`, collect.NoPreviousID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const sound = `{"type":"page","userId":"other"}`
			got, err := parse(t, "/v1/batch", batchOf(sound, tt.item, sound), server)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(got.Rejected) != 0 || len(got.Events) != 3 {
					t.Fatalf("rejected %v, %d events", got.Rejected, len(got.Events))
				}
				return
			}
			if len(got.Events) != 2 || len(got.Rejected) != 1 || got.Rejected[0].Index != 1 || got.Rejected[0].Reason != tt.want {
				t.Fatalf("%d events, rejected %v, want %s at 1", len(got.Events), got.Rejected, tt.want)
			}
			if got.Rejected[0].Reason.Advice() == string(tt.want) {
				t.Errorf("%s has no advice", tt.want)
			}
		})
	}
}

func TestBodiesAsClientsSendThem(t *testing.T) {
	const plain = `{"event":"E","userId":"u","properties":{"名":"シャツ?+/="}}`
	std, raw := base64.StdEncoding.EncodeToString([]byte(plain)), base64.RawURLEncoding.EncodeToString([]byte(plain))
	for name, body := range map[string]string{
		"plain":             plain,
		"gzip":              zipped(plain),
		"byte order mark":   "\xef\xbb\xbf" + plain,
		"white space":       "\r\n\t " + plain + "\n",
		"form, escaped":     "data=" + url.QueryEscape(std),
		"form, not escaped": "data=" + std,
		"form, for URLs":    "data=" + raw + "&ip=1",
		"form in gzip":      zipped("data=" + std),
	} {
		e, _ := one(t, "/v1/t", body, browser)
		if string(e.Properties) != `{"名":"シャツ?+/="}` || e.UserID != "u" {
			t.Errorf("%s: %s of %q", name, e.Properties, e.UserID)
		}
	}
}

func TestIDs(t *testing.T) {
	e, altered := one(t, "/v1/page", `{"userId":12345678901234567890,"anonymousId":42.0,"messageId":7,"userId":-3}`, browser)
	if e.UserID != "-3" || e.AnonymousID != "42.0" || e.MessageID != "7" || altered != nil {
		t.Errorf("numbers: user %q anonymous %q message %q", e.UserID, e.AnonymousID, e.MessageID)
	}
	e, altered = one(t, "/v1/page", `{"userId":"guest","anonymousId":"a1"}`, browser)
	if e.UserID != "" || e.AnonymousID != "a1" || !slices.Equal(altered, []collect.Reason{collect.JunkID}) {
		t.Errorf("junk: user %q, %v", e.UserID, altered)
	}
	e, _ = one(t, "/v1/page", `{"userId":"\u65e5\u672c \"x\"","previousId":"old"}`, browser)
	if e.UserID != `日本 "x"` || e.PreviousID != "" {
		t.Errorf("escapes: %q, previous %q", e.UserID, e.PreviousID)
	}
}

func TestMessageIDs(t *testing.T) {
	ids := func(path, body string, from collect.Sender) (ids []string) {
		got, err := parse(t, path, body, from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got.Events {
			ids = append(ids, e.MessageID)
		}
		return ids
	}
	const a, b = `{"type":"page","userId":"u"}`, `{"type":"page","userId":"v"}`
	first := ids("/v1/batch", batchOf(a, b, a, a), server)
	if len(first) != 4 || len(slices.Compact(slices.Sorted(slices.Values(first)))) != 4 {
		t.Fatalf("equal events of one request share an id: %q", first)
	}
	for _, id := range first {
		if !strings.HasPrefix(id, "h-") || len(id) != 34 {
			t.Errorf("id %q", id)
		}
	}
	if again := ids("/v1/batch", batchOf(a, b, a, a), server); !slices.Equal(again, first) {
		t.Errorf("a repeated request has other ids:\n%q\n%q", first, again)
	}
	if late := ids("/v1/batch", `{"sentAt":"2026-11-22T08:00:09Z","batch":[`+a+`]}`, server); late[0] != first[0] {
		t.Errorf("sent again at another time: %q, want %q", late[0], first[0])
	}
	if other := ids("/v1/batch", batchOf(a), browser); other[0] == first[0] {
		t.Error("two keys share an id")
	}
	if one := ids("/v1/page", `{"userId":"u","messageId":""}`, browser); one[0] == "" {
		t.Error("an empty id stays empty")
	}
}

func TestBatchContext(t *testing.T) {
	got, err := parse(t, "/v1/batch", `{"context":{"locale":"ja","app":{"name":"x"},"active":false},"batch":[
		{"type":"page","userId":"u"},
		{"type":"page","userId":"u","context":{"locale":"en","page":{"path":"/"}}},
		{"type":"page","userId":"u","context":null},
		{"type":"page","userId":"u","context":{}}]}`, server)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"locale":"ja","app":{"name":"x"},"active":false}`,
		`{"locale":"en","app":{"name":"x"},"active":false,"page":{"path":"/"}}`,
		`{"locale":"ja","app":{"name":"x"},"active":false}`,
		`{"locale":"ja","app":{"name":"x"},"active":false}`,
	}
	for i, w := range want {
		if string(got.Events[i].Context) != w || !got.Events[i].Has(cx.Inactive) {
			t.Errorf("event %d: context %s, want %s", i, got.Events[i].Context, w)
		}
	}
	if e, _ := one(t, "/v1/page", `{"userId":"u","context":{"active":false,"active":true}}`, server); e.Has(cx.Inactive) {
		t.Error("the first of two members wins")
	}
	if got.Events[1].Locale != "en" || got.Events[0].Locale != "ja" {
		t.Errorf("locales %q %q", got.Events[0].Locale, got.Events[1].Locale)
	}
	big := strings.Repeat("x", 20<<10)
	got, _ = parse(t, "/v1/batch", `{"context":{"x":"`+big+`"},"batch":[{"type":"page","userId":"u"},{"type":"page","userId":"u","properties":{"y":"`+big+`"}}]}`, server)
	if len(got.Events) != 1 || len(got.Rejected) != 1 || got.Rejected[0].Reason != collect.TooLarge {
		t.Errorf("with the batch's context: %d events, %v", len(got.Events), got.Rejected)
	}
}

func TestContextOfAnotherKind(t *testing.T) {
	e, altered := one(t, "/v1/page", `{"userId":"u","context":[1]}`, server)
	if e.Context != nil || !slices.Equal(altered, []collect.Reason{collect.InvalidContext}) {
		t.Errorf("context %s, %v", e.Context, altered)
	}
}

func TestPageNames(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{`{"userId":"u","name":"Home","category":"Shop"}`, `{"name":"Home","category":"Shop"}`},
		{`{"userId":"u","name":"Home","properties":{"name":"Start","url":"/"}}`, `{"name":"Start","url":"/"}`},
		{`{"userId":"u","name":"Home","properties":{"url":"/"}}`, `{"url":"/","name":"Home"}`},
		{`{"userId":"u","name":"","properties":{"url":"/"}}`, `{"url":"/"}`},
		{`{"userId":"u","name":null}`, ``},
	} {
		e, altered := one(t, "/v1/page", tt.body, browser)
		if string(e.Properties) != tt.want || altered != nil {
			t.Errorf("%s: %s, want %s", tt.body, e.Properties, tt.want)
		}
	}
	e, _ := one(t, "/v1/track", `{"event":"E","userId":"u","name":"Home"}`, browser)
	if e.Properties != nil {
		t.Errorf("a track call got %s", e.Properties)
	}
}

func TestWhoVouches(t *testing.T) {
	signature := collect.Sign([]byte("secret"), "u1")
	unsigned := browser
	unsigned.Secret = nil
	for _, tt := range []struct {
		name, body string
		from       collect.Sender
		verified   bool
		altered    []collect.Reason
	}{
		{"browser", `{"userId":"u1"}`, browser, false, nil},
		{"server", `{"userId":"u1"}`, server, true, nil},
		{"signed", `{"userId":"u1","context":{"user_signature":"` + signature + `"}}`, browser, true, nil},
		{"signed in integrations", `{"userId":"u1","integrations":{"Kikubari":{"signature":"` + strings.ToUpper(signature) + `"}}}`, browser, true, nil},
		{"signed for another", `{"userId":"u2","context":{"user_signature":"` + signature + `"}}`, browser, false, []collect.Reason{collect.BadSignature}},
		{"signed badly", `{"userId":"u1","context":{"user_signature":"zz"}}`, browser, false, []collect.Reason{collect.BadSignature}},
		{"signed by nothing", `{"userId":"u1","context":{"user_signature":""}}`, browser, false, []collect.Reason{collect.BadSignature}},
		{"signed without a secret", `{"userId":"u1","context":{"user_signature":"` + collect.Sign(nil, "u1") + `"}}`, unsigned, false, []collect.Reason{collect.BadSignature}},
		{"signed nobody", `{"anonymousId":"a","context":{"user_signature":"` + collect.Sign([]byte("secret"), "") + `"}}`, browser, false, nil},
	} {
		e, altered := one(t, "/v1/identify", tt.body, tt.from)
		if e.Has(cx.Verified) != tt.verified || !slices.Equal(altered, tt.altered) {
			t.Errorf("%s: verified %v, altered %v", tt.name, e.Has(cx.Verified), altered)
		}
		if bytes.Contains(e.Context, []byte("signature")) {
			t.Errorf("%s: the signature is kept: %s", tt.name, e.Context)
		}
	}
	// printf u1 | openssl dgst -sha256 -hmac secret
	if want := "8a629605d37d74d6c872140bed892da5f3739914899fdd6171dfe43031786151"; signature != want {
		t.Errorf("signature %q, want %q", signature, want)
	}
}

func TestConsent(t *testing.T) {
	for _, tt := range []struct {
		context, want string
		altered       []collect.Reason
	}{
		{`{"consent":{"categoryPreferences":{"Advertising":true,"Analytics":false}}}`, `{"Advertising":true,"Analytics":false}`, nil},
		{`{"consent":{"categoryPreferences":{}}}`, `{}`, nil},
		{`{"consent":{"categoryPreferences":{"A":true,"B":"yes","C":1}}}`, `{"A":true}`, []collect.Reason{collect.InvalidConsent}},
		{`{"consent":{"categoryPreferences":["A"]}}`, ``, []collect.Reason{collect.InvalidConsent}},
		{`{"consent":true}`, ``, nil},
		{`{}`, ``, nil},
	} {
		e, altered := one(t, "/v1/page", `{"userId":"u","context":`+tt.context+`}`, server)
		if string(e.Consent) != tt.want || !slices.Equal(altered, tt.altered) {
			t.Errorf("%s: %s %v, want %s %v", tt.context, e.Consent, altered, tt.want, tt.altered)
		}
	}
}

func TestAddresses(t *testing.T) {
	from := func(s collect.Sender, a string) collect.Sender {
		s.Address = netip.MustParseAddr(a)
		return s
	}
	for _, tt := range []struct {
		name, context string
		from          collect.Sender
		want          string
		altered       []collect.Reason
	}{
		{"IPv4", `{"ip":"203.0.113.77"}`, server, `{"ip":"203.0.113.0"}`, nil},
		{"IPv4, shortened", `{"ip":"203.0.113.0","x":1}`, server, `{"ip":"203.0.113.0","x":1}`, nil},
		{"IPv6", `{"ip":"2001:db8:1:2:3:4:5:6"}`, server, `{"ip":"2001:db8:1::"}`, nil},
		{"IPv4 in IPv6", `{"ip":"::ffff:203.0.113.77"}`, server, `{"ip":"203.0.113.0"}`, nil},
		{"no address", `{"ip":"taro"}`, server, `{}`, []collect.Reason{collect.InvalidAddress}},
		{"no text", `{"a":1,"ip":5}`, server, `{"a":1}`, []collect.Reason{collect.InvalidAddress}},
		{"given twice", `{"ip":"1.2.3.4","ip":"5.6.7.8"}`, server, `{"ip":"5.6.7.0"}`, nil},
		{"server", `{}`, from(server, "203.0.113.77"), `{}`, nil},
		{"server, direct", `{"direct":true}`, from(server, "203.0.113.77"), `{"direct":true,"ip":"203.0.113.0"}`, nil},
		{"browser", `{"a":1}`, from(browser, "203.0.113.77"), `{"a":1,"ip":"203.0.113.0"}`, nil},
		{"browser, no context", `null`, from(browser, "203.0.113.77"), `{"ip":"203.0.113.0"}`, nil},
		{"browser, empty", `{ }`, from(browser, "2001:db8:1:2::9"), `{"ip":"2001:db8:1::"}`, nil},
		{"browser, given", `{"ip":"0.0.0.0"}`, from(browser, "203.0.113.77"), `{"ip":"0.0.0.0"}`, nil},
		{"browser, null", `{"ip":null,"a":1}`, from(browser, "203.0.113.77"), `{"a":1,"ip":"203.0.113.0"}`, nil},
	} {
		e, altered := one(t, "/v1/page", `{"anonymousId":"a","context":`+tt.context+`}`, tt.from)
		if string(e.Context) != tt.want || !slices.Equal(altered, tt.altered) {
			t.Errorf("%s: %s %v, want %s", tt.name, e.Context, altered, tt.want)
		}
	}
}

func TestRobots(t *testing.T) {
	for agent, want := range map[string]bool{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36":            false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1":      false,
		"Mozilla/5.0 (Linux; Android 10; CUBOT X19) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36":                          false,
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                 true,
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116": true,
		"SomeNewBot/1.0": true,
		"Mozilla/5.0 (compatible; YandexBot/3.0)":                          true,
		"Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)": true,
		"curl/8.5.0":                    false,
		"analytics-node-next/latest":    false,
		"facebookexternalhit/1.1":       true,
		"Mozilla/5.0 Chrome-Lighthouse": true,
		"Mediapartners-Google":          true,
		"Baiduspider-render/2.0":        true,
		"":                              false,
	} {
		if got := collect.Robot(agent); got != want {
			t.Errorf("Robot(%q) = %v", agent, got)
		}
	}
	bot := browser
	bot.UserAgent = "Googlebot/2.1"
	asServer := server
	asServer.UserAgent = "Googlebot/2.1"
	for _, tt := range []struct {
		body string
		from collect.Sender
		want bool
	}{
		{`{"userId":"u","context":{"userAgent":"Googlebot/2.1"}}`, browser, true},
		{`{"userId":"u"}`, bot, true},
		{`{"userId":"u","context":{"userAgent":"Safari"}}`, bot, false},
		{`{"userId":"u"}`, asServer, false},
	} {
		if e, _ := one(t, "/v1/page", tt.body, tt.from); e.Has(cx.Bot) != tt.want {
			t.Errorf("%s: bot %v", tt.body, e.Has(cx.Bot))
		}
	}
}

func TestOtherWriteKey(t *testing.T) {
	from := server
	from.WriteKey = "wk1"
	got, err := parse(t, "/v1/batch", batchOf(`{"type":"page","userId":"u","writeKey":"wk1"}`, `{"type":"page","userId":"u","writeKey":"wk2"}`, `{"type":"page","userId":"u"}`), from)
	if err != nil || len(got.Events) != 2 || len(got.Rejected) != 1 || got.Rejected[0].Reason != collect.OtherWriteKey {
		t.Errorf("%d events, %v, %v", len(got.Events), got.Rejected, err)
	}
}

// A Collector's memory is used again: what one request leaves must not show in
// the next.
func TestCollectorForgets(t *testing.T) {
	var c collect.Collector
	single, _ := collect.Lookup("/v1/track")
	batch, _ := collect.Lookup("/v1/batch")
	full := `{"writeKey":"wk","sentAt":"2026-11-22T07:00:00Z","context":{"locale":"ja","ip":"1.2.3.4"},"historical":true,"integrations":{"Kikubari":{"signature":"x"}},"batch":[{"type":"track","event":"A","userId":"u","timestamp":"2026-11-22T06:00:00Z"},3]}`
	plain := `{"event":"B","anonymousId":"a"}`
	want, err := collect.Parse(single, []byte(plain), browser, now)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if err := c.Open(batch, []byte(full)); err != nil {
			t.Fatal(err)
		}
		if c.WriteKey() != "wk" || c.Len() != 2 {
			t.Fatalf("key %q, %d events", c.WriteKey(), c.Len())
		}
		got, err := c.Events(server, now)
		if err != nil || len(got.Events) != 1 || len(got.Rejected) != 1 || !got.Events[0].Has(cx.Historical|cx.Verified) {
			t.Fatalf("round %d: %+v, %v", round, got, err)
		}
		if err := c.Open(single, []byte(plain)); err != nil {
			t.Fatal(err)
		}
		if c.WriteKey() != "" {
			t.Fatalf("key %q stays", c.WriteKey())
		}
		got, err = c.Events(browser, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); diff != "" {
			t.Fatalf("round %d: %s", round, diff)
		}
	}
}

// What is kept raw is not copied when there is nothing to change.
func TestNothingToChangeIsNotCopied(t *testing.T) {
	body := []byte(`{"event":"E","userId":"u","properties":{"a":1},"context":{"locale":"ja"}}`)
	call, _ := collect.Lookup("/v1/track")
	got, err := collect.Parse(call, body, server, now)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(body, []byte(`{"a":1}`))
	if &got.Events[0].Properties[0] != &body[at] {
		t.Error("properties were copied")
	}
}

// Whether an event comes alone or among others makes no difference to it.
func TestBatchingMakesNoDifference(t *testing.T) {
	member := func(name string, values ...string) *rapid.Generator[string] {
		return rapid.Map(rapid.SampledFrom(append(values, "")), func(v string) string {
			if v == "" {
				return ""
			}
			return `,"` + name + `":` + v
		})
	}
	members := []*rapid.Generator[string]{
		member("userId", `"u1"`, `"guest"`, `7`, `null`),
		member("anonymousId", `"a1"`, `"日本"`),
		member("timestamp", `"2026-11-22T07:50:00Z"`, `"2030-01-01"`, `"never"`, `1795333800000`),
		member("sentAt", `"2026-11-22T08:10:00Z"`),
		member("properties", `{"url":"https://x/?token=1"}`, `{"price":4000}`, `[]`, `null`),
		member("context", `{"ip":"1.2.3.4","locale":"ja"}`, `{"active":false}`, `5`, `{"consent":{"categoryPreferences":{"a":true}}}`),
		member("historical", `true`),
	}
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]collect.Sender{browser, server}).Draw(t, "from")
		var items []string
		for i := range rapid.IntRange(1, 5).Draw(t, "events") {
			item := `{"type":"track","event":"E","messageId":"m` + fmt.Sprint(i) + `"`
			for _, m := range members {
				item += m.Draw(t, "member")
			}
			items = append(items, item+"}")
		}
		single, _ := collect.Lookup("/v1/track")
		batch, _ := collect.Lookup("/v1/batch")
		together, err := collect.Parse(batch, []byte(batchOf(items...)), from, now)
		if err != nil {
			t.Fatal(err)
		}
		var events []cx.Event
		var why []collect.Reason
		for _, item := range items {
			alone, err := collect.Parse(single, []byte(item), from, now)
			if err != nil {
				why = append(why, collect.ReasonOf(err))
			}
			events = append(events, alone.Events...)
		}
		if diff := cmp.Diff(events, together.Events, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s: %s", items, diff)
		}
		if diff := cmp.Diff(why, reasons(together.Rejected)); diff != "" {
			t.Fatalf("%s: %s", items, diff)
		}
	})
}
