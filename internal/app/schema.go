package app

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// schema remembers what events have looked like: every event name and the paths
// and kinds of its properties. It looks at the first calls of every name and at
// few later ones.
type schema struct {
	calls atomic.Uint64
	mu    sync.Mutex
	seen  map[cx.Workspace]map[cx.EventName]*shape
}

// shape is what one event's properties have looked like.
type shape struct {
	events int
	fields map[string]rule.Kinds
}

// The bounds of what is remembered and looked at.
const (
	sampleCalls  = 32  // one call of Append in this many is looked at
	fullyLooked  = 200 // events of one name that are opened
	maxNames     = 2000
	maxPaths     = 500
	maxPathDepth = 4
)

func newSchema() *schema { return &schema{seen: map[cx.Workspace]map[cx.EventName]*shape{}} }

// sample looks at the entries, now and then.
func (s *schema) sample(entries []cx.Entry) {
	if n := s.calls.Add(1); n > 2000 && n%sampleCalls != 0 {
		return
	}
	for i := range entries {
		var ev cx.Event
		if entries[i].Kind == cx.EntryEvent && cx.DecodeEvent(entries[i].Payload, &ev) == nil {
			s.observe(ev.Workspace, ev.Name, ev.Properties)
		}
	}
}

// observe notes the properties of one event.
func (s *schema) observe(w cx.Workspace, name cx.EventName, properties []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.seen[w]
	if names == nil {
		names = map[cx.EventName]*shape{}
		s.seen[cx.Workspace(strings.Clone(string(w)))] = names
	}
	known := names[name]
	if known == nil {
		if len(names) >= maxNames {
			return
		}
		known = &shape{fields: map[string]rule.Kinds{}}
		names[cx.EventName(strings.Clone(string(name)))] = known
	}
	if known.events++; known.events <= fullyLooked {
		known.look("", properties, 1)
	}
}

// look notes the members of a raw JSON object, crossing arrays.
func (k *shape) look(prefix string, raw []byte, depth int) {
	for _, f := range cx.ParseFields(nil, raw) {
		v := cx.ParseValue(f.Raw)
		path := prefix + f.Name
		if _, ok := k.fields[path]; !ok && len(k.fields) >= maxPaths {
			continue
		}
		k.fields[strings.Clone(path)] |= rule.KindsOf(v.Kind)
		switch {
		case depth == maxPathDepth:
		case v.Kind == cx.Map:
			k.look(path+".", f.Raw, depth+1)
		case v.Kind == cx.List:
			if i := strings.IndexByte(v.Str(), '{'); i >= 0 {
				k.look(path+".", f.Raw[i:cx.SkipValue(f.Raw, i)], depth+1)
			}
		}
	}
}

// of returns a copy of what is known of a workspace's events; nil when nothing
// is.
func (s *schema) of(w cx.Workspace) rule.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen[w]) == 0 {
		return nil
	}
	out := rule.Schema{}
	for name, k := range s.seen[w] {
		fields := make(map[string]rule.Kinds, len(k.fields))
		maps.Copy(fields, k.fields)
		out[name] = fields
	}
	return out
}
