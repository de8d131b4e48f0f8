package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kikubari/kikubari/internal/channel/channeltest"
	"github.com/kikubari/kikubari/internal/channel/webhook"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// directory knows one destination, or none when it has no address.
type directory struct{ to webhook.Endpoint }

func (d directory) Endpoint(context.Context, cx.Workspace, string) (webhook.Endpoint, error) {
	if d.to.URL == "" {
		return d.to, cx.E(cx.NotFound, "", "there is no destination far any more")
	}
	return d.to, nil
}

func (d directory) Idempotent(cx.Workspace, string) bool { return d.to.Idempotent }

// loopback lets tests send to this machine.
func loopback(t *testing.T) webhook.Allowed {
	t.Helper()
	a, err := webhook.ParseAllowed("127.0.0.0/8, ::1")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// open returns a sender whose one destination is served by h.
func open(t *testing.T, h http.Handler, to webhook.Endpoint, allow webhook.Allowed) *webhook.Sender {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	to.URL = server.URL + "/in?source=kikubari"
	s := webhook.New(webhook.Options{Directory: directory{to}, Allow: allow, Agent: "Kikubari/test"})
	t.Cleanup(s.Close)
	return s
}

func TestChannel(t *testing.T) {
	channeltest.Run(t, func(t *testing.T, idempotent bool) (deliver.Sender, channeltest.Far) {
		t.Helper()
		far := &channeltest.Recorder{Book: channeltest.Book{Idempotent: idempotent}}
		return open(t, far, webhook.Endpoint{Idempotent: idempotent}, loopback(t)), far
	}, func(t *testing.T) deliver.Sender {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		return webhook.New(webhook.Options{Directory: directory{webhook.Endpoint{URL: "http://" + l.Addr().String()}}, Allow: loopback(t)})
	})
}

func TestRequestIsSigned(t *testing.T) {
	var got *http.Request
	var body []byte
	old, current := []byte("the old secret, 24 bytes"), []byte("the new secret, 24 bytes")
	s := open(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}), webhook.Endpoint{Idempotent: true, Secrets: [][]byte{current, old}}, loopback(t))
	d := channeltest.Delivery(7)
	if err := s.Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.URL.RequestURI() != "/in?source=kikubari" || string(body) != string(d.Payload) {
		t.Errorf("%s %s %s", got.Method, got.URL.RequestURI(), body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Kikubari/test", "Idempotency-Key": d.Key.String(), "Webhook-Id": d.Key.String(),
	} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s: %s, want %s", name, h, want)
		}
	}
	signatures := strings.Fields(got.Header.Get("Webhook-Signature"))
	for i, secret := range [][]byte{current, old} {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(got.Header.Get("Webhook-Id") + "." + got.Header.Get("Webhook-Timestamp") + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); len(signatures) != 2 || signatures[i] != want {
			t.Errorf("signature %d of %v, want %s", i, signatures, want)
		}
	}
}

// The example of the specification of Standard Webhooks.
func TestSignAsTheSpecificationDoes(t *testing.T) {
	secret, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := webhook.Sign([][]byte{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
	if text := webhook.FormatSecret(secret); text != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Errorf("written %s", text)
	}
	for _, wrong := range []string{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_****************************************"} {
		if _, err := webhook.ParseSecret(wrong); err == nil {
			t.Errorf("%q is taken for a secret", wrong)
		}
	}
}

func TestAnswers(t *testing.T) {
	far := func(code int, header ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		})
	}
	const date = "Sun, 22 Nov 2026 03:00:00 GMT"
	for _, c := range []struct {
		name       string
		far        http.Handler
		idempotent bool
		outcome    deliver.Outcome
		after      time.Duration
	}{
		{"204", far(204), true, deliver.Accepted, 0},
		{"304", far(304), true, deliver.Declined, 0},
		{"400", far(400), true, deliver.Declined, 0},
		{"401 may be mended", far(401), true, deliver.Deferred, 0},
		{"404 may be mended", far(404), true, deliver.Deferred, 0},
		{"409 of one that can tell: it works on it", far(409), true, deliver.Deferred, 0},
		{"409 of one that cannot", far(409), false, deliver.Declined, 0},
		{"410", far(410), true, deliver.Declined, 0},
		{"429 with seconds", far(429, "Retry-After", "17"), true, deliver.Deferred, 17 * time.Second},
		{"503 with a date", far(503, "Retry-After", "Sun, 22 Nov 2026 03:01:00 GMT", "Date", date), true, deliver.Deferred, time.Minute},
		{"503 with nonsense", far(503, "Retry-After", "-3"), true, deliver.Deferred, 0},
		{"503 with a year", far(503, "Retry-After", "31536000"), true, deliver.Deferred, time.Hour},
		{"502", far(502), true, deliver.Unclear, 0},
		{"501", far(501), true, deliver.Declined, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := open(t, c.far, webhook.Endpoint{Idempotent: c.idempotent}, loopback(t)).Send(t.Context(), channeltest.Delivery(7))
			if o, after := deliver.OutcomeOf(err); o != c.outcome || after != c.after {
				t.Errorf("outcome %d after %v, want %d after %v: %v", o, after, c.outcome, c.after, err)
			}
		})
	}
}

func TestDestinationThatIsGone(t *testing.T) {
	err := webhook.New(webhook.Options{Directory: directory{}}).Send(t.Context(), channeltest.Delivery(7))
	if o, _ := deliver.OutcomeOf(err); o != deliver.Declined {
		t.Errorf("outcome %d: %v", o, err)
	}
}

func TestInnerAddressesAreRefused(t *testing.T) {
	far := new(channeltest.Recorder)
	refused := open(t, far, webhook.Endpoint{}, webhook.Allowed{})
	err := refused.Send(t.Context(), channeltest.Delivery(7))
	if o, _ := deliver.OutcomeOf(err); o != deliver.Declined || !strings.Contains(err.Error(), "webhook.allow_networks") {
		t.Errorf("outcome %d: %v", o, err)
	}
	if n := len(far.Arrivals()); n != 0 {
		t.Errorf("%d arrivals", n)
	}
	for _, url := range []string{"http://localhost:1/", "http://[::1]:1/", "http://0.0.0.0:1/", "http://[::ffff:127.0.0.1]:1/", "http://2130706433:1/", "http://[fe80::1%25lo]:1/"} {
		s := webhook.New(webhook.Options{Directory: directory{webhook.Endpoint{URL: url}}})
		err := s.Send(t.Context(), channeltest.Delivery(7))
		if o, _ := deliver.OutcomeOf(err); err == nil || o != deliver.Declined && !strings.Contains(err.Error(), "no such host") && !strings.Contains(err.Error(), "lookup") {
			t.Errorf("%s: outcome %d: %v", url, o, err)
		}
	}
}

// A host that is named may be inside; names that lead to the same place may not.
func TestAllowedHosts(t *testing.T) {
	allow, err := webhook.ParseAllowed("localhost")
	if err != nil {
		t.Fatal(err)
	}
	far := new(channeltest.Recorder)
	server := httptest.NewServer(far)
	defer server.Close()
	for url, want := range map[string]deliver.Outcome{server.URL: deliver.Declined, strings.Replace(server.URL, "127.0.0.1", "localhost", 1): deliver.Accepted} {
		s := webhook.New(webhook.Options{Directory: directory{webhook.Endpoint{URL: url}}, Allow: allow})
		err := s.Send(t.Context(), channeltest.Delivery(7))
		s.Close()
		if o, _ := deliver.OutcomeOf(err); o != want {
			t.Errorf("%s: outcome %d: %v", url, o, err)
		}
	}
}

func TestIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "64:ff9b::808:808": true, "::ffff:8.8.8.8": true,
		"0.0.0.0": false, "10.0.0.1": false, "100.64.1.1": false, "127.0.0.1": false, "127.9.9.9": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.32.0.1": true, "192.168.1.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::7f00:1": false, "64:ff9b::7f00:1": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b:1::808:808": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false,
		"ff02::1": false, "2001::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "2606:4700::1%eth0": false,
	} {
		if got := webhook.IsPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if webhook.IsPublic(netip.Addr{}) {
		t.Error("no address is a public one")
	}
}

func TestParseAllowed(t *testing.T) {
	a, err := webhook.ParseAllowed("10.1.2.3/16, 192.168.1.9 Hooks.Internal. ::1")
	if err != nil || len(a.Networks) != 3 || a.Networks[0].String() != "10.1.0.0/16" || a.Networks[1].String() != "192.168.1.9/32" || len(a.Hosts) != 1 || a.Hosts[0] != "hooks.internal" {
		t.Errorf("%+v %v", a, err)
	}
	for _, wrong := range []string{"http://x", "10.0.0.0/99", "host:80", "*.example"} {
		if _, err := webhook.ParseAllowed(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// What the receiver answers and the address may hold personal data and keys: the
// first is shown to people and not logged, the second neither.
func TestFailuresKeepSecretsOutOfLogs(t *testing.T) {
	to := webhook.Endpoint{Idempotent: true}
	logged := func(err error) string {
		var b strings.Builder
		slog.New(slog.NewJSONHandler(&b, nil)).Warn("a send failed", slog.Any("error", err))
		return b.String()
	}
	for _, code := range []int{429, 500, 503} {
		err := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no room for taro@example.com", code)
		}), to, loopback(t)).Send(t.Context(), channeltest.Delivery(1))
		if err == nil || !strings.Contains(err.Error(), "taro@example.com") {
			t.Errorf("%d: people are told %v", code, err)
		}
		if line := logged(err); strings.Contains(line, "taro") || !strings.Contains(line, strconv.Itoa(code)) {
			t.Errorf("%d is logged as %s", code, line)
		}
	}
	for name, allow := range map[string]webhook.Allowed{"hangs up": loopback(t), "inside": {}} {
		err := open(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), to, allow).Send(t.Context(), channeltest.Delivery(1))
		if err == nil || strings.Contains(err.Error(), "source=kikubari") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
