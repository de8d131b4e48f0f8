package rule

import (
	"errors"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// FuzzCompile checks that no text makes the compiler or a program panic or hang,
// that every error has a place, and that closures agree with cel-go.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`cart >= 3000 && event.name == "Product Added"`, `since("A") > minutes(3)`, `event.properties.l.exists(p, p.a > 3)`,
		`"a" in top("A", "b", 3, "7d")`, `traits["a"][0].b ? 1 : 2`, `a`, `{}`, `[`, `"\u`, `-9223372036854775808`, `!!!!x`, strings.Repeat("(", 40),
		`x.exists(x, x.exists(x, x))`, `has(traits.a.b) && size(traits) > 3`, `count("*", "session") % 2 == 0.5e-3`,
	} {
		f.Add(text)
	}
	scopes := []*Scope{{}, shopScope(4)}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(text, counting())
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Message == "" || e.Error() == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		c, err := analyse(text, counting())
		if err != nil {
			t.Fatal(err)
		}
		oracle := c.viaCel(c.checked.Expr()).run()
		for _, s := range scopes {
			v := p.Value(s)
			if want := oracle(s); !same(v, want) {
				t.Fatalf("%q: closures say %v, cel-go says %v", text, v, want)
			}
			if p.Eval(s) != truthOf(v) {
				t.Fatalf("%q: Eval says %v of %v", text, p.Eval(s), v)
			}
			if e := p.Explain(s); e.Value != short(v.String()) || e.String() == "" {
				t.Fatalf("%q: Explain says %s of %v", text, e.Value, v)
			}
			if at := p.Wake(s, func(int) (cx.Instant, bool) { return 0, false }); at != 0 && at <= s.Now {
				t.Fatalf("%q: wakes at %v", text, at)
			}
		}
	})
}
