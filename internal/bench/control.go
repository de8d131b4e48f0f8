package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// control talks to a server's own API: ordinary HTTP, outside of what is
// measured.
type control struct {
	base string // http://host:port
	key  string // an admin or read key; "" when there is none
	http http.Client

	patience time.Duration // how long the warehouse may stand still before it is given up
}

func newControl(address, key string) *control {
	return &control{base: "http://" + address, key: key, http: http.Client{Timeout: 2 * time.Minute}, patience: 15 * time.Second}
}

// ask sends one request and reads the JSON answer into out, which may be nil.
func (c *control) ask(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %.500s", method, path, res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// The workspace that a server of our own is measured in.
const workspace = "bench"

const why = "measurement"

// publish puts a set in force.
func (c *control) publish(ctx context.Context, set string) error {
	files := []map[string]string{{"name": "bench.yaml", "text": set}}
	return c.ask(ctx, http.MethodPost, "/api/v1/definitions?workspace="+workspace, map[string]any{"files": files, "why": why}, nil)
}

// prepare makes the workspace, publishes the set and makes a server key and a
// browser key.
func (c *control) prepare(ctx context.Context) (serverKey, browserKey string, err error) {
	if err := c.ask(ctx, http.MethodPost, "/api/v1/workspaces", map[string]string{"slug": workspace, "why": why}, nil); err != nil {
		return "", "", err
	}
	if err := c.publish(ctx, Definitions(workspace)); err != nil {
		return "", "", err
	}
	if serverKey, err = c.makeKey(ctx, "server"); err != nil {
		return "", "", err
	}
	browserKey, err = c.makeKey(ctx, "browser")
	return serverKey, browserKey, err
}

func (c *control) makeKey(ctx context.Context, kind string) (string, error) {
	var k struct{ Text string }
	err := c.ask(ctx, http.MethodPost, "/api/v1/keys", map[string]string{"workspace": workspace, "kind": kind, "name": "bench"}, &k)
	return k.Text, err
}

// stored asks the warehouse how many events it holds.
func (c *control) stored(ctx context.Context) (uint64, error) {
	var t struct{ Rows [][]json.Number }
	if err := c.ask(ctx, http.MethodPost, "/api/v1/sql", map[string]string{"query": "select count(*) as n from events"}, &t); err != nil {
		return 0, err
	}
	if len(t.Rows) != 1 || len(t.Rows[0]) != 1 {
		return 0, errors.New("count(*) gives no number")
	}
	return strconv.ParseUint(t.Rows[0][0].String(), 10, 64)
}

// catchUp waits until the warehouse holds want events, or gets no further for
// too long, and returns how many it holds.
func (c *control) catchUp(ctx context.Context, want uint64) (uint64, error) {
	var last uint64
	moved := time.Now()
	for {
		n, err := c.stored(ctx)
		if err != nil {
			return 0, err
		}
		if n > last {
			last, moved = n, time.Now()
		}
		if n >= want || time.Since(moved) > c.patience {
			return n, nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// awaitReady waits until the server takes events.
func (c *control) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := c.ask(ctx, http.MethodGet, "/readyz", nil, nil)
		if err == nil {
			return nil
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("the server is not ready: %w", err)
		}
	}
}

// metrics reads the server's counters and gauges: name and labels, as they are
// written, to value. Only what the program counts itself and what the runtime
// says of memory is kept.
func (c *control) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return parseMetrics(io.LimitReader(res.Body, 16<<20))
}

// parseMetrics reads the text format of Prometheus.
func parseMetrics(r io.Reader) (map[string]float64, error) {
	out := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		space := strings.LastIndexByte(line, ' ')
		if space < 0 || !strings.HasPrefix(line, "kikubari_") && !strings.HasPrefix(line, "go_memstats_") {
			continue
		}
		v, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		out[line[:space]] = v
	}
	return out, lines.Err()
}

// sum adds up a metric over all its labels.
func sum(metrics map[string]float64, name string) float64 {
	n := metrics[name]
	for key, v := range metrics {
		if strings.HasPrefix(key, name+"{") {
			n += v // counts are whole numbers: the order does not matter
		}
	}
	return n
}

// stageSeconds is the counter of the work of each stage; the label says which.
const stageSeconds = "kikubari_stage_seconds_total"

// stages returns how many seconds each stage worked between two readings.
func stages(before, after map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for name, v := range after {
		labels, ok := strings.CutPrefix(name, stageSeconds+"{")
		if !ok {
			continue
		}
		_, rest, _ := strings.Cut(labels, `stage="`)
		stage, _, _ := strings.Cut(rest, `"`)
		out[stage] += v - before[name]
	}
	return out
}
