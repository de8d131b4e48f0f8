package collect_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// connected returns the sender s at an address that is kept as 198.51.100.0.
func connected(s collect.Sender) collect.Sender {
	s.Address = netip.MustParseAddr("198.51.100.9")
	return s
}

// inBatch returns a batch of one event, each with its context unless that is "".
func inBatch(shared, own string) string {
	event := `{"type":"page","userId":"u"}`
	if own != "" {
		event = `{"type":"page","userId":"u","context":` + own + `}`
	}
	if shared == "" {
		return batchOf(event)
	}
	return `{"context":` + shared + `,"batch":[` + event + `]}`
}

// However often, wherever and in whatever spelling an address is given, none is
// kept whole.
func TestRepeatedAddresses(t *testing.T) {
	invalidAddress, invalidContext := []collect.Reason{collect.InvalidAddress}, []collect.Reason{collect.InvalidContext}
	const whole, short = `"ip":"1.2.3.4"`, `"ip":"5.6.7.0"`
	for _, tt := range []struct {
		name, shared, own string
		from              collect.Sender
		want              string
		altered           []collect.Reason
	}{
		{"the last is short", "", `{` + whole + `,` + short + `}`, server, `{` + short + `}`, nil},
		{"the first is short", "", `{` + short + `,` + whole + `}`, server, `{"ip":"1.2.3.0"}`, nil},
		{"all are short", "", `{` + short + `,` + short + `}`, server, `{` + short + `}`, nil},
		{"three", "", `{` + whole + `,"a":1,` + whole + `,` + short + `}`, server, `{` + short + `,"a":1}`, nil},
		{"IPv6", "", `{"ip":"2001:db8:1:2::1","ip":"2001:db8:1::"}`, server, `{"ip":"2001:db8:1::"}`, nil},
		{"the first is escaped", "", `{"\u0069p":"1.2.3.4",` + short + `}`, server, `{` + short + `}`, nil},
		{"the last is escaped", "", `{` + whole + `,"i\u0070":"5.6.7.0"}`, server, `{` + short + `}`, nil},
		{"an escaped address", "", `{` + whole + `,"ip":"5.6.7.\u0038"}`, server, `{"ip":"5.6.7.0"}`, nil},
		{"the last is null", "", `{` + whole + `,"ip":null}`, server, `{}`, nil},
		{"the last is none", "", `{` + whole + `,"ip":"taro"}`, server, `{}`, invalidAddress},
		{"the first is none", "", `{"ip":["1.2.3.4"],` + short + `}`, server, `{` + short + `}`, nil},
		{"a browser's", "", `{` + whole + `,` + short + `}`, connected(browser), `{` + short + `}`, nil},
		{"a browser's, the last is null", "", `{` + whole + `,"ip":null}`, connected(browser), `{"ip":"198.51.100.0"}`, nil},

		{"of the batch", `{` + whole + `,` + short + `}`, "", server, `{` + short + `}`, nil},
		{"of the batch, joined", `{` + whole + `,` + short + `}`, `{"a":1}`, server, `{` + short + `,"a":1}`, nil},
		{"of the batch, empty event", `{` + whole + `,` + short + `}`, `{}`, server, `{` + short + `}`, nil},
		{"of both", `{` + whole + `,` + whole + `}`, `{` + whole + `,` + short + `}`, server, `{` + short + `}`, nil},
		{"of both, one each", `{` + whole + `}`, `{` + short + `}`, server, `{` + short + `}`, nil},
		{"of both, escaped", `{"\u0069p":"1.2.3.4"}`, `{"\u0069\u0070":"5.6.7.0"}`, server, `{` + short + `}`, nil},
		{"of both, the event's is null", `{` + whole + `,` + short + `}`, `{"ip":null}`, server, `{}`, nil},

		{"two contexts", "", `{` + whole + `},"context":{"a":1}`, server, `{"a":1}`, nil},
		{"two contexts, escaped", "", `{` + whole + `},"conte\u0078t":{` + short + `}`, server, `{` + short + `}`, nil},
		{"two of the batch", `{` + whole + `},"context":{"a":1}`, `{"b":2}`, server, `{"a":1,"b":2}`, nil},
		{"a context within", "", `{"context":{` + whole + `},"a":1}`, server, `{"a":1}`, invalidContext},
		{"contexts within", "", `{"\u0063ontext":[{` + whole + `}],"context":1,"a":1}`, server, `{"a":1}`, invalidContext},
		{"a context within the batch's", `{"context":{"context":{` + whole + `}}}`, `{` + short + `}`, server, `{` + short + `}`, invalidContext},
		{"a text of that name", "", `{"context":"checkout"}`, server, `{"context":"checkout"}`, nil},
	} {
		e, altered := one(t, "/v1/batch", inBatch(tt.shared, tt.own), tt.from)
		if string(e.Context) != tt.want || !slices.Equal(altered, tt.altered) {
			t.Errorf("%s: %s %v, want %s %v", tt.name, e.Context, altered, tt.want, tt.altered)
		}
	}
}

// What else is changed in a context makes no difference to whether a browser's
// event gets the address of its connection.
func TestEveryBrowserEventHasAnAddress(t *testing.T) {
	from := connected(browser)
	from.Redact = collect.NewRedaction([]string{"email"})
	const url, clean = `"page":{"url":"/p?token=1"}`, `"page":{"url":"/p"}`
	for _, tt := range []struct{ name, shared, own, want string }{
		{"none", "", "", `{`},
		{"empty", "", `{}`, `{`},
		{"as sent", "", `{"a":1}`, `{"a":1,`},
		{"the batch's", `{"a":1}`, "", `{"a":1,`},
		{"joined", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2,`},
		{"joined, both empty", `{}`, `{}`, `{`},
		{"signed", "", `{"a":1,"user_signature":"00"}`, `{"a":1,`},
		{"only signed", "", `{"user_signature":"00"}`, `{`},
		{"joined and signed", `{"user_signature":"00"}`, `{"b":2}`, `{"b":2,`},
		{"page", "", `{` + url + `}`, `{` + clean + `,`},
		{"the batch's page", `{` + url + `}`, "", `{` + clean + `,`},
		{"traits", "", `{"traits":{"email":"x@y.z"}}`, `{"traits":{},`},
		{"a context within", "", `{"context":{"a":1}}`, `{`},
		{"no address", "", `{"ip":"taro","user_signature":"00"}`, `{`},
		{"null, joined", `{"ip":"1.2.3.4"}`, `{"ip":null}`, `{`},
	} {
		e, _ := one(t, "/v1/batch", inBatch(tt.shared, tt.own), from)
		if want := tt.want + `"ip":"198.51.100.0"}`; string(e.Context) != want {
			t.Errorf("%s: %s, want %s", tt.name, e.Context, want)
		}
		e, _ = one(t, "/v1/batch", inBatch(tt.shared, tt.own), connected(server))
		if strings.Contains(string(e.Context), "198.51.100") {
			t.Errorf("%s: a server's own address in %s", tt.name, e.Context)
		}
	}
	direct := inBatch(`{"direct":true}`, `{"a":1,"user_signature":"00"}`)
	if e, _ := one(t, "/v1/batch", direct, connected(server)); string(e.Context) != `{"direct":true,"a":1,"ip":"198.51.100.0"}` {
		t.Errorf("a server that speaks for itself: %s", e.Context)
	}
}

// checkAddresses fails when a context holds an address that is not short, more
// than one, or, of a browser whose address is known, none.
func checkAddresses(t *testing.T, e *cx.Event) {
	t.Helper()
	n := 0
	for _, f := range cx.ParseFields(nil, e.Context) {
		switch f.Name {
		case "ip":
			n++
			a, err := netip.ParseAddr(cx.ParseValue(f.Raw).Str())
			bits := 48
			if a.Is4() {
				bits = 24
			}
			if err != nil || netip.PrefixFrom(a, bits).Masked().Addr() != a {
				t.Fatalf("address %s in %s", f.Raw, e.Context)
			}
		case "context":
			if f.Raw[0] == '{' || f.Raw[0] == '[' {
				t.Fatalf("a context within %s", e.Context)
			}
		}
	}
	if n > 1 || n == 0 && e.KeyKind == cx.BrowserKey {
		t.Fatalf("%d addresses in %s", n, e.Context)
	}
}
