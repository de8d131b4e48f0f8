package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is what was measured. Times are in milliseconds unless they say
// otherwise; fields that a mode does not measure are left out.
type Result struct {
	Mode        Mode    `json:"mode"`
	Connections int     `json:"connections,omitempty"`
	Batch       int     `json:"batch,omitempty"`
	Rate        float64 `json:"rate,omitempty"` // requests a second that were scheduled
	Customers   int     `json:"customers,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
	Actions     bool    `json:"actions,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"` // measured time

	EventsPerSecond   float64 `json:"events_per_second"`
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	P50               float64 `json:"p50_ms"`
	P90               float64 `json:"p90_ms,omitempty"`
	P99               float64 `json:"p99_ms"`
	P999              float64 `json:"p999_ms"`
	Max               float64 `json:"max_ms,omitempty"`

	Acked     uint64 `json:"acked"`               // events acknowledged, warm-up included
	Stored    uint64 `json:"stored"`              // events the server says it stored of them
	Rejected  uint64 `json:"rejected,omitempty"`  // events refused for good
	Limited   uint64 `json:"limited,omitempty"`   // answers 429, each retried
	Busy      uint64 `json:"busy,omitempty"`      // answers 503, each retried
	Broken    uint64 `json:"broken,omitempty"`    // connections that failed, each retried
	Abandoned uint64 `json:"abandoned,omitempty"` // events whose retries ran out
	Decided   uint64 `json:"decided,omitempty"`   // answers that carried an action
	Late      uint64 `json:"late,omitempty"`      // answers that missed the decision's deadline

	DecisionShare float64            `json:"decisions_per_event,omitempty"` // how many events led to a decision
	CPUPerEvent   float64            `json:"server_cpu_us_per_event"`       // user and system time of the server
	Cores         float64            `json:"server_cores,omitempty"`
	RSS           float64            `json:"server_rss_mb"`
	Peak          float64            `json:"server_peak_rss_mb,omitempty"`
	Stages        map[string]float64 `json:"stages,omitempty"`       // share of the stages' working time, 0 to 1
	StageMicros   map[string]float64 `json:"stage_us,omitempty"`     // the same in microseconds an event
	CatchUp       float64            `json:"catch_up_s,omitempty"`   // after the load, until all was in the warehouse
	GenCPU        float64            `json:"generator_us,omitempty"` // CPU of this program an event
	GenLate99     float64            `json:"generator_late_p99_ms,omitempty"`

	Floor50  float64 `json:"floor_p50_ms,omitempty"`
	Floor99  float64 `json:"floor_p99_ms,omitempty"`
	Floor999 float64 `json:"floor_p999_ms,omitempty"`

	BytesPerCustomer float64 `json:"bytes_per_customer,omitempty"`

	Filled        uint64  `json:"filled,omitempty"`                   // events that were folded for new statistics
	FillSeconds   float64 `json:"fill_s,omitempty"`                   // from the answer to the set until they were known
	JudgedSeconds float64 `json:"judged_s,omitempty"`                 // after that, until everybody was judged by them
	FillBeside    float64 `json:"fill_beside_s,omitempty"`            // the same as fill_s beside requests
	FillBesidePS  float64 `json:"beside_events_per_second,omitempty"` // events folded then

	ReadySeconds     float64  `json:"ready_s,omitempty"`  // from the restart until events are taken
	Replayed         uint64   `json:"replayed,omitempty"` // events replayed since the checkpoint
	ReplayPerSecond  float64  `json:"replay_events_per_second,omitempty"`
	RebuildSeconds   float64  `json:"rebuild_s,omitempty"` // the same with the state thrown away
	RebuildPerSecond float64  `json:"rebuild_events_per_second,omitempty"`
	SegmentsPerEvent float64  `json:"segments_ns,omitempty"` // medians
	DecisionPerEvent float64  `json:"decision_ns,omitempty"`
	RulesPerEvent    float64  `json:"rules_ns,omitempty"`      // both, for an event for which all actions are judged and nothing is said
	SaidPerEvent     float64  `json:"rules_said_ns,omitempty"` // for one that is answered
	IdlePerEvent     float64  `json:"rules_idle_ns,omitempty"` // for one that triggers no action
	RulesAllocs      *float64 `json:"rules_allocs,omitempty"`  // nil when not measured
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// round keeps three decimals: more are noise.
func round(f float64) float64 { return math.Round(f*1000) / 1000 }

// load fills in what the connections saw.
func (r *Result) load(t *tally, measured time.Duration) {
	r.Seconds = round(measured.Seconds())
	r.EventsPerSecond = round(float64(t.measured) / measured.Seconds())
	r.RequestsPerSecond = round(float64(t.latency.Count()) / measured.Seconds())
	h := &t.latency
	r.P50, r.P90, r.P99, r.P999, r.Max = ms(h.Quantile(0.5)), ms(h.Quantile(0.9)), ms(h.Quantile(0.99)), ms(h.Quantile(0.999)), ms(h.Max())
	r.Acked, r.Rejected, r.Limited, r.Busy = t.acked, t.rejected, t.limited, t.busy
	r.Broken, r.Abandoned, r.Decided, r.Late = t.broken, t.abandoned, t.decided, t.late
}

// costs fills in what the server used between two readings for so many events.
func (r *Result) costs(before, after usage, events uint64, span time.Duration) {
	cpu := after.cpu - before.cpu
	if events > 0 {
		r.CPUPerEvent = round(float64(cpu.Microseconds()) / float64(events))
	}
	r.Cores = round(cpu.Seconds() / span.Seconds())
	r.RSS, r.Peak = megabytes(after.rss), megabytes(after.peak)
}

func megabytes(n int64) float64 { return round(float64(n) / (1 << 20)) }

// share fills in how the stages' working time is divided.
func (r *Result) share(seconds map[string]float64, events uint64) {
	total := 0.0
	names := slices.Sorted(maps.Keys(seconds))
	for _, name := range names {
		total += seconds[name]
	}
	if total == 0 || events == 0 {
		return
	}
	r.Stages, r.StageMicros = map[string]float64{}, map[string]float64{}
	for _, name := range names {
		r.Stages[name] = round(seconds[name] / total)
		r.StageMicros[name] = round(seconds[name] * 1e6 / float64(events))
	}
}

// write prints the result, as one line of JSON or for people.
func (r *Result) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(t, "%s\t%s\n", name, show(all[name]))
	}
	return t.Flush()
}

func show(v any) string {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) {
			return fmt.Sprintf("%d", int64(v))
		}
		return fmt.Sprintf("%.3f", v)
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+" "+show(v[name]))
		}
		return strings.Join(parts, "  ")
	}
	return fmt.Sprint(v)
}
