package bench

import (
	"testing"

	"github.com/kikubari/kikubari/internal/definition"
)

func TestWorkloadIsAValidSet(t *testing.T) {
	docs, problems := definition.Parse([]definition.File{{Name: "bench.yaml", Text: []byte(Definitions("bench"))}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	set, problems := definition.Build(docs, new(definition.Registry), 1)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if n := set.Segments.Len(); n != workloadSegments {
		t.Errorf("%d segments", n)
	}
	if n := len(set.Offer.Names()); n != workloadActions {
		t.Errorf("%d actions", n)
	}
	if n := len(set.Statistics); n < 20 || n > 30 {
		t.Errorf("%d statistics", n)
	}
}
