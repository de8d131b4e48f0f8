package pipeline

import (
	"fmt"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// sequenceErased takes what stays of an event whose person was erased: customers
// come about, meet and merge as they did when it was whole.
func (s *Shard) sequenceErased(at cx.Position, payload []byte) error {
	var x cx.Erased
	if err := cx.DecodeErased(payload, &x); err != nil {
		return fmt.Errorf("erased event at %v: %w", at, err)
	}
	if s.opts.reduced.foreign(x.Workspace) {
		return nil
	}
	x.Workspace = s.intern(x.Workspace)
	s.sinceTick++
	if x.Job != "" && !s.takeLine(x.Workspace, x.Job, x.Line, at) {
		return nil
	}
	found := s.resolver.ResolveErased(&x, at, s.now)
	if found.Customer == 0 {
		return nil
	}
	s.connect(at, x.Workspace, &found)
	o := order{kind: orderRemains, at: at, customer: found.Customer, links: found.Links, fresh: found.New, about: x.Workspace}
	if x.Taught.Action != "" {
		o.taught = &cx.Lesson{Action: strings.Clone(x.Taught.Action), Exposed: x.Taught.Exposed, Responded: x.Taught.Responded}
	}
	s.order(o)
	return nil
}

// remains lets the customer be there, under the names that are left, until the
// command that erases it comes, and teaches what the event taught. Nothing is
// folded, decided or put out.
func (w *worker) remains(l *lane, o *order) {
	r := w.begin(l, o)
	if t := o.taught; t != nil && w.shard.opts.reduced == nil {
		if t.Exposed {
			l.learned.Expose(r.customer.Workspace, t.Action)
		}
		if t.Responded {
			l.learned.Respond(r.customer.Workspace, t.Action)
		}
	}
}
