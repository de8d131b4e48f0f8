package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// tombstones tell which events of the log name somebody who was erased.
type tombstones struct {
	salt   []byte
	stones map[sqlite.Tombstone]cx.Position // to the command that erased; 0: it is still to come
}

func readTombstones(ctx context.Context, control *sqlite.Control) (t tombstones, err error) {
	if t.salt, err = control.Salt(ctx); err == nil {
		t.stones = map[sqlite.Tombstone]cx.Position{}
		err = control.Tombstones(ctx, func(stone sqlite.Tombstone, at cx.Position) { t.stones[stone] = at })
	}
	if err != nil {
		return tombstones{}, fmt.Errorf("read what was erased: %w", err)
	}
	return t, nil
}

// tombstonesOf reads those of a data directory on which no program runs, and
// leaves it as it is. Without them nobody knows who was erased: then it fails.
func tombstonesOf(ctx context.Context, c Config) (t tombstones, err error) {
	path := c.path("control.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return t, cx.E(cx.NotFound, "", "there is no control.db in "+c.Data+": without it nobody knows who was erased, and entries are not shown")
	}
	dir, err := os.MkdirTemp("", "kikubari-erased-")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, "control.db")
	if err := sqlite.CopyFile(ctx, path, copied); err != nil {
		return t, fmt.Errorf("copy control.db: %w", err)
	}
	control, err := sqlite.OpenControl(ctx, copied)
	if err != nil {
		return t, err
	}
	t, err = readTombstones(ctx, control)
	return t, errors.Join(err, control.Close())
}

// hides reports whether an event at a position names somebody who was erased
// behind it.
func (t *tombstones) hides(at cx.Position, ev *cx.Event) bool {
	if len(t.stones) == 0 {
		return false
	}
	for _, i := range [...]cx.Identity{
		{Namespace: cx.UserID, Value: ev.UserID},
		{Namespace: cx.ClaimedUserID, Value: ev.UserID},
		{Namespace: cx.AnonymousID, Value: ev.AnonymousID},
		{Namespace: cx.AnonymousID, Value: ev.PreviousID},
		{Namespace: cx.UserID, Value: ev.PreviousID},
	} {
		if i.Value = strings.TrimSpace(i.Value); i.Value == "" {
			continue
		}
		if upto, ok := t.stones[sqlite.Bury(t.salt, ev.Workspace, i)]; ok && (at <= upto || upto == 0) {
			return true
		}
	}
	return false
}
