package collect

import (
	"net/url"
	"strings"
)

// cleanAddress returns the address of a page without secret parameters, in its
// query and its fragment, and without the name and password of a login.
func (r *Redaction) cleanAddress(address string) string {
	rest, fragment, hasFragment := strings.Cut(address, "#")
	place, query, hasQuery := strings.Cut(rest, "?")
	place = withoutLogin(place)
	if hasQuery {
		place += markedWith("?", query, r.cleanPairs(query))
	}
	if !hasFragment {
		return place
	}
	if route, query, ok := strings.Cut(fragment, "?"); ok {
		return place + "#" + route + markedWith("?", query, r.cleanPairs(query))
	}
	return place + markedWith("#", fragment, r.cleanPairs(fragment))
}

// markedWith puts mark before clean, unless cleaning has left nothing.
func markedWith(mark, was, clean string) string {
	if clean == "" && was != "" {
		return ""
	}
	return mark + clean
}

// cleanPairs returns name=value&name=value without the secret ones.
func (r *Redaction) cleanPairs(pairs string) string {
	if strings.IndexByte(pairs, '=') < 0 {
		return pairs
	}
	kept := make([]string, 0, 8)
	for pair := range strings.SplitSeq(pairs, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if !r.secret(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// withoutLogin removes name:password@ from the place of an address.
func withoutLogin(place string) string {
	scheme, rest, ok := strings.Cut(place, "://")
	if !ok {
		return place
	}
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		return scheme + "://" + host[i+1:] + path
	}
	return place
}
