package cli

import (
	"context"
	"fmt"

	"github.com/kikubari/kikubari/internal/app"
)

type serveCmd struct {
	settings
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, io Streams) error {
	config, err := c.load(io)
	if err != nil {
		return err
	}
	return app.Run(ctx, config, app.Hooks{
		Log: io.Err,
		AdminKey: func(key string) {
			fmt.Fprintf(io.Out, "This is the first start. The admin key is shown once, keep it:\n\n  %s\n\n", key)
		},
		Ready: func(a *app.App) {
			fmt.Fprintf(io.Out, "Kikubari serves on %s\n", a.URL())
		},
	})
}

type demoCmd struct {
	settings
}

// Run serves the demo until ctx ends.
func (c *demoCmd) Run(ctx context.Context, io Streams) error {
	config, err := c.load(io)
	if err != nil {
		return err
	}
	return app.Run(ctx, config, app.Hooks{
		Log:  io.Err,
		Demo: true,
		Ready: func(a *app.App) {
			fmt.Fprintf(io.Out, "\n  Demo shop    %s/shop/\n  Status page  %s/status#key=%s\n  API          %s/api/v1/ (write key \"demo\", read key %s)\n\n  Ctrl-C stops it.\n\n",
				a.URL(), a.URL(), a.DemoReadKey(), a.URL(), a.DemoReadKey())
		},
	})
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(io Streams) error {
	_, err := fmt.Fprintln(io.Out, app.Version())
	return err
}

type configCmd struct {
	settings
}

// Run prints the configuration.
func (c *configCmd) Run(io Streams) error {
	config, err := c.load(io)
	if err != nil {
		return err
	}
	return config.Print(io.Out)
}
