package app

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/kikubari/kikubari/demo"
	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/console"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/static"
	sdk "github.com/kikubari/kikubari/sdk/js"
)

// newServer puts every handler under its path.
func (a *App) newServer() (*http.Server, error) {
	refusals := api.NewRefusalLog(a.control, a.log)
	door := api.NewFrontDoor(api.FrontDoorOptions{
		Journal: observer{a.journal, a.schema}, Keys: &a.keys, Sites: a, Refusals: refusals, Meter: a.meter, Log: a.log,
		Now: fault.Now, AnswerTimeout: a.config.DecisionDeadline, MaxInFlight: a.config.MaxInFlight, Rate: rate(a.config.RatePerKey),
	})
	ours := api.New(api.Options{
		Keys: &a.keys, Store: a.control, Customers: customers{a}, Identities: identities{a}, History: history{a}, Publisher: publisher{a}, Imports: importing{a}, Sends: sending{a}, Records: records{a}, Backups: &a.backups, Erasures: &a.erasing,
		Health: a, Feed: &a.feed, Metrics: a.metrics, Log: a.log, Version: version, Now: now,
	})
	mux := http.NewServeMux()
	mux.Handle("/", ours)
	mux.Handle("/v1/", door)
	pages := []struct {
		path    string
		handler func() (http.Handler, error)
		shown   bool
	}{
		{"/sdk/", func() (http.Handler, error) {
			return static.Handler(sdk.Files(), static.Options{MaxAge: 5 * time.Minute, AnyPlace: true})
		}, true},
		{"/status/", func() (http.Handler, error) {
			return static.Handler(console.Status(), static.Options{Policy: static.Strict})
		}, true},
		{"/shop/", func() (http.Handler, error) {
			return static.Handler(demo.Shop(), static.Options{Policy: static.Strict})
		}, a.hooks.Demo},
	}
	home := "/status/"
	for _, p := range pages {
		if !p.shown {
			continue
		}
		h, err := p.handler()
		if err != nil {
			return nil, err
		}
		mux.Handle("GET "+p.path, http.StripPrefix(p.path, h))
		home = p.path
	}
	mux.Handle("GET /{$}", http.RedirectHandler(home, http.StatusFound))
	a.background = append(a.background, func(ctx context.Context) {
		if err := refusals.Run(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "samples of refused input are no longer kept", slog.Any("error", err))
		}
	})
	return &http.Server{
		Handler: door.Before(mux), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: nil,
	}, nil
}

func rate(perSecond int) api.Rate {
	if perSecond == 0 {
		return api.Rate{PerSecond: 10_000_000, Burst: 20_000_000}
	}
	return api.Rate{PerSecond: float64(perSecond), Burst: float64(2 * perSecond)}
}

// watcher passes what the lanes tell on to the pages that watch.
type watcher struct{ feed *api.Feed }

// Watched makes watcher a pipeline.Watcher.
func (w watcher) Watched() bool { return w.feed.Watched() }

// Tell makes watcher a pipeline.Watcher.
func (w watcher) Tell(a pipeline.Activity) {
	w.feed.Publish(api.Activity{
		Workspace: string(a.Workspace), Position: a.Position.String(), Customer: a.Customer.String(), At: api.TimeOf(a.At),
		Name: string(a.Name), Session: a.Session, Decision: a.Decision != 0, Entered: a.Entered,
	}, a.At)
}

// observer lets the schema see some of what is appended.
type observer struct {
	journal *journal.Journal
	schema  *schema
}

// Append makes observer an api.Appender.
func (o observer) Append(ctx context.Context, entries []cx.Entry, tag any) (cx.Position, error) {
	o.schema.sample(entries)
	return o.journal.Append(ctx, entries, tag)
}

// firstKey makes the admin key of the installation when there is none, and says
// it to whoever started the program, once.
func (a *App) firstKey(ctx context.Context) error {
	keys, err := a.control.Keys(ctx)
	if err != nil {
		return err
	}
	for i := range keys {
		if keys[i].Kind == cx.AdminKey && keys[i].Workspace == access.Everywhere {
			return nil
		}
	}
	text := access.NewKeyText(cx.AdminKey)
	at := now()
	key, err := access.NewKey(access.Everywhere, cx.AdminKey, "first", text, at)
	if err != nil {
		return err
	}
	err = a.control.Apply(ctx, access.Update{
		Keys:   []access.Key{key},
		Change: access.Change{At: at, Workspace: access.Everywhere, Who: key.ID, Why: "first start", What: "create key " + string(key.ID)},
	})
	if err == nil && a.hooks.AdminKey != nil {
		a.hooks.AdminKey(text)
	}
	return err
}
