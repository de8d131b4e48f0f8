package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kikubari/kikubari/demo"
	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
)

// demoWorkspace is the workspace of the demo shop.
const demoWorkspace cx.Workspace = "demo"

// prepareDemo makes the demo workspace, its keys and definitions, as far as they
// are not there yet.
func (a *App) prepareDemo(ctx context.Context) error {
	if err := a.demoKeys(ctx); err != nil {
		return err
	}
	for !a.caught.Load() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	files, err := ReadDefinitions(demo.Definitions())
	if err != nil {
		return err
	}
	if same, err := a.inForce(files); err != nil || same {
		return err
	}
	_, err = publisher{a}.Publish(ctx, api.Publication{
		Workspace: demoWorkspace, Files: files, Who: "demo", Why: "definitions of the demo", At: now(),
	})
	return err
}

// inForce reports whether the files are what is in force already.
func (a *App) inForce(files []DefinitionFile) (bool, error) {
	docs, wrong := definition.Parse(parseable(files))
	if len(wrong) > 0 {
		return false, definition.AsError(wrong)
	}
	canonical, err := definition.Canonical(docs)
	return bytes.Equal(canonical, a.shard.Canonical(demoWorkspace)), err
}

// demoKeys makes the workspace and its browser key, and a read key for the
// status page, whose text is kept in the data directory: it opens the demo's
// data only.
func (a *App) demoKeys(ctx context.Context) error {
	at := now()
	u := access.Update{Change: access.Change{At: at, Workspace: demoWorkspace, Who: "demo", Why: "the demo", What: "prepare the demo workspace"}}
	ring := a.keys.Ring()
	if ring.Workspace(demoWorkspace) == nil {
		w, err := access.NewWorkspace(demoWorkspace, "Demo shop", at)
		if err != nil {
			return err
		}
		u.Workspaces = append(u.Workspaces, w)
	}
	if ring.Key(demo.WriteKey) == nil {
		k, err := access.NewKey(demoWorkspace, cx.BrowserKey, "demo shop", demo.WriteKey, at)
		if err != nil {
			return err
		}
		u.Keys = append(u.Keys, k)
	}
	b, err := os.ReadFile(a.path("demo.key"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a.demoKey = strings.TrimSpace(string(b))
	if ring.Key(a.demoKey) == nil {
		a.demoKey = access.NewKeyText(cx.ReadKey)
		if err := os.WriteFile(a.path("demo.key"), []byte(a.demoKey+"\n"), 0o600); err != nil {
			return fmt.Errorf("keep the demo's read key: %w", err)
		}
		k, err := access.NewKey(demoWorkspace, cx.ReadKey, "demo status page", a.demoKey, at)
		if err != nil {
			return err
		}
		u.Keys = append(u.Keys, k)
	}
	if len(u.Workspaces)+len(u.Keys) == 0 {
		return nil
	}
	if err := a.control.Apply(ctx, u); err != nil {
		return err
	}
	return a.keys.Reload(ctx, a.control)
}
