package profile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

var update = flag.Bool("update", false, "rewrite the expected results")

// fullCustomer has something in every field.
func fullCustomer() *cx.Customer {
	const at = cx.Instant(1_795_000_000_000_000)
	return &cx.Customer{
		ID: cx.NewCustomerID(cx.At(7, 1)), Workspace: "demo", CreatedAt: at, LastSeen: at + 5*cx.Second,
		Flags: cx.SpillSeen | cx.Robot, SpilledAt: seconds(at) - 100,
		Identities: []cx.Identity{{Namespace: cx.UserID, Value: "u-1", Since: at}, {Namespace: cx.AnonymousID, Value: "a-1", Since: at - 9}},
		Traits: []cx.Trait{
			{Name: "email", Raw: []byte(`"a@example.com"`), At: at, By: cx.At(7, 1), Level: cx.ServerKey},
			{Name: "gone", At: at, By: cx.At(7, 2), Level: cx.BrowserKey},
		},
		Consent:  cx.Consent{{Purpose: cx.Marketing, Channel: cx.Email, Allowed: true, At: at}, {Purpose: cx.OnSiteService, At: at}},
		Session:  cx.Visit{Start: at, End: at + 5*cx.Second, Number: 2, Events: 3},
		Previous: cx.Visit{Start: at - cx.Day, End: at - cx.Day + cx.Hour, Number: 1, Events: 30},
		Stats:    []byte{0, 1, 3, 7, 2, 1, 2},
		Seen:     []cx.Seen{cx.NewSeen(1, seconds(at)), cx.NewSeen(1<<63+5, seconds(at)+5)},
		Segments: []uint64{5, 1 << 63}, Judged: 3, Filled: 3, Unknown: []int{2, 300},
		Ledger: []cx.Attention{
			{Decision: cx.NewDecisionID(cx.At(7, 1)), Notice: cx.NewNotice("bar", "top", cx.Web), State: cx.Shown, At: at, ShownAt: at + cx.Second, Session: 2, Said: &cx.Said{Message: 1, Content: []byte(`{}`)}},
			{Decision: cx.NewDecisionID(cx.At(8, 0)), Notice: cx.NewNotice("card", "modal", cx.Web), State: cx.Dismissed, At: at, End: at + 2},
			{Decision: cx.NewDecisionID(cx.At(9, 0)), Notice: cx.NewNotice("bar", "top", cx.Web), State: cx.Reserved, At: at + cx.Minute, End: at + 90*cx.Second, Session: 3},
		},
		Tallies: []cx.Tally{{Action: "bar", Total: 9, Session: 1, InSession: 2, Day: at, InDay: 4, DismissedAt: at + 1}},
		Timers:  []cx.Timer{{Due: at + cx.Hour, Kind: cx.TimerSession}, {Due: at + cx.Day, Kind: cx.TimerRelease, Ref: 1 << 60}},
		Rate:    cx.Rate{Second: seconds(at), Count: 3, Hot: 1, Quiet: 60},
	}
}

// TestCustomerGolden holds the format still: a stored customer must be readable
// for ever. If this fails on purpose, raise customerCodec and keep the old
// reader.
func TestCustomerGolden(t *testing.T) {
	path := filepath.Join("testdata", "customer.hex")
	got := hex.EncodeToString(AppendCustomer(nil, fullCustomer()))
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.TrimSpace(string(want)) {
		t.Errorf("encoding is\n%s, want\n%s", got, want)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(want)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := DecodeCustomer(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullCustomer(), c); diff != "" {
		t.Error("decoded (-want +got):", diff)
	}
}

// customers draws customers with anything in every field.
var customers = rapid.MakeCustom[cx.Customer](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
	reflect.TypeFor[cx.Notice](): rapid.Custom(func(t *rapid.T) any {
		name := rapid.SampledFrom([]string{"", "", "bar", "card"})
		return cx.NewNotice(name.Draw(t, "action"), name.Draw(t, "place"), cx.Channel(name.Draw(t, "channel")))
	}),
}})

// TestCustomerCodec: decode(encode(c)) is c and aliases nothing; a cut or
// lengthened encoding is refused.
func TestCustomerCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := customers.Draw(t, "customer")
		want.Stats = fullCustomer().Stats
		normalize(&want)
		b := AppendCustomer(nil, &want)
		got, err := DecodeCustomer(bytes.Clone(b))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Fatal("(-want +got):", diff)
		}
		if again := AppendCustomer(nil, got); !bytes.Equal(again, b) {
			t.Fatalf("encoded again:\n%x, want\n%x", again, b)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := DecodeCustomer(b[:cut]); !errors.Is(err, cx.ErrCodec) {
			t.Fatalf("cut to %d of %d bytes: error %v", cut, len(b), err)
		}
		if _, err := DecodeCustomer(append(b, 0)); !errors.Is(err, cx.ErrCodec) {
			t.Fatalf("with a byte too many: error %v", err)
		}
	})
}

// normalize makes the empty slices nil, as decoding gives them.
func normalize(c *cx.Customer) {
	empty := func(b []byte) []byte { return append([]byte(nil), b...) }
	for i := range c.Traits {
		c.Traits[i].Raw = empty(c.Traits[i].Raw)
	}
	for i := range c.Ledger {
		if said := c.Ledger[i].Said; said != nil {
			said.Content = empty(said.Content)
		}
	}
	c.Identities = append([]cx.Identity(nil), c.Identities...)
	c.Traits = append([]cx.Trait(nil), c.Traits...)
	c.Consent = append(cx.Consent(nil), c.Consent...)
	c.Seen = append([]cx.Seen(nil), c.Seen...)
	c.Segments = append([]uint64(nil), c.Segments...)
	c.Unknown = append([]int(nil), c.Unknown...)
	c.Ledger = append([]cx.Attention(nil), c.Ledger...)
	c.Tallies = append([]cx.Tally(nil), c.Tallies...)
	c.Timers = append([]cx.Timer(nil), c.Timers...)
}

// FuzzDecodeCustomer: whatever the bytes, decoding does not panic, and what it
// accepts is encoded as the same bytes.
func FuzzDecodeCustomer(f *testing.F) {
	f.Add(AppendCustomer(nil, fullCustomer()))
	f.Add(AppendCustomer(nil, &cx.Customer{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCustomer(b)
		if err != nil {
			return
		}
		if again := AppendCustomer(nil, c); !bytes.Equal(again, b) {
			t.Errorf("accepted\n%x, which encodes as\n%x", b, again)
		}
	})
}

// TestCustomerOfEarlierVersions: what earlier versions stored is still read.
func TestCustomerOfEarlierVersions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "customer-1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	want := fullCustomer()
	want.Filled, want.Unknown = 0, nil
	got, err := DecodeCustomer(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("decoded (-want +got):", diff)
	}
}
