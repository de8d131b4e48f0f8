package collect

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kikubari/kikubari/internal/cx"
)

// Redaction is what a workspace does not keep of an event's properties, traits
// and page addresses. It never changes and is safe for concurrent use; a nil
// Redaction removes secretParameters only.
type Redaction struct {
	paths  [][]string // of properties and traits, one name a level
	params []string   // of page addresses

	initials [utf8.RuneSelf]bool // what those may begin with, if that is ASCII
}

// secretsOnly removes what a nil Redaction removes.
var secretsOnly = NewRedaction(nil)

// secretParameters are always removed from the addresses of pages: they open
// doors. "code" is not among them: far more often it is a coupon than the
// answer of an OAuth server, which is good once and for minutes.
var secretParameters = []string{
	"token", "access_token", "refresh_token", "id_token", "auth_token", "csrf_token", "reset_token",
	"password", "passwd", "pwd", "secret", "client_secret", "otp",
	"session", "session_id", "sessionid", "sid", "jsessionid", "phpsessid",
	"auth", "authorization", "api_key", "apikey", "signature", "x-amz-signature", "x-amz-security-token",
}

// NewRedaction makes a Redaction of names such as "email", "card.number" and
// "token". Upper and lower case are the same. Each names a property or trait,
// from the outside in, elements of lists included, and, when it has no dot, a
// parameter in the address of a page.
func NewRedaction(names []string) *Redaction {
	r := &Redaction{params: secretParameters}
	for _, name := range names {
		if name == "" {
			continue
		}
		path := cx.PathParts(name)
		r.paths = append(r.paths, path)
		if len(path) == 1 {
			r.params = append(slices.Clip(r.params), name)
		}
	}
	for _, name := range r.params {
		_, n := utf8.DecodeRuneInString(name)
		for i := range r.initials {
			r.initials[i] = r.initials[i] || strings.EqualFold(name[:n], string(rune(i)))
		}
	}
	return r
}

func (r *Redaction) hasPaths() bool { return r != nil && len(r.paths) > 0 }

// names reports whether a whole property is removed.
func (r *Redaction) names(property string) bool {
	return r.hasPaths() && slices.ContainsFunc(r.paths, func(p []string) bool {
		return len(p) == 1 && strings.EqualFold(p[0], property)
	})
}

// secret reports whether a parameter of an address is removed. Of user[token]
// it is the innermost name that counts.
func (r *Redaction) secret(param string) bool {
	param = innermost(param)
	if r == nil {
		r = secretsOnly
	}
	if param == "" || param[0] < utf8.RuneSelf && !r.initials[param[0]] {
		return false
	}
	return slices.ContainsFunc(r.params, func(p string) bool { return strings.EqualFold(p, param) })
}

// innermost returns the innermost name of a parameter: "token" of user[token],
// and of token[] and token[0], as repeated parameters are written.
func innermost(param string) string {
	for {
		param = strings.TrimSuffix(param, "]")
		i := strings.LastIndexByte(param, '[')
		name := param[i+1:]
		if i < 0 || strings.Trim(name, "0123456789") != "" {
			return name
		}
		param = param[:i]
	}
}

// mayHoldPairs reports whether there can be a parameter or a password of an
// address anywhere in raw.
func mayHoldPairs(raw []byte) bool {
	return bytes.IndexByte(raw, '\\') >= 0 || holdsPairs(raw)
}

// holdsPairs does the same for raw without escapes.
func holdsPairs(raw []byte) bool {
	return bytes.IndexByte(raw, '=') >= 0 || bytes.IndexByte(raw, '@') >= 0
}

// redactMembers removes from the members of properties or traits what may not
// be kept. It reuses fields.
func (c *Collector) redactMembers(fields cx.Fields) (kept cx.Fields, removed bool) {
	kept = fields[:0]
	for _, f := range fields {
		if c.from.Redact.names(f.Name) {
			removed = true
			continue
		}
		if c.from.Redact.hasPaths() {
			if raw, hit := c.prune(f.Raw, inner(c.from.Redact.paths, f.Name)); hit {
				f.Raw, removed = raw, true
			}
		}
		if raw, hit := c.scrubAddress(f); hit {
			f.Raw, removed = raw, true
		}
		kept = append(kept, f)
	}
	return kept, removed
}

// redactContext does the same for what the context tells about pages, when urls
// says that there may be something to remove, and for its traits.
func (c *Collector) redactContext(i int, urls bool) (removed bool) {
	for k := range c.context {
		f := &c.context[k]
		switch f.Name {
		case "page", "referrer":
			if !urls {
				continue
			}
		case "traits":
		default:
			continue
		}
		c.fields = cx.ParseFields(c.fields[:0], f.Raw)
		fields, hit := c.redactMembers(c.fields)
		if hit {
			f.Raw, removed = c.object(fields), true
		}
	}
	if removed {
		c.altered(i, RedactedMembers)
	}
	return removed
}

// inner returns what is left of the paths that begin with name.
func inner(paths [][]string, name string) (rest [][]string) {
	for _, p := range paths {
		if len(p) > 1 && strings.EqualFold(p[0], name) {
			rest = append(rest, p[1:])
		}
	}
	return rest
}

// prune removes from raw the members that paths name, elements of lists
// included. hit is false when there are none; then raw comes back as it is.
func (c *Collector) prune(raw []byte, paths [][]string) (pruned []byte, hit bool) {
	if len(paths) == 0 || len(raw) == 0 {
		return raw, false
	}
	switch raw[0] {
	case '{':
		return c.pruneObject(raw, paths)
	case '[':
		return c.pruneList(raw, paths)
	}
	return raw, false
}

func (c *Collector) pruneObject(raw []byte, paths [][]string) ([]byte, bool) {
	hit := false
	var kept cx.Fields
	for _, f := range cx.ParseFields(nil, raw) {
		if slices.ContainsFunc(paths, func(p []string) bool { return len(p) == 1 && strings.EqualFold(p[0], f.Name) }) {
			hit = true
			continue
		}
		if pruned, inside := c.prune(f.Raw, inner(paths, f.Name)); inside {
			f.Raw, hit = pruned, true
		}
		kept = append(kept, f)
	}
	if !hit {
		return raw, false
	}
	return c.object(kept), true
}

func (c *Collector) pruneList(raw []byte, paths [][]string) ([]byte, bool) {
	hit := false
	var kept [][]byte
	for element := range elements(raw) {
		pruned, inside := c.prune(element, paths)
		hit = hit || inside
		kept = append(kept, pruned)
	}
	if !hit {
		return raw, false
	}
	start := len(c.edits)
	c.edits = append(c.edits, '[')
	c.edits = append(c.edits, bytes.Join(kept, []byte{','})...)
	c.edits = append(c.edits, ']')
	return c.edits[start:len(c.edits):len(c.edits)], true
}

// elements yields the raw elements of a valid JSON array.
func elements(raw []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := 1; i < len(raw); i++ {
			switch raw[i] {
			case ' ', '\t', '\r', '\n', ',', ']':
				continue
			}
			end := cx.SkipValue(raw, i)
			if end == i || !yield(raw[i:end:end]) {
				return
			}
			i = end - 1
		}
	}
}

// scrubAddress removes secrets from f when it holds the address of a page or
// the parameters of one.
func (c *Collector) scrubAddress(f cx.Field) (raw []byte, hit bool) {
	var clean string
	text := cx.ParseValue(f.Raw)
	if text.Kind != cx.Text {
		return nil, false
	}
	switch f.Name {
	case "url", "referrer", "href", "link", "path":
		clean = c.from.Redact.cleanAddress(text.Str())
	case "search":
		query, marked := strings.CutPrefix(text.Str(), "?")
		if clean = c.from.Redact.cleanPairs(query); clean == query {
			return nil, false
		}
		if marked && clean != "" {
			clean = "?" + clean
		}
	default:
		return nil, false
	}
	if clean == text.Str() {
		return nil, false
	}
	start := len(c.edits)
	c.edits, _ = jsontext.AppendQuote(c.edits, clean)
	return c.edits[start:len(c.edits):len(c.edits)], true
}
