package profile

import (
	"slices"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Settings is what a workspace decides about its profiles.
type Settings struct {
	Zone     *time.Location        // of calendar days, weeks and months; nil means UTC
	Currency cx.Currency           // of events that name none
	MergeOn  []cx.Namespace        // which of cx.Mail and cx.Phone may link customers
	Purposes map[string]cx.Purpose // consent category, in any case, to purpose
}

// SlotSpec gives a statistic the slot under which customers keep it. A slot
// belongs to one spec for ever.
type SlotSpec struct {
	Slot    int
	Spec    cx.StatisticSpec
	Unknown bool // being back-filled elsewhere: not folded, and read as cx.Unknown
}

// Plan is what one workspace's published set asks of the fold, prepared. It is
// never changed and may be shared by all lanes.
type Plan struct {
	settings Settings
	purposes map[string]cx.Purpose // by lower-case category
	stats    []statistic           // by slot
	bySlot   []int32               // slot to index in stats, -1 for none
	byEvent  map[cx.EventName][]int32
	anyEvent []int32
	columns  []column
	sessions []int32 // statistics over the running or the previous session
}

// statistic is one spec, prepared for folding.
type statistic struct {
	slot    int
	unknown bool
	agg     cx.Aggregate
	window  cx.WindowKind
	length  cx.Instant // Sliding: of the window
	width   cx.Instant // Sliding: of one bucket
	n       int        // TopN and RecentN
	column  int        // index in Plan.columns, -1 for a spec without a field
	money   bool       // only events in currency
	own     bool       // currency is the workspace's: events that name none count
	code    cx.Currency
}

// column is a field, or the product of two, that at least one statistic reads.
type column struct {
	field, times []string // paths; times is empty for none
}

// Buckets is how many buckets a sliding window is cut into: a value read from
// it is off by at most what happened in one bucket's width just before it.
const Buckets = 64

// NewPlan prepares specs, which may come in any order; of two with the same
// slot the last counts.
func NewPlan(settings Settings, specs []SlotSpec) *Plan {
	if settings.Zone == nil {
		settings.Zone = time.UTC
	}
	settings.Currency = currencyCode(string(settings.Currency))
	p := &Plan{settings: settings, purposes: make(map[string]cx.Purpose), byEvent: make(map[cx.EventName][]int32)}
	for _, purpose := range cx.Purposes {
		p.purposes[string(purpose)] = purpose
	}
	for _, category := range sortedKeys(settings.Purposes) {
		p.purposes[strings.ToLower(category)] = settings.Purposes[category]
	}
	sorted := slices.Clone(specs)
	slices.SortStableFunc(sorted, func(a, b SlotSpec) int { return a.Slot - b.Slot })
	for i, s := range sorted {
		if i+1 == len(sorted) || sorted[i+1].Slot != s.Slot {
			p.add(s)
		}
	}
	p.indexEvents(sorted)
	return p
}

// Settings returns the settings the plan was made with.
func (p *Plan) Settings() Settings { return p.settings }

// Window returns the window of the statistic in slot; ok is false when the plan
// has none there.
func (p *Plan) Window(slot int) (kind cx.WindowKind, ok bool) {
	k := p.find(slot)
	if k < 0 {
		return 0, false
	}
	return p.stats[k].window, true
}

func (p *Plan) find(slot int) int32 {
	if slot < 0 || slot >= len(p.bySlot) {
		return -1
	}
	return p.bySlot[slot]
}

func (p *Plan) add(s SlotSpec) {
	k := int32(len(p.stats))
	for len(p.bySlot) <= s.Slot {
		p.bySlot = append(p.bySlot, -1)
	}
	p.bySlot[s.Slot] = k
	st := statistic{
		slot: s.Slot, unknown: s.Unknown, agg: s.Spec.Aggregate, window: s.Spec.Window.Kind,
		n: min(max(s.Spec.N, 1), maxN), column: p.column(s.Spec), code: currencyCode(string(s.Spec.Currency)),
	}
	switch st.agg {
	case cx.SumOf, cx.Min, cx.Max, cx.Avg:
		st.money = true
		st.own = st.code == "" || st.code == p.settings.Currency
		if st.code == "" {
			st.code = p.settings.Currency
		}
	default: // the others are no amounts
	}
	switch st.window {
	case cx.Sliding:
		st.length = cx.Instant(s.Spec.Window.Length / time.Microsecond)
		st.width = max(st.length/Buckets, 1)
	case cx.Session, cx.PreviousSession:
		p.sessions = append(p.sessions, k)
	default: // the others have a key from the calendar, or one key
	}
	p.stats = append(p.stats, st)
}

// column returns the index of the spec's field among the columns, adding it
// when it is new; -1 when the spec has no field.
func (p *Plan) column(s cx.StatisticSpec) int {
	if s.Field == "" || s.Aggregate == cx.LastTime {
		return -1
	}
	c := column{field: cx.PathParts(s.Field)}
	if s.Times != "" {
		c.times = cx.PathParts(s.Times)
	}
	for i, have := range p.columns {
		if slices.Equal(have.field, c.field) && slices.Equal(have.times, c.times) {
			return i
		}
	}
	p.columns = append(p.columns, c)
	return len(p.columns) - 1
}

// indexEvents lists for each event name the statistics it is folded into, in
// order of slot.
func (p *Plan) indexEvents(specs []SlotSpec) {
	event := make([]cx.EventName, len(p.stats))
	for _, s := range specs {
		event[p.bySlot[s.Slot]] = s.Spec.Event
	}
	for k, name := range event {
		if name == "" && !p.stats[k].unknown {
			p.anyEvent = append(p.anyEvent, int32(k))
		}
	}
	for k, name := range event {
		if _, done := p.byEvent[name]; name == "" || done {
			continue
		}
		list := slices.Clone(p.anyEvent)
		for j := k; j < len(event); j++ {
			if event[j] == name && !p.stats[j].unknown {
				list = append(list, int32(j))
			}
		}
		slices.Sort(list)
		p.byEvent[name] = list
	}
}

// touched returns the statistics that an event called name is folded into.
func (p *Plan) touched(name cx.EventName) []int32 {
	if list, ok := p.byEvent[name]; ok {
		return list
	}
	return p.anyEvent
}

func currencyCode(s string) cx.Currency { return cx.Currency(strings.ToUpper(strings.TrimSpace(s))) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
