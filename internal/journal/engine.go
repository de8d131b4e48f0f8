package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	streamName = "JOURNAL"
	subject    = "journal"

	// maxMessage is what the embedded server takes in one message. A record is
	// at most half of it.
	maxMessage = 1 << 20

	// maxUnread is how many messages a connection keeps for whoever asked for them;
	// no answer has more than a batch of records.
	maxUnread = 4 * batchRecords
)

// errFull is the engine's answer when the stream has reached its limit.
var errFull = errors.New("the journal is full")

// engine is one run of the embedded server, with the connection that commits
// and administers. A write error makes the server refuse everything after it,
// so an engine that failed once is closed and a new one opened.
type engine struct {
	server *server.Server
	conn   *nats.Conn
	inbox  string // where acknowledgements come
	acks   *nats.Subscription
	stream jetstream.Stream
	log    natsLog
	life   context.Context // ends, with the cause, when the server can store nothing any more
	die    context.CancelCauseFunc

	// timeout bounds how long the server may take to read a message and to
	// acknowledge a record.
	timeout time.Duration
}

// startEngine opens the stream in dir, or makes it.
func startEngine(ctx context.Context, dir string, o Options) (*engine, error) {
	return startEngineAs(ctx, o, serverOptions(dir), streamConfig(o.MaxBytes))
}

// startEngineAs opens or makes a stream as config says.
func startEngineAs(ctx context.Context, o Options, options *server.Options, config jetstream.StreamConfig) (*engine, error) {
	if err := writable(options.StoreDir); err != nil {
		return nil, fmt.Errorf("open the journal's storage: %w", err)
	}
	e := &engine{timeout: o.CommitTimeout}
	e.life, e.die = context.WithCancelCause(context.WithoutCancel(ctx))
	e.log = natsLog{e.life, o.Log, e.die}
	err := e.start(ctx, options, config)
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("open the journal's storage: %w", err)
	}
	return e, nil
}

// writable makes dir and fails when no file can be made in it: the server would
// not say why.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, "writable.tmp")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	return os.Remove(name)
}

func (e *engine) start(ctx context.Context, options *server.Options, config jetstream.StreamConfig) error {
	var err error
	if e.server, err = server.NewServer(options); err != nil {
		return err
	}
	e.server.SetLoggerV2(e.log, false, false, false)
	e.server.Start()
	if e.life.Err() != nil {
		return context.Cause(e.life) //nolint:contextcheck // the engine lives longer than the call that starts it
	}
	if !e.server.ReadyForConnections(untilDeadline(ctx, time.Minute)) {
		return errors.New("the embedded server does not get ready")
	}
	if e.conn, err = e.connect(); err != nil {
		return err
	}
	e.inbox = e.conn.NewRespInbox()
	if e.acks, err = e.conn.SubscribeSync(e.inbox); err != nil {
		return err
	}
	js, err := jetstream.New(e.conn)
	if err != nil {
		return err
	}
	e.stream, err = js.CreateOrUpdateStream(ctx, config)
	return err
}

// serverOptions describe a server that only this process can reach. SyncAlways
// makes it write to the disk before each acknowledgement: without it the
// journal would be durable up to two minutes ago.
func serverOptions(dir string) *server.Options {
	return &server.Options{
		ServerName:             "journal",
		DontListen:             true,
		NoSigs:                 true,
		NoSystemAccount:        true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      math.MaxInt64 / 2,
		StoreDir:               dir,
		SyncAlways:             true,
		MaxPayload:             maxMessage,
	}
}

func streamConfig(maxBytes int64) jetstream.StreamConfig {
	if maxBytes == 0 {
		maxBytes = -1
	}
	return jetstream.StreamConfig{
		Name:        streamName,
		Subjects:    []string{subject},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    maxBytes,
		MaxMsgSize:  MaxRecord,
		AllowDirect: true,
		DenyDelete:  true,
		// The journal publishes no message ids; the shortest window keeps the
		// table of them empty.
		Duplicates: 100 * time.Millisecond,
	}
}

// connect makes another connection to the embedded server; the caller closes
// it. A connection does not outlive its server.
func (e *engine) connect() (*nats.Conn, error) {
	return nats.Connect("",
		nats.InProcessServer(e.server), nats.NoReconnect(), nats.IgnoreDiscoveredServers(),
		// Leave all writing to the library's own goroutine. The connection is a pipe
		// without a buffer: on a busy machine a writer waits long for its turn after
		// the server has read, and nobody needs to wait with it.
		nats.WriteBufferSize(2*maxMessage), nats.FlusherTimeout(e.timeout), nats.SyncQueueLen(maxUnread),
		// Without a handler of ours the library writes to standard error. Whoever
		// uses the connection gets the error too.
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			e.log.Warnf("connection: %v", err)
		}))
}

// stop ends the server and waits until its files are closed. A half-started
// engine may be stopped too.
func (e *engine) stop() {
	e.die(errStopped)
	if e.conn != nil {
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

// publish stores one record and returns its sequence once it is on the disk.
// errFull means that it was refused for room; after any other error it is not
// known whether the record is stored.
// Only one call may be under way; after such an error there may be no other.
func (e *engine) publish(record []byte) (sequence uint64, err error) {
	if err := e.conn.PublishRequest(subject, e.inbox, record); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(e.life, e.timeout)
	defer cancel()
	reply, err := e.acks.NextMsgWithContext(ctx)
	if err != nil {
		return 0, errors.Join(err, context.Cause(e.life))
	}
	var ack struct {
		Sequence uint64           `json:"seq"`
		Error    *server.ApiError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("acknowledgement %q: %w", reply.Data, err)
	}
	switch {
	case ack.Error == nil:
		return ack.Sequence, nil
	case strings.Contains(ack.Error.Description, server.ErrMaxBytes.Error()):
		return 0, errFull
	}
	return 0, fmt.Errorf("the stream answers %d: %s", ack.Error.Code, ack.Error.Description)
}

func (e *engine) state(ctx context.Context) (jetstream.StreamState, error) {
	info, err := e.stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return info.State, nil
}

// purge removes the records below a sequence.
func (e *engine) purge(ctx context.Context, below uint64) error {
	return e.stream.Purge(ctx, jetstream.WithPurgeSequence(below))
}

// last returns the newest readable record, nil when there is none.
func (e *engine) last(ctx context.Context) (*Record, error) {
	m, err := e.stream.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the last record: %w", err)
	}
	return DecodeRecord(m.Sequence, m.Data)
}

// untilDeadline is the time left in ctx, at most limit.
func untilDeadline(ctx context.Context, limit time.Duration) time.Duration {
	if d, ok := ctx.Deadline(); ok {
		return min(limit, time.Until(d))
	}
	return limit
}

var errStopped = errors.New("the storage engine is stopped")

// natsLog passes the embedded server's messages to slog. Its notices are of
// interest to nobody but the person who debugs it. Two kinds of message mean that
// the server can store nothing any more: it does not say so to publishers.
type natsLog struct {
	ctx context.Context // of the engine, not of a call
	log *slog.Logger
	die context.CancelCauseFunc
}

func (l natsLog) Noticef(f string, v ...any) { l.pass(slog.LevelDebug, f, v) }
func (l natsLog) Warnf(f string, v ...any)   { l.pass(slog.LevelWarn, f, v) }
func (l natsLog) Debugf(string, ...any)      {}
func (l natsLog) Tracef(string, ...any)      {}

func (l natsLog) Errorf(f string, v ...any) {
	l.pass(slog.LevelError, f, v)
	if strings.Contains(f, "ritical write error") {
		l.die(fmt.Errorf(f, v...))
	}
}

func (l natsLog) Fatalf(f string, v ...any) {
	l.pass(slog.LevelError, f, v)
	l.die(fmt.Errorf(f, v...))
}

func (l natsLog) pass(level slog.Level, format string, values []any) {
	if l.log.Enabled(l.ctx, level) {
		l.log.LogAttrs(l.ctx, level, "journal_engine", slog.String("message", fmt.Sprintf(format, values...)))
	}
}
