package collect_test

import (
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/collect"
)

func TestRedactedMembers(t *testing.T) {
	from := server
	from.Redact = collect.NewRedaction([]string{"Email", "card.number", "lines.note", "ref", "a.b.c", ""})
	for _, tt := range []struct{ in, want string }{
		{`{"email":"x@y.z","a":1}`, `{"a":1}`},
		{`{"EMAIL":"x@y.z"}`, `{}`},
		{`{"email":1,"email":2}`, `{}`},
		{`{"card":{"number":"4111","brand":"v"}}`, `{"card":{"brand":"v"}}`},
		{`{"Card":{"NUMBER":"4111"}}`, `{"Card":{}}`},
		{`{"card":"4111"}`, `{"card":"4111"}`},
		{`{"card":[{"number":1},{"x":2},3]}`, `{"card":[{},{"x":2},3]}`},
		{`{"lines":[[{"note":"n","k":"]"}], "s" ]}`, `{"lines":[[{"k":"]"}],"s"]}`},
		{`{"a":{"b":{"c":1,"d":{"c":2}}}}`, `{"a":{"b":{"d":{"c":2}}}}`},
		{`{"other":{"email":"kept: the path is email, not other.email"}}`, `{"other":{"email":"kept: the path is email, not other.email"}}`},
		{`{"e\u006dail":"x"}`, `{}`},
		{`{"email":1,"a":1,"\u0065mail":2,"EMAIL":3}`, `{"a":1}`},
		{`{"card":{"number":1,"b":2,"numbe\u0072":3},"c\u0061rd":{"number":4}}`, `{"card":{"b":2},"card":{}}`},
		{`{"url":"/?token=1","url":"/p","u\u0072l":"/?token\u003d2"}`, `{"url":"/","url":"/p","url":"/"}`},
		{`{"url":"https://a.example/?ref=1&x=2"}`, `{"url":"https://a.example/?x=2"}`},
		{`{"q\"q":"é","email":""}`, `{"q\"q":"é"}`},
	} {
		changed := tt.in != tt.want
		e, altered := one(t, "/v1/track", `{"event":"E","userId":"u","properties":`+tt.in+`}`, from)
		if string(e.Properties) != tt.want || changed != slices.Contains(altered, collect.RedactedMembers) {
			t.Errorf("properties %s: %s %v, want %s", tt.in, e.Properties, altered, tt.want)
		}
		e, _ = one(t, "/v1/identify", `{"userId":"u","traits":`+tt.in+`,"context":{"traits":`+tt.in+`,"locale":"ja"}}`, from)
		if string(e.Properties) != tt.want || string(e.Context) != `{"traits":`+tt.want+`,"locale":"ja"}` {
			t.Errorf("traits %s: %s, context %s, want %s", tt.in, e.Properties, e.Context, tt.want)
		}
	}
	from.Redact = collect.NewRedaction([]string{"name"})
	if e, _ := one(t, "/v1/page", `{"userId":"u","name":"Taro","properties":{"a":1}}`, from); string(e.Properties) != `{"a":1}` {
		t.Errorf("the name of a page comes back: %s", e.Properties)
	}
}

func TestSecretsInPageAddresses(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`https://a.example/p?x=1`, `https://a.example/p?x=1`},
		{`https://a.example/p?token=1`, `https://a.example/p`},
		{`https://a.example/p?a=1&Token=2&b=3`, `https://a.example/p?a=1&b=3`},
		{`https://a.example/p?access_token=1&a#top`, `https://a.example/p?a#top`},
		{`https://a.example/p?to%6ben=1&b=%3D`, `https://a.example/p?b=%3D`},
		{`https://a.example/p?user[password]=1&b=2`, `https://a.example/p?b=2`},
		{`https://a.example/p#access_token=1&state=2`, `https://a.example/p#state=2`},
		{`https://a.example/p#id_token=1`, `https://a.example/p`},
		{`https://a.example/#/reset?token=1`, `https://a.example/#/reset`},
		{`https://a.example/#/list?page=1&sid=2`, `https://a.example/#/list?page=1`},
		{`https://taro:geheim@a.example/p`, `https://a.example/p`},
		{`https://a.example/@taro?x=a@b`, `https://a.example/@taro?x=a@b`},
		{`/relative?session=1`, `/relative`},
		{`https://a.example/?token=1&x=2&token=3`, `https://a.example/?x=2`},
		{`https://a.example/?token=1&token=2#token=3&token=4`, `https://a.example/`},
		{`https://a.example/?token[]=1&x=2&token[]=3`, `https://a.example/?x=2`},
		{`https://a.example/?token%5B%5D=1&x=2&token%5B0%5D=3`, `https://a.example/?x=2`},
		{`https://a.example/?user[token][]=1&user[token][12]=2&x[0]=3`, `https://a.example/?x[0]=3`},
		{`https://a.example/?[]=1&[0]=2&0=3`, `https://a.example/?[]=1&[0]=2&0=3`},
		{`https://a.example/?coupon=token`, `https://a.example/?coupon=token`},
		{`https://a.example/?code=SUMMER`, `https://a.example/?code=SUMMER`},
		{`https://a.example/?%zz=1&secret=2`, `https://a.example/?%zz=1`},
	} {
		body := `{"userId":"u","properties":{"url":"` + tt.in + `","referrer":"` + tt.in + `"},"context":{"page":{"title":"a=b","url":"` + tt.in + `","referrer":"` + tt.in + `"}}}`
		e, altered := one(t, "/v1/page", body, browser)
		if want := `{"url":"` + tt.want + `","referrer":"` + tt.want + `"}`; string(e.Properties) != want {
			t.Errorf("%s: %s", tt.in, e.Properties)
		}
		if want := `{"page":{"title":"a=b","url":"` + tt.want + `","referrer":"` + tt.want + `"}}`; string(e.Context) != want {
			t.Errorf("%s: %s", tt.in, e.Context)
		}
		if (tt.in != tt.want) != (len(altered) > 0) {
			t.Errorf("%s: altered %v", tt.in, altered)
		}
	}
	for in, want := range map[string]string{
		`?a=1&token=2`: `?a=1`, `?token=2`: ``, `token=2&a=1`: `a=1`, `?a=1`: `?a=1`, `?`: `?`, ``: ``, `?\u0074oken=1&\u0062=2`: `?b=2`,
	} {
		e, _ := one(t, "/v1/page", `{"userId":"u","properties":{"search":"`+in+`"}}`, browser)
		if string(e.Properties) != `{"search":"`+want+`"}` {
			t.Errorf("search %q: %s, want %q", in, e.Properties, want)
		}
	}
}

// A page that is told twice is cleaned twice, the batch's like the event's.
func TestSecretsInRepeatedPages(t *testing.T) {
	const pages, clean = `{"page":{"url":"/?token=1"},"p\u0061ge":{"\u0075rl":"/?token=2","url":"/"}}`, `{"page":{"url":"/"},"page":{"url":"/","url":"/"}}`
	for _, body := range []string{inBatch("", pages), inBatch(pages, ""), inBatch(pages, "{}")} {
		if e, _ := one(t, "/v1/batch", body, server); string(e.Context) != clean {
			t.Errorf("%s: %s", body, e.Context)
		}
	}
}
