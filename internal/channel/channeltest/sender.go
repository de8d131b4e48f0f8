package channeltest

import (
	"context"
	"sync"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// Sender is a recording channel inside the program. What it answers is set by
// Answer; nil accepts everything.
type Sender struct {
	Book

	mu     sync.Mutex
	answer func(ctx context.Context, d *cx.Delivery) error
}

var _ deliver.Sender = (*Sender)(nil)

// Answer sets what becomes of attempts from now on. f runs before the delivery is
// noted, and it is noted unless f says that it was not taken.
func (s *Sender) Answer(f func(ctx context.Context, d *cx.Delivery) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Idempotent makes Sender a deliver.Sender.
func (s *Sender) Idempotent(*cx.Delivery) bool { return s.Book.Idempotent }

// Send makes Sender a deliver.Sender.
func (s *Sender) Send(ctx context.Context, d *cx.Delivery) error {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	var err error
	if answer != nil {
		err = answer(ctx, d)
	}
	if o, _ := deliver.OutcomeOf(err); o == deliver.Accepted || o == deliver.Unclear {
		s.Arrive(d.Key.String(), d.Payload)
	}
	return err
}
