package collect

import (
	"net/url"
	"strings"
)

// cleanAddress returns the address of a page without secret parameters, in its
// query and its fragment, and without the name and password of a login. A clean
// one comes back as it is.
func (r *Redaction) cleanAddress(address string) string {
	rest, fragment, hasFragment := strings.Cut(address, "#")
	place, query, hasQuery := strings.Cut(rest, "?")
	route, pairs, routed := strings.Cut(fragment, "?")
	if !routed {
		route, pairs = "", fragment
	}
	cleanPlace, cleanQuery, cleanFragment := withoutLogin(place), r.cleanPairs(query), r.cleanPairs(pairs)
	if cleanPlace == place && cleanQuery == query && cleanFragment == pairs {
		return address
	}
	clean := cleanPlace
	if hasQuery {
		clean += markedWith("?", query, cleanQuery)
	}
	switch {
	case !hasFragment:
		return clean
	case routed:
		return clean + "#" + route + markedWith("?", pairs, cleanFragment)
	}
	return clean + markedWith("#", pairs, cleanFragment)
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
	if strings.IndexByte(pairs, '=') < 0 || !r.holdsSecret(pairs) {
		return pairs
	}
	kept := make([]string, 0, 8)
	for pair := range strings.SplitSeq(pairs, "&") {
		if !r.secretPair(pair) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func (r *Redaction) holdsSecret(pairs string) bool {
	for pair := range strings.SplitSeq(pairs, "&") {
		if r.secretPair(pair) {
			return true
		}
	}
	return false
}

func (r *Redaction) secretPair(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return r.secret(name)
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
