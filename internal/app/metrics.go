package app

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// meter counts what the front door takes in.
type meter struct {
	requests *prometheus.CounterVec
	events   *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	durable  prometheus.Histogram
	answer   prometheus.Histogram

	read, parse atomic.Int64 // nanoseconds

	mu    sync.RWMutex
	takes map[cx.Workspace]*take
}

// take holds the counters of a workspace that nearly every request moves.
type take struct{ requests, events, bytes prometheus.Counter }

// take returns the counters of requests that were taken, at hand because a look
// into a vector costs more than to count.
func (m *meter) take(w cx.Workspace) *take {
	m.mu.RLock()
	t := m.takes[w]
	m.mu.RUnlock()
	if t != nil {
		return t
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.takes == nil {
		m.takes = map[cx.Workspace]*take{}
	}
	t = &take{
		requests: m.requests.WithLabelValues(string(w), strconv.Itoa(http.StatusOK)),
		events:   m.events.WithLabelValues(string(w), outcomes[0]),
		bytes:    m.bytes.WithLabelValues(string(w)),
	}
	m.takes[w] = t
	return t
}

// Received makes meter an api.Meter.
func (m *meter) Received(r api.Reception) {
	if r.Status == http.StatusOK && r.Events > 0 {
		t := m.take(r.Workspace)
		t.requests.Inc()
		t.events.Add(float64(r.Events))
		t.bytes.Add(float64(r.Bytes))
	} else {
		m.requests.WithLabelValues(string(r.Workspace), strconv.Itoa(r.Status)).Inc()
		m.bytes.WithLabelValues(string(r.Workspace)).Add(float64(r.Bytes))
	}
	for outcome, n := range [...]int{1: r.Rejected, 2: r.Altered} {
		if n > 0 {
			m.events.WithLabelValues(string(r.Workspace), outcomes[outcome]).Add(float64(n))
		}
	}
	m.read.Add(int64(r.Read))
	m.parse.Add(int64(r.Parse))
	if r.Append > 0 {
		m.durable.Observe(r.Append.Seconds())
	}
	if r.Answer > 0 {
		m.answer.Observe(r.Answer.Seconds())
	}
}

var outcomes = [...]string{"accepted", "rejected", "altered"}

// newMeter registers what the front door and the machine count.
func newMeter(reg *prometheus.Registry, s *pipeline.Shard, j *journal.Journal) *meter {
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kikubari_requests_total", Help: "Requests at the front door, by workspace and status."}, []string{"workspace", "status"}),
		events:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kikubari_events_total", Help: "Events at the front door, by workspace and outcome."}, []string{"workspace", "outcome"}),
		bytes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kikubari_request_bytes_total", Help: "Bytes of request bodies, by workspace."}, []string{"workspace"}),
		durable:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "kikubari_durable_seconds", Help: "From parsed to durable.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}),
		answer:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "kikubari_decision_seconds", Help: "From durable to decided, for requests that wait.", Buckets: prometheus.ExponentialBuckets(0.00005, 2, 14)}),
	}
	reg.MustRegister(m.requests, m.events, m.bytes, m.durable, m.answer, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	stages := map[string]func() time.Duration{
		"http":  func() time.Duration { return time.Duration(m.read.Load()) },
		"parse": func() time.Duration { return time.Duration(m.parse.Load()) },
		"log":   j.Busy,
	}
	for name, stage := range map[string]*pipeline.Stage{
		"resolve": &s.Stages.Resolve, "fold": &s.Stages.Fold, "rules": &s.Stages.Rules, "decide": &s.Stages.Decide,
		"checkpoint": &s.Stages.Checkpoint, "warehouse": &s.Stages.Warehouse,
	} {
		stages[name] = stage.Spent
	}
	for name, spent := range stages {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "kikubari_stage_seconds_total", Help: "Time spent in a stage. Fold, rules and decide are sampled; log, checkpoint and warehouse are wall time of their writers.", ConstLabels: prometheus.Labels{"stage": name},
		}, func() float64 { return spent().Seconds() }))
	}
	reg.MustRegister(machineCounts{s})
	return m
}

// machineCounts are the machine's counters by workspace.
type machineCounts struct{ shard *pipeline.Shard }

var (
	byWorkspace     = []string{"workspace"}
	foldedTotal     = prometheus.NewDesc("kikubari_folded_total", "Events folded into customers.", byWorkspace, nil)
	duplicatesTotal = prometheus.NewDesc("kikubari_duplicates_total", "Messages received again.", byWorkspace, nil)
	decisionsTotal  = prometheus.NewDesc("kikubari_decisions_total", "Decisions made.", byWorkspace, nil)
	treatmentsTotal = prometheus.NewDesc("kikubari_treatments_total", "Treatments that won a place.", byWorkspace, nil)
)

// Describe makes machineCounts a prometheus.Collector.
func (m machineCounts) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{foldedTotal, duplicatesTotal, decisionsTotal, treatmentsTotal} {
		out <- d
	}
}

// Collect makes machineCounts a prometheus.Collector.
func (m machineCounts) Collect(out chan<- prometheus.Metric) {
	m.shard.Counts(func(w cx.Workspace, c *pipeline.Counts) {
		for d, n := range map[*prometheus.Desc]*atomic.Uint64{
			foldedTotal: &c.Events, duplicatesTotal: &c.Duplicates, decisionsTotal: &c.Decisions, treatmentsTotal: &c.Treatments,
		} {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()), string(w))
		}
	})
}

// measure registers the gauges of how far the stages are.
func (a *App) measure() {
	gauge := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("kikubari_journal_sequence", "Sequence of the newest durable record.", func() float64 { n, _ := a.journal.Last(); return float64(n) })
	gauge("kikubari_journal_opens", "How often the journal's storage was opened; more than once after a fault of the disk.", func() float64 { return float64(a.journal.Opens()) })
	gauge("kikubari_customers_memory_bytes", "Customers held decoded, estimated.", func() float64 { return float64(a.shard.Progress().InMemory) })
	gauge("kikubari_identities", "Known identities.", func() float64 { return float64(a.shard.Progress().Identities) })
	gauge("kikubari_identities_quarantined", "Identities seen on too many users, which link nobody any more.", func() float64 { return float64(a.shard.Progress().Shut) })
	gauge("kikubari_archive_sequence", "Sequence of the newest archived record.", func() float64 { return float64(a.archive.Last()) })
	gauge("kikubari_archive_bytes", "What the archive takes on the disk, kept checkpoints included.", func() float64 { return float64(a.archive.Bytes()) })
	gauge("kikubari_erasures_late", "Persons who were erased and whom some file holds longer than erase.within, by more than an hour.", func() float64 { return float64(a.erasing.late.Load()) })
	gauge("kikubari_backfills", "Back-fills whose statistics are not known yet.", func() float64 {
		n := 0
		for _, b := range a.shard.Backfills() {
			if b.Valid == 0 {
				n++
			}
		}
		return float64(n)
	})
	gauge("kikubari_backfill_left", "Entries of the log that the running back-fill has still to fold; 0 when none runs.", func() float64 {
		for _, b := range a.shard.Backfills() {
			if b.Valid == 0 && b.Of != 0 {
				return float64(b.Of - b.Folded)
			}
		}
		return 0
	})
	a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "kikubari_archive_failures_total", Help: "Attempts to archive, or to keep or drop what is archived, that failed.",
	}, func() float64 { return float64(a.archiving.failures.Load()) }))
	for name, at := range map[string]func(pipeline.Progress) cx.Position{
		"lanes":      func(p pipeline.Progress) cx.Position { return p.Applied },
		"warehouse":  func(p pipeline.Progress) cx.Position { return p.Warehouse },
		"checkpoint": func(p pipeline.Progress) cx.Position { return p.Checkpoint },
	} {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kikubari_stage_sequence", Help: "Sequence of the newest record that a stage has done.", ConstLabels: prometheus.Labels{"stage": name},
		}, func() float64 { return float64(at(a.shard.Progress()).Sequence()) }))
	}
}
