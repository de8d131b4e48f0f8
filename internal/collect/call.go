package collect

import "github.com/kikubari/kikubari/internal/cx"

// Dialect is how one family of clients writes events. A further dialect is a
// further implementation in this package and its paths in the table of calls.
type Dialect interface {
	// open finds the events in a body, already unpacked, and what it says about
	// all of them, into c. It validates every byte as JSON.
	open(c *Collector, body []byte) error
}

// Call is what the path of a request asks for.
type Call struct {
	Dialect Dialect
	Type    cx.EventType // of the one event; 0 when each event says its own
	Drop    bool         // a client's report about itself: take it and forget it
}

// Batch reports whether the body holds any number of events.
func (c Call) Batch() bool { return c.Type == 0 }

var calls = map[string]Call{
	"/v1/identify": {Dialect: segment{}, Type: cx.Identify},
	"/v1/track":    {Dialect: segment{}, Type: cx.Track},
	"/v1/page":     {Dialect: segment{}, Type: cx.Page},
	"/v1/screen":   {Dialect: segment{}, Type: cx.Screen},
	"/v1/group":    {Dialect: segment{}, Type: cx.Group},
	"/v1/alias":    {Dialect: segment{}, Type: cx.Alias},
	"/v1/batch":    {Dialect: segment{}},
	"/v1/import":   {Dialect: segment{}},

	"/v1/i": {Dialect: segment{}, Type: cx.Identify},
	"/v1/t": {Dialect: segment{}, Type: cx.Track},
	"/v1/p": {Dialect: segment{}, Type: cx.Page},
	"/v1/s": {Dialect: segment{}, Type: cx.Screen},
	"/v1/g": {Dialect: segment{}, Type: cx.Group},
	"/v1/a": {Dialect: segment{}, Type: cx.Alias},
	"/v1/b": {Dialect: segment{}},
	"/v1/m": {Dialect: segment{}, Drop: true},
}

// Lookup returns the call that the path of a POST request asks for; ok is
// false when no dialect knows the path.
func Lookup(path string) (c Call, ok bool) {
	c, ok = calls[path]
	return c, ok
}
