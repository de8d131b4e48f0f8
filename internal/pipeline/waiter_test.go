package pipeline_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

func TestWaiterGathersFromMany(t *testing.T) {
	const n = 100
	w := pipeline.NewWaiter(n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { w.Answer(i, pipeline.Answer{Position: cx.At(7, i)}) })
	}
	answers, complete := w.Wait(t.Context())
	if !complete || len(answers) != n {
		t.Fatalf("%d answers, complete %v", len(answers), complete)
	}
	for i := range answers {
		if answers[i].Position != cx.At(7, i) {
			t.Errorf("answer %d is that of %v", i, answers[i].Position)
		}
	}
	all.Wait()
}

func TestWaiterGivesWhatCameInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pipeline.NewWaiter(2)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		go func() {
			<-time.After(100 * time.Millisecond)
			w.Answer(1, pipeline.Answer{Position: 1})
			w.Answer(1, pipeline.Answer{Position: 2})
			w.Answer(-1, pipeline.Answer{Position: 3})
			w.Answer(2, pipeline.Answer{Position: 3})
			<-time.After(100 * time.Millisecond)
			w.Answer(0, pipeline.Answer{Position: 4})
		}()
		start := time.Now()
		answers, complete := w.Wait(ctx)
		if complete || answers[0].Position != 0 || answers[1].Position != 1 || time.Since(start) != 150*time.Millisecond {
			t.Errorf("%+v complete %v after %v", answers, complete, time.Since(start))
		}
		<-time.After(time.Second)
		if answers[0].Position != 0 {
			t.Error("a late answer changed what was handed out")
		}
	})
}

func TestWaiterForNothing(t *testing.T) {
	if answers, complete := pipeline.NewWaiter(0).Wait(t.Context()); !complete || len(answers) != 0 {
		t.Errorf("%v %v", answers, complete)
	}
}
