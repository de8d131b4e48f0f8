package bench

import (
	"math"
	"strings"
	"testing"
)

func TestMetricsAreRead(t *testing.T) {
	const text = `# HELP kikubari_stage_seconds_total Time.
# TYPE kikubari_stage_seconds_total counter
kikubari_stage_seconds_total{stage="fold"} 1.5
kikubari_stage_seconds_total{shard="0",stage="log"} 0.25
kikubari_stage_seconds_total{shard="1",stage="log"} 0.25
kikubari_folded_total{workspace="a"} 12000
kikubari_folded_total{workspace="b"} 3
go_memstats_heap_alloc_bytes 5.4e+06
go_goroutines 45
`
	m, err := parseMetrics(strings.NewReader(text))
	if err != nil || len(m) != 6 || sum(m, "kikubari_folded_total") != 12003 || m["go_memstats_heap_alloc_bytes"] != 5.4e6 {
		t.Fatalf("%v (%v)", m, err)
	}
	before := map[string]float64{`kikubari_stage_seconds_total{stage="fold"}`: 0.5}
	got := stages(before, m)
	if len(got) != 2 || got["fold"] != 1 || got["log"] != 0.5 {
		t.Errorf("stages %v", got)
	}
	var r Result
	r.share(got, 1_000_000)
	if math.Abs(r.Stages["fold"]-0.667) > 1e-9 || r.StageMicros["fold"] != 1 || r.StageMicros["log"] != 0.5 {
		t.Errorf("shares %v, microseconds %v", r.Stages, r.StageMicros)
	}
	if _, err := parseMetrics(strings.NewReader("kikubari_x abc\n")); err == nil {
		t.Error("a value that is no number was accepted")
	}
}
