package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// liveWrite is how long one write to a watcher may take.
const liveWrite = 10 * time.Second

type liveInput struct {
	Workspace string `query:"workspace" doc:"For keys of the installation: which workspace; all when empty"`
}

// live streams what happens as server-sent events until the client goes away,
// falls behind, or the program stops.
func (a *API) live(ctx context.Context, in *liveInput) (*huma.StreamResponse, error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	reader := a.feed.watch(w)
	if reader == nil {
		return nil, cx.E(cx.Unavailable, "live", "the program is stopping; connect again in a moment")
	}
	return &huma.StreamResponse{Body: func(c huma.Context) { //nolint:contextcheck // c carries the request's context
		defer a.feed.leave(reader)
		_, out := humago.Unwrap(c)
		stream(c.Context(), out, reader, a.heartbeat)
	}}, nil
}

// scope is the workspace a key sees: its own, or the one it asks for, or
// access.Everywhere for a key of the installation that does not ask.
func (a *API) scope(ctx context.Context, asked string) (cx.Workspace, error) {
	if asked == "" && callerOf(ctx).key.Workspace == access.Everywhere {
		return access.Everywhere, nil
	}
	return a.workspace(ctx, asked)
}

// stream writes what r is told to out. A comment now and then keeps proxies
// from closing the connection and finds out that the client has gone.
func stream(ctx context.Context, out http.ResponseWriter, r *watcher, heartbeat time.Duration) {
	h := out.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	out.WriteHeader(http.StatusOK)
	s := sse{out: out, control: http.NewResponseController(out)}
	s.comment("watching")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for s.err == nil {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			s.comment("still here")
		case a, more := <-r.out:
			if !more {
				s.comment("this is the end: too slow, or the program stops; connect again")
				return
			}
			s.activity(a)
			if len(r.out) > 0 {
				continue
			}
		}
		s.flush()
	}
}

// sse writes server-sent events; the first error sticks.
type sse struct {
	out     http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *sse) activity(a Activity) {
	data, err := json.Marshal(a)
	if err != nil {
		s.err = err
		return
	}
	s.printf("event: activity\ndata: %s\n\n", data)
}

func (s *sse) comment(text string) {
	s.printf(": %s\n\n", text)
	s.flush()
}

func (s *sse) printf(format string, args ...any) {
	if s.err != nil {
		return
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil && s.err == nil {
		s.err = err
		return
	}
	_, s.err = fmt.Fprintf(s.out, format, args...)
}

func (s *sse) flush() {
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
