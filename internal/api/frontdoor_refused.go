package api

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// Refusals takes samples of input that was refused or altered. It must not
// block. It is safe for concurrent use.
type Refusals interface {
	// Take may keep r, with a masked excerpt of input, which it must not keep.
	Take(r access.Refused, input []byte)
}

// refused notes that the whole request was refused with err, when that is for
// its input, and returns err.
func (v *visit) refused(err error) error {
	reason := collect.ReasonOf(err)
	if reason == "" || v.key == nil || v.door.Refusals == nil {
		return err
	}
	input := v.collector.Raw(0)
	if input == nil {
		input = v.body
	}
	v.door.Refusals.Take(access.Refused{
		At: cx.InstantOf(v.door.Now()), Workspace: v.key.Workspace, Key: v.key.ID,
		Reason: string(reason), Index: -1, Type: v.call.Type.String(),
	}, input)
	return err
}

// notesPerRequest is how many notes of one request are offered as samples.
const notesPerRequest = 10

// sample offers what was rejected and altered.
func (v *visit) sample(got collect.Result) {
	if v.door.Refusals == nil {
		return
	}
	v.offer(got.Rejected, false)
	v.offer(got.Altered, true)
}

func (v *visit) offer(notes []collect.Note, altered bool) {
	for _, n := range notes[:min(len(notes), notesPerRequest)] {
		v.door.Refusals.Take(access.Refused{
			At: v.at, Workspace: v.key.Workspace, Key: v.key.ID, Altered: altered,
			Reason: string(n.Reason), Index: n.Index, Type: n.Type, Name: shortText(n.Name),
		}, v.collector.Raw(n.Index))
	}
}

const maxSampleName = 80 // bytes

// shortText copies s, which aliases the request, cut to what a sample keeps and
// without what is not UTF-8.
func shortText(s string) string {
	if len(s) <= maxSampleName {
		return strings.Clone(strings.ToValidUTF8(s, ""))
	}
	return strings.ToValidUTF8(s[:maxSampleName], "") + "…"
}

// RefusalStore keeps samples: access.Store.
type RefusalStore interface {
	Refuse(ctx context.Context, rs []access.Refused) error
}

// RefusalLog is the Refusals that end up in a store. It keeps up to
// refusedPerSecond refused and alteredPerSecond altered samples of each key a
// second and writes them behind the requests' backs; what is more, or comes
// while the store is stuck, is only not sampled. Run must be running.
type RefusalLog struct {
	store RefusalStore
	log   *slog.Logger
	queue chan access.Refused

	mu     sync.Mutex
	second int64
	taken  map[sampleKey]int
}

type sampleKey struct {
	key     cx.KeyID
	altered bool
}

const (
	refusedPerSecond = 10
	alteredPerSecond = 2
	refusedQueue     = 1024
	refusedBatch     = 256
	refusedEvery     = time.Second
)

// NewRefusalLog returns a RefusalLog that writes to store.
func NewRefusalLog(store RefusalStore, log *slog.Logger) *RefusalLog {
	return &RefusalLog{store: store, log: log, queue: make(chan access.Refused, refusedQueue), taken: make(map[sampleKey]int)}
}

// Take keeps r when its key has not had its share of this second.
func (l *RefusalLog) Take(r access.Refused, input []byte) {
	if !l.admits(r) {
		return
	}
	r.Excerpt = collect.Mask(input)
	select {
	case l.queue <- r:
	default:
	}
}

func (l *RefusalLog) admits(r access.Refused) bool {
	share := refusedPerSecond
	if r.Altered {
		share = alteredPerSecond
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := int64(r.At / cx.Second); second != l.second {
		l.second = second
		clear(l.taken)
	}
	k := sampleKey{r.Key, r.Altered}
	if l.taken[k] >= share {
		return false
	}
	l.taken[k]++
	return true
}

// Run writes samples until ctx ends, then those that are waiting.
func (l *RefusalLog) Run(ctx context.Context) error {
	tick := time.NewTicker(refusedEvery)
	defer tick.Stop()
	var batch []access.Refused
	for {
		select {
		case r := <-l.queue:
			if batch = append(batch, r); len(batch) >= refusedBatch {
				batch = l.write(ctx, batch)
			}
		case <-tick.C:
			batch = l.write(ctx, batch)
		case <-ctx.Done():
			for len(l.queue) > 0 {
				batch = append(batch, <-l.queue)
			}
			l.write(context.WithoutCancel(ctx), batch)
			return nil
		}
	}
}

func (l *RefusalLog) write(ctx context.Context, batch []access.Refused) []access.Refused {
	if len(batch) == 0 {
		return batch
	}
	if err := l.store.Refuse(ctx, batch); err != nil {
		l.log.LogAttrs(ctx, slog.LevelWarn, "samples of refused input were not kept", slog.Int("samples", len(batch)), slog.Any("error", err))
	}
	return batch[:0]
}
