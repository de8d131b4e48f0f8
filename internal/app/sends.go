package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/channel/webhook"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// openSends opens what sends deliveries.
func (a *App) openSends(ctx context.Context) (err error) {
	if a.sends, err = sqlite.OpenSends(ctx, a.path(sendsFile)); err != nil {
		return fmt.Errorf("open deliver.db: %w", err)
	}
	a.closers = append(a.closers, a.sends.Close)
	allow, err := webhook.ParseAllowed(a.config.WebhookAllow)
	if err != nil {
		return fmt.Errorf("webhook.allow_networks: %w", err)
	}
	hooks := webhook.New(webhook.Options{Directory: endpoints{a}, Allow: allow, Agent: "Kikubari/" + version, Now: fault.Now})
	a.closers = append(a.closers, func() error { hooks.Close(); return nil })
	a.courier, err = deliver.Open(ctx, deliver.Options{
		Outbox: a.state, Store: a.sends, Senders: map[cx.Channel]deliver.Sender{cx.Webhook: hooks}, Tell: a.tellFates, Log: a.log, Now: fault.Now,
		Attempts: a.config.SendsAttempts, Timeout: a.config.SendsTimeout,
		FirstRetry: a.config.SendsFirstRetry, LongestRetry: a.config.SendsLongestRetry, GiveUp: a.config.SendsGiveUp,
	})
	if err != nil {
		return fmt.Errorf("open deliver.db: %w", err)
	}
	a.metrics.MustRegister(sendCounts{a})
	return nil
}

// deliver sends, once the machine knows every fate that is in the journal.
func (a *App) deliver(ctx context.Context) {
	for !a.caught.Load() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
	if err := a.settleOutbox(ctx); err != nil {
		if ctx.Err() == nil {
			a.log.ErrorContext(ctx, "nothing is sent", slog.Any("error", err))
		}
		return
	}
	a.courier.Run(ctx)
}

// settleOutbox waits until the checkpoint knows every fate that is in the journal.
// Where everything is saved and nothing waits, it does.
func (a *App) settleOutbox(ctx context.Context) error {
	for {
		waiting := a.shard.Progress().Unsaved
		err := a.state.EachDelivery(ctx, 0, func(cx.Delivery) error {
			waiting = true
			return nil
		})
		if err == nil && waiting {
			err = a.shard.Flush(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		a.log.WarnContext(ctx, "sends wait, trying again", slog.Any("error", err))
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// committed is told of every checkpoint.
func (a *App) committed(p cx.Position) {
	if c := a.courier; c != nil {
		c.Committed(p)
	}
}

// tellFates puts fates into the journal.
func (a *App) tellFates(ctx context.Context, fates []cx.Fate) (cx.Position, error) {
	entries := make([]cx.Entry, len(fates))
	for i := range fates {
		entries[i] = cx.Entry{Kind: cx.EntryFate, Payload: cx.AppendFate(nil, &fates[i])}
	}
	if _, err := a.journal.Append(ctx, entries, nil); err != nil {
		return 0, err
	}
	last, _ := a.journal.Last() // an append may have become several records
	return cx.At(last, cx.MaxEntries-1), nil
}

// endpoints knows the destinations of the published sets, and what signs for them.
type endpoints struct{ *App }

// Endpoint makes endpoints a webhook.Directory.
func (e endpoints) Endpoint(ctx context.Context, w cx.Workspace, destination string) (webhook.Endpoint, error) {
	d := e.shard.Set(w).Destination(destination)
	if d == nil {
		return webhook.Endpoint{}, cx.E(cx.NotFound, "", fmt.Sprintf("destination %q is not published any more", destination))
	}
	secrets, err := e.secrets(ctx, w, destination)
	return webhook.Endpoint{URL: d.URL, Idempotent: d.Idempotent, Secrets: secrets}, err
}

// Idempotent makes endpoints a webhook.Directory.
func (e endpoints) Idempotent(w cx.Workspace, destination string) bool {
	d := e.shard.Set(w).Destination(destination)
	return d != nil && d.Idempotent
}

// secrets returns what signs for a destination now, making it for the first send.
func (e endpoints) secrets(ctx context.Context, w cx.Workspace, destination string) (out [][]byte, err error) {
	e.signing.Lock()
	defer e.signing.Unlock()
	known, err := e.control.DestinationSecrets(ctx, w, destination, now())
	if err != nil {
		return nil, err
	}
	if len(known) == 0 {
		s := access.NewDestinationSecret(w, destination, now())
		note := access.Change{At: now(), Workspace: w, Why: "first send", What: "make secret of destination " + destination}
		if err := e.control.Apply(ctx, access.Update{Secret: s, Change: note}); err != nil {
			return nil, err
		}
		if known, err = e.control.DestinationSecrets(ctx, w, destination, now()); err != nil {
			return nil, err
		}
	}
	for i := range known {
		out = append(out, known[i].Secret)
	}
	return out, nil
}

// sending makes App an api.Sends.
type sending struct{ *App }

// List makes sending an api.Sends.
func (s sending) List(ctx context.Context, w cx.Workspace, destination string, state cx.DeliveryState, limit int) ([]api.Send, error) {
	items, err := s.courier.List(ctx, deliver.Filter{Workspace: w, Destination: destination, State: state}, limit)
	out := make([]api.Send, len(items))
	for n := range items {
		i := &items[n]
		out[n] = api.Send{
			Send: i.Key.String(), Workspace: string(i.Workspace), Destination: i.Destination, Action: i.Action, Purpose: string(i.Purpose),
			Customer: i.Customer.String(), Decision: i.Decision.String(), DecidedAt: api.TimeOf(i.At),
			State: i.State.String(), Attempts: i.Attempts, SettledAt: api.TimeOf(i.SettledAt), Reason: i.Reason,
		}
		if i.State == cx.DeliveryQueued {
			out[n].DueAt = api.TimeOf(i.Due)
		}
	}
	return out, err
}

// Destinations makes sending an api.Sends.
func (s sending) Destinations(ctx context.Context, w cx.Workspace) ([]api.Destination, error) {
	all, err := s.courier.Destinations(ctx)
	if err != nil {
		return nil, err
	}
	out := []api.Destination{}
	for _, d := range s.shard.Set(w).Destinations {
		view := api.Destination{Name: d.Name, URL: d.URL, Idempotent: d.Idempotent}
		for _, now := range all {
			if now.Workspace != w || now.Destination != d.Name {
				continue
			}
			view.Waiting, view.Failed, view.Unknown = now.Waiting, now.Failed, now.Unknown
			view.Oldest, view.Open = api.TimeOf(now.Oldest), now.Open
			if now.Open {
				view.TriedAt = api.TimeOf(cx.InstantOf(now.Until))
			}
		}
		out = append(out, view)
	}
	return out, nil
}

// Has makes sending an api.Sends.
func (s sending) Has(w cx.Workspace, destination string) bool {
	return s.shard.Set(w).Destination(destination) != nil
}

// Paused makes sending an api.Sends.
func (s sending) Paused(w cx.Workspace) bool { return s.courier.Paused(w) }

// Pause makes sending an api.Sends.
func (s sending) Pause(ctx context.Context, w cx.Workspace, paused bool) error {
	return s.courier.Pause(ctx, w, paused)
}

// Retry makes sending an api.Sends.
func (s sending) Retry(ctx context.Context, w cx.Workspace, destination string, k cx.SendKey) (int, error) {
	return s.courier.Retry(ctx, w, destination, k)
}

// FormatSecret makes sending an api.Sends.
func (s sending) FormatSecret(secret []byte) string { return webhook.FormatSecret(secret) }

// examineSends says how much waits to be sent, and what did not arrive. It looks at
// a copy.
func examineSends(ctx context.Context, c Config) []Finding {
	if _, err := os.Stat(c.path(sendsFile)); errors.Is(err, fs.ErrNotExist) {
		return nil // no program of this version has run here yet
	}
	tmp, err := os.MkdirTemp("", "kikubari-doctor-")
	if err != nil {
		return []Finding{{"sends", false, err.Error()}}
	}
	defer os.RemoveAll(tmp)
	for _, suffix := range [...]string{"", "-wal"} {
		if err := copyFile(c.path(sendsFile+suffix), filepath.Join(tmp, sendsFile+suffix)); err != nil {
			return []Finding{{"sends", false, err.Error()}}
		}
	}
	s, err := sqlite.OpenSends(ctx, filepath.Join(tmp, sendsFile))
	if err != nil {
		return []Finding{{"sends", false, err.Error()}}
	}
	defer s.Close()
	counts, err := s.Tally(ctx)
	if err != nil {
		return []Finding{{"sends", false, err.Error()}}
	}
	n := map[cx.DeliveryState]int{}
	for _, k := range counts {
		n[k.State] += k.Items
	}
	return []Finding{{"sends", true, fmt.Sprintf("%d wait, %d failed and %d are unknown of the last 30 days",
		n[cx.DeliveryQueued]+n[cx.DeliveryTrying], n[cx.DeliveryFailed], n[cx.DeliveryUnknown])}}
}

// sendCounts are the counters of sends.
type sendCounts struct{ *App }

var (
	byDestination  = []string{"workspace", "destination"}
	deliveredTotal = prometheus.NewDesc("kikubari_deliveries_total", "Deliveries whose fate was told, since the start.", []string{"fate"}, nil)
	sendsWaiting   = prometheus.NewDesc("kikubari_sends_waiting", "Deliveries that wait for an attempt.", byDestination, nil)
	sendsOpen      = prometheus.NewDesc("kikubari_destination_open", "1 while a destination does not answer and is tried now and then only.", byDestination, nil)
	sendsPaused    = prometheus.NewDesc("kikubari_sends_paused", "1 while all sends are paused.", nil, nil)
)

// Describe makes sendCounts a prometheus.Collector.
func (s sendCounts) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{deliveredTotal, sendsWaiting, sendsOpen, sendsPaused} {
		out <- d
	}
}

// Collect makes sendCounts a prometheus.Collector.
func (s sendCounts) Collect(out chan<- prometheus.Metric) {
	for state, n := range s.courier.Settled() {
		out <- prometheus.MustNewConstMetric(deliveredTotal, prometheus.CounterValue, float64(n), state.String())
	}
	out <- prometheus.MustNewConstMetric(sendsPaused, prometheus.GaugeValue, oneIf(s.courier.Paused(access.Everywhere)))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) //nolint:forbidigo // a collector is given none
	defer cancel()
	all, err := s.courier.Destinations(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "sends cannot be counted", slog.Any("error", err))
		return
	}
	for _, d := range all {
		out <- prometheus.MustNewConstMetric(sendsWaiting, prometheus.GaugeValue, float64(d.Waiting), string(d.Workspace), d.Destination)
		out <- prometheus.MustNewConstMetric(sendsOpen, prometheus.GaugeValue, oneIf(d.Open), string(d.Workspace), d.Destination)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
