package journal

import (
	"path/filepath"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Compress returns version 2 of a record in version 1, or that when it is not
// worth it.
func Compress(record []byte) []byte { return Compressor()(record) }

// Compressor returns Compress with memory: what it returns is valid until the
// next call.
func Compressor() func(record []byte) []byte { return new(compressor).compress }

// FreeSpace makes o believe that so many bytes of the disk are free.
func FreeSpace(o *Options, free func() uint64) {
	o.free = func(string) (uint64, error) { return free(), nil }
}

// CrashEngine stops the storage engine as if it had failed.
func CrashEngine(j *Journal) {
	j.mu.Lock()
	e := j.engine
	j.mu.Unlock()
	if e != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

// StoreUnacknowledged stores a record of one entry as a commit does whose
// acknowledgement is lost.
func StoreUnacknowledged(j *Journal, payload string) {
	j.mu.Lock()
	e, end := j.engine, j.tail
	j.mu.Unlock()
	record := AppendRecord(nil, &Record{
		Sequence: end.sequence + 1, Previous: end.previous, Time: end.time,
		Entries: []cx.Entry{{Kind: cx.EntryEvent, Payload: []byte(payload)}},
	})
	if _, err := e.publish(record); err != nil {
		panic(err)
	}
}

// Waits tells how long each of several commits waits for company when so many
// appends have gathered every so often.
func Waits(linger, every time.Duration, appends, commits int) []time.Duration {
	var p pace
	var waits []time.Duration
	for now := time.Unix(1_800_000_000, 0); len(waits) < commits; now = now.Add(every) {
		waits = append(waits, p.wait(now, linger))
		p.begin(now, appends)
	}
	return waits
}

// Inspect looks at the files of a journal that is closed.
func Inspect(dir string) error { return inspect(filepath.Join(dir, "stream")) }

// Mark stands at the beginning of every record in those files.
const Mark = mark
