package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

func (w *writer) writeSightings(c *pipeline.Checkpoint) error {
	for i := range c.Sightings {
		makeWay(i)
		x := &c.Sightings[i]
		workspace, namespace, value := string(x.Workspace), int64(x.Identity.Namespace), x.Identity.Value
		var err error
		if len(x.Seen) == 0 {
			err = w.dropSighting.exec(workspace, namespace, value)
		} else {
			err = w.putSighting.exec(workspace, namespace, value, packIDs(x.Seen), int64(x.Since), signed(uint64(x.Own)), int64(x.Identity.Since))
		}
		if err != nil {
			return fmt.Errorf("sighting: %w", err)
		}
	}
	return nil
}

func packIDs(ids []cx.CustomerID) []byte {
	b := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
	}
	return b
}

// EachSighting calls found for every stored sighting.
func (s *State) EachSighting(ctx context.Context, found func(pipeline.Sighting) error) error {
	return s.every(ctx, "read sightings", func(r *reader) *stmt { return r.everySighting }, func(v []driver.Value) error {
		x := pipeline.Sighting{
			Workspace: cx.Workspace(v[0].(string)),
			Identity:  cx.Identity{Namespace: cx.Namespace(v[1].(int64)), Value: v[2].(string), Since: cx.Instant(v[6].(int64))},
			Since:     cx.Position(v[4].(int64)), Own: cx.CustomerID(unsigned(v[5])),
		}
		for b := bytesOf(v[3]); len(b) >= 8; b = b[8:] {
			x.Seen = append(x.Seen, cx.CustomerID(binary.LittleEndian.Uint64(b)))
		}
		return found(x)
	})
}
