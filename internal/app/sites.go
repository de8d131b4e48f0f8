package app

import (
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
)

// sites is what each workspace's set in force wants of the front door.
type sites struct {
	mu   sync.RWMutex
	site map[cx.Workspace]api.Site
}

// How clients that are told to batch do it.
const (
	batchSize    = 10
	batchTimeout = 2 * time.Second
)

func (s *sites) put(w cx.Workspace, set *definition.Set) {
	site := api.Site{Redact: collect.NewRedaction(set.Settings.Redact)}
	if set.Settings.Batching {
		site.Batching = api.Batching{Size: batchSize, Timeout: batchTimeout}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.site == nil {
		s.site = map[cx.Workspace]api.Site{}
	}
	s.site[w] = site
}

func (s *sites) of(w cx.Workspace) api.Site {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.site[w]
}

// Site makes App an api.Sites: until the journal has been replayed, what it
// would answer may be an old set.
func (a *App) Site(w cx.Workspace) (api.Site, bool) {
	if !a.caught.Load() {
		return api.Site{}, false
	}
	return a.sites.of(w), true
}
