package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// Computation compares the state that the program would recover with the state
// computed from all of the log.
type Computation struct {
	Origin    cx.Position // of the kept checkpoint with which it began; 0 when the log has its beginning
	Recovered pipeline.Fingerprint
	Computed  pipeline.Fingerprint
	Events    int             // folded by the computation
	Differ    []cx.CustomerID // customers whose states differ, at most 20
	Took      time.Duration   // of the computation
}

// Same reports whether both states are equal, byte for byte.
func (r *Computation) Same() bool { return r.Recovered == r.Computed }

// comparison finds the customers whose states differ.
type comparison struct {
	*Computation
	sums map[cx.CustomerID][32]byte
}

func (c *comparison) recovered(id cx.CustomerID, sum [32]byte) { c.sums[id] = sum }

func (c *comparison) computed(id cx.CustomerID, sum [32]byte) {
	if other, ok := c.sums[id]; !ok || other != sum {
		c.differs(id)
	}
	delete(c.sums, id)
}

func (c *comparison) differs(id cx.CustomerID) {
	if len(c.Differ) < 20 {
		c.Differ = append(c.Differ, id)
	}
}

// end adds the customers that were recovered and not computed.
func (c *comparison) end() {
	for id := range c.sums {
		c.differs(id)
	}
}

// ReplayReport is a Computation and what was decided in it.
type ReplayReport struct {
	Computation
	Decisions map[cx.DecisionID]string
}

// Replay computes the state of a data directory from its archive and journal
// alone, on copies, and compares it with what recovery gives. The directory is
// not changed; no program may run on it.
func Replay(ctx context.Context, c Config, log io.Writer) (*ReplayReport, error) {
	l, err := openLog(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer l.Journal.Close()
	tmp, err := os.MkdirTemp("", "kikubari-replay-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	r := &ReplayReport{Decisions: map[cx.DecisionID]string{}}
	compare := comparison{&r.Computation, map[cx.CustomerID][32]byte{}}
	if r.Recovered, err = recovered(ctx, c, l, tmp, compare.recovered); err != nil {
		return nil, err
	}
	path := filepath.Join(tmp, "computed.db")
	err = origins(ctx, l, path, func(from *archive.Checkpoint) (err error) {
		clear(r.Decisions)
		house := &sink{decisions: r.Decisions}
		if from != nil {
			r.Origin, house.at = from.Position, from.Position
		}
		start := time.Now()
		r.Computed, r.Events, err = machine(ctx, c, l, path, house, 0, compare.computed)
		r.Took = time.Since(start)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("compute: %w", err)
	}
	compare.end()
	return r, nil
}
