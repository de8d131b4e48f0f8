package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Config is everything that can be set. A value comes from, in rising order of
// precedence: the default tag, the YAML file, the environment variable
// KIKUBARI_ and the key in capitals with underscores, the command line.
type Config struct {
	Listen string `key:"listen" default:"127.0.0.1:7700" doc:"Address to serve on, host:port. Port 0 takes a free one."`
	Data   string `key:"data" default:"./data" doc:"The data directory: everything that must be kept is in it."`

	LogLevel  string `key:"log.level" default:"info" doc:"debug, info, warn or error."`
	LogFormat string `key:"log.format" default:"text" doc:"text or json."`

	JournalMaxMB     int           `key:"journal.max_mb" default:"65536" doc:"Largest size of the journal, in MB. When it is full new events are answered 503."`
	JournalReserveMB int           `key:"journal.reserve_mb" default:"256" doc:"Free disk space below which new events are answered 503, in MB."`
	JournalLinger    time.Duration `key:"journal.linger" default:"2ms" doc:"Least time between commits while single events come in thousands a second: 2ms puts more events into a commit then, for about 1ms of latency; 0 waits for nothing."`

	ArchiveEveryMB int           `key:"archive.every_mb" default:"64" doc:"How much journal, in MB, gathers before it is archived; also the size of the archive's files."`
	ArchiveEvery   time.Duration `key:"archive.every" default:"24h" doc:"How long less than that waits before it is archived."`
	ArchiveKeep    time.Duration `key:"archive.keep" default:"0" doc:"How long archived records and the checkpoints of each day are kept, such as 8760h; 0 is for ever. The journal's own records stay until it needs the room."`

	EraseWithin time.Duration `key:"erase.within" default:"168h" doc:"How long after a person was erased the files of archive and journal may hold them; those who are erased within half of it are removed from the archive in one go. 0 begins at once."`

	CustomersCacheMB int           `key:"customers.cache_mb" default:"1536" doc:"Memory for customers, in MB. Others are loaded when they appear."`
	CustomersRest    time.Duration `key:"customers.rest_after" default:"1m" doc:"How long a customer who does nothing is kept at hand, at least; then it is kept encoded, in a third of the memory."`
	MergesKeep       time.Duration `key:"merges.keep" default:"8760h" doc:"How long after a merge of two customers it can be undone; both are kept as they were before it for as long."`
	CheckpointEvery  time.Duration `key:"checkpoint.every" default:"5s" doc:"Shortest time between two checkpoints. It sets how long recovery takes, not what survives."`
	Workers          int           `key:"workers" default:"0" doc:"Goroutines that run the lanes; 0 is one a core. Results do not depend on it."`

	WarehouseMemoryMB int           `key:"warehouse.memory_mb" default:"64" doc:"Memory limit of the analytics engine, in MB."`
	WarehouseThreads  int           `key:"warehouse.threads" default:"1" doc:"Threads of the analytics engine."`
	SQLTimeout        time.Duration `key:"sql.timeout" default:"30s" doc:"Longest time for one query."`
	SQLMaxRows        int           `key:"sql.max_rows" default:"10000" doc:"Most rows of one answer."`

	DecisionDeadline time.Duration `key:"decision.deadline" default:"150ms" doc:"How long a request with ?actions=1 waits for its decision after it is durable."`
	RatePerKey       int           `key:"rate.events_per_second" default:"0" doc:"Most events a second from one write key, 0 for no limit. Above it the answer is 429."`
	MaxInFlight      int           `key:"rate.requests_in_flight" default:"4096" doc:"Most requests at once. Above it the answer is 429."`

	SendsWithin       time.Duration `key:"sends.commit_within" default:"1s" doc:"Longest time that something to be sent waits for its checkpoint."`
	SendsAttempts     int           `key:"sends.attempts" default:"8" doc:"Most attempts under way at once to one destination."`
	SendsTimeout      time.Duration `key:"sends.timeout" default:"15s" doc:"Longest time for one attempt."`
	SendsFirstRetry   time.Duration `key:"sends.first_retry" default:"5s" doc:"Longest wait before the second attempt; it doubles with each attempt, and the wait is any time up to it."`
	SendsLongestRetry time.Duration `key:"sends.longest_retry" default:"1h" doc:"Longest wait before any attempt."`
	SendsGiveUp       time.Duration `key:"sends.give_up" default:"24h" doc:"No attempt is made so long after the decision; what is transactional is tried once at least."`
	WebhookAllow      string        `key:"webhook.allow_networks" default:"" doc:"Inner networks (10.1.0.0/16), addresses and names of hosts that webhooks may reach, divided by commas. Without, only the public internet."`

	DebugListen string `key:"debug.listen" default:"" doc:"Address that serves Go profiles under /debug/pprof/; empty for none. Never make it public."`
}

// path is where a file of the data directory is.
func (c *Config) path(name string) string { return filepath.Join(c.Data, name) }

// Source says where a setting came from, for messages.
type setting struct {
	value string
	from  string
}

// LoadConfig reads the settings. file may be ""; flags are keys to values from
// the command line. All mistakes are reported together, each with its place.
func LoadConfig(file string, environ []string, flags map[string]string) (Config, error) {
	var c Config
	set := map[string]setting{}
	var problems []error
	if file != "" {
		problems = append(problems, readFile(file, set)...)
	}
	fields := c.fields()
	known := map[string]string{}
	for _, f := range fields {
		known[envName(f.key)] = f.key
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value == "" {
			continue // as good as not set
		}
		if key, ok := known[name]; ok {
			set[key] = setting{value, "environment variable " + name}
		} else if strings.HasPrefix(name, "KIKUBARI_") && !slices.Contains(notConfig, name) {
			problems = append(problems, fmt.Errorf("environment variable %s: there is no such setting; `kikubari config` lists them", name))
		}
	}
	for key, value := range flags {
		set[key] = setting{value, "--set " + key}
	}
	for _, f := range fields {
		s, ok := set[f.key]
		if !ok {
			s = setting{f.standard, "default"}
		}
		delete(set, f.key)
		if err := f.parse(s.value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %s = %q: %w", s.from, f.key, s.value, err))
		}
	}
	left := make([]string, 0, len(set))
	for key := range set {
		left = append(left, key)
	}
	slices.Sort(left)
	for _, key := range left {
		problems = append(problems, fmt.Errorf("%s: there is no setting %q%s", set[key].from, key, didYouMean(key, fields)))
	}
	return c, errors.Join(problems...)
}

// notConfig are variables of ours that are not settings of the server.
var notConfig = []string{"KIKUBARI_SERVER", "KIKUBARI_KEY", "KIKUBARI_FAULT", "KIKUBARI_CLOCK", "KIKUBARI_CONFIG"}

func envName(key string) string {
	return "KIKUBARI_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// readFile adds the settings of a YAML file, nested or with dotted keys.
func readFile(file string, set map[string]setting) []error {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return []error{fmt.Errorf("there is no configuration file %s", file)}
	} else if err != nil {
		return []error{err}
	}
	tree, err := parser.ParseBytes(b, 0)
	if err != nil {
		return []error{fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, true))}
	}
	var problems []error
	var walk func(prefix string, n ast.Node)
	walk = func(prefix string, n ast.Node) {
		var entries []*ast.MappingValueNode
		switch n := n.(type) {
		case *ast.MappingNode:
			entries = n.Values
		case *ast.MappingValueNode:
			entries = []*ast.MappingValueNode{n}
		case *ast.SequenceNode:
			problems = append(problems, fmt.Errorf("%s:%d: %s: a list is not expected here", file, n.GetToken().Position.Line, strings.TrimSuffix(prefix, ".")))
		case nil, *ast.NullNode, *ast.CommentGroupNode:
		default:
			key := strings.TrimSuffix(prefix, ".")
			set[key] = setting{n.GetToken().Value, fmt.Sprintf("%s:%d", file, n.GetToken().Position.Line)}
		}
		for _, e := range entries {
			walk(prefix+e.Key.GetToken().Value+".", e.Value)
		}
	}
	for _, doc := range tree.Docs {
		walk("", doc.Body)
	}
	return problems
}

// field is one setting of a Config.
type field struct {
	key, standard, doc string
	value              reflect.Value
}

func (c *Config) fields() []field {
	v := reflect.ValueOf(c).Elem()
	out := make([]field, v.NumField())
	for i := range out {
		tag := v.Type().Field(i).Tag
		out[i] = field{tag.Get("key"), tag.Get("default"), tag.Get("doc"), v.Field(i)}
	}
	return out
}

func (f field) parse(s string) error {
	switch f.value.Interface().(type) {
	case string:
		f.value.SetString(s)
		switch f.key {
		case "log.level":
			return oneOf(s, "debug", "info", "warn", "error")
		case "log.format":
			return oneOf(s, "text", "json")
		}
	case int:
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return errors.New("want a whole number, 0 or more")
		}
		f.value.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return errors.New("want a duration such as 150ms, 5s or 1h")
		}
		f.value.SetInt(int64(d))
	}
	return nil
}

func oneOf(s string, allowed ...string) error {
	if slices.Contains(allowed, s) {
		return nil
	}
	return fmt.Errorf("want one of %s", strings.Join(allowed, ", "))
}

func didYouMean(key string, fields []field) string {
	for _, f := range fields {
		if strings.HasSuffix(f.key, key) || strings.HasSuffix(key, f.key) || strings.ReplaceAll(f.key, "_", "") == strings.ReplaceAll(key, "_", "") {
			return fmt.Sprintf("; did you mean %q?", f.key)
		}
	}
	return "; `kikubari config` lists them"
}

// Print writes the settings as a YAML file that says what each means and
// whether it differs from the default.
func (c *Config) Print(w io.Writer) error {
	var b bytes.Buffer
	for _, f := range c.fields() {
		value := fmt.Sprint(f.value.Interface())
		fmt.Fprintf(&b, "# %s\n# default %s, environment %s\n%s: %s\n\n", f.doc, f.standard, envName(f.key), f.key, value)
	}
	_, err := w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}
