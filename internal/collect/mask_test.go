package collect_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/collect"
)

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"track", "userId": "u-12345", "n": -12.5e3, "ok": true, "no":null}`: `{"type":<text 5>,"userId":<text 7>,"n":<number 7>,"ok":true,"no":null}`,
		`{"email":"taro@example.com","at":"2026-11-22T08:00:00Z"}`:                   `{"email":<mail 16>,"at":<time 20>}`,
		`{"taro@example.com":1,"0901234567":2}`:                                      `{<mail 16>:<number 1>,<text 10>:<number 1>}`,
		`{"a":"say \"hi\"","b":[1,"x"]`:                                              `{"a":<text 10>,"b":[<number 1>,<text 1>]`,
		`{"a":"never ends`:                                                           `{"a":<unfinished text 10>`,
		`user=taro&x`:                                                                `<bytes 11>`,
		"\x1f\x8b\x00\xff":                                                           `<bytes 4>`,
		"":                                                                           ``,
	} {
		if got := collect.Mask([]byte(in)); got != want {
			t.Errorf("Mask(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestMaskKeepsNoValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-z]{3}[0-9]{6,9}`).Draw(t, "secret")
		before := rapid.SampledFrom([]string{`{"a":"`, `{"b":[`, ``, `"`, `{"x":1,"`, "\xff", `{"a":"\"`, `}`}).Draw(t, "before")
		after := rapid.SampledFrom([]string{`"}`, `]}`, ``, `"`, `":2}`, `@x.example"}`, `\`}).Draw(t, "after")
		got := collect.Mask([]byte(before + secret + after))
		if strings.Contains(got, secret) || strings.Contains(got, secret[3:]) {
			t.Fatalf("Mask(%q) = %q", before+secret+after, got)
		}
	})
}

func TestMaskIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "in")
		if got := collect.Mask(in); len(got) > collect.MaxExcerpt || !utf8.ValidString(got) {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
	})
}
