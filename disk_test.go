package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// disk is a file system of its own, small enough to be filled.
type disk struct {
	t    *testing.T
	path string
}

// mountDisk mounts one, or skips the test where that is not possible.
func mountDisk(t *testing.T, kind, source, options string) *disk {
	t.Helper()
	if testing.Short() {
		t.Skip("a disk of its own is not short")
	}
	d := &disk{t, t.TempDir()}
	if out, err := exec.Command("mount", "-t", kind, "-o", options, source, d.path).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here, which needs root on Linux: %v: %s", err, out)
	}
	t.Cleanup(d.unmount)
	return d
}

// unmount may be called for one that is not mounted any more.
func (d *disk) unmount() {
	err := syscall.Unmount(d.path, 0)
	for deadline := time.Now().Add(10 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline); err = syscall.Unmount(d.path, 0) {
		time.Sleep(20 * time.Millisecond) // the program has just ended
	}
	if err != nil && !errors.Is(err, syscall.EINVAL) {
		d.t.Errorf("unmount %s: %v", d.path, err)
	}
}

func (d *disk) free() int64 {
	d.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.path, &s); err != nil {
		d.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// fill writes a file until only so many bytes are left; 0 is until nothing more
// can be written at all.
func (d *disk) fill(left int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for left == 0 || d.free() > left {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

// clear gives the room back.
func (d *disk) clear() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) ballast() string { return filepath.Join(d.path, "ballast") }

// awaitRefusal waits until events are refused with 503 for a reason that has the
// words in it, and a time to wait.
func (c *trial) awaitRefusal(words string) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; pause(c.t.Context(), 10*time.Millisecond) {
		why := c.lastRefusal()
		if strings.HasPrefix(why, "503 (Retry-After ") && !strings.HasPrefix(why, "503 (Retry-After )") && strings.Contains(why, words) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("no event is refused with %q; the last refusal was: %s\n%s", words, why, c.server.log)
		}
	}
}

// awaitCondition waits until /readyz says that the program is ready, or is not
// for a reason that has the words in it.
func (c *trial) awaitCondition(ready bool, words string) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; pause(c.t.Context(), 20*time.Millisecond) {
		var how struct {
			Ready    bool
			Reason   string
			Warnings []string
		}
		body := c.get("/readyz")
		if err := json.Unmarshal([]byte(body), &how); err != nil {
			c.t.Fatalf("/readyz says %s: %v", body, err)
		}
		if how.Ready == ready && strings.Contains(how.Reason+strings.Join(how.Warnings, "\n"), words) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("/readyz says %s, want ready %v and %q\n%s", body, ready, words, c.server.log)
		}
	}
}

func (c *trial) get(path string) string {
	c.t.Helper()
	res, err := http.Get(*c.address.Load() + path)
	if err != nil {
		c.t.Fatalf("GET %s: %v\n%s", path, err, c.server.log)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// doctor returns what kikubari doctor says about the running program.
func (c *trial) doctor() string {
	c.t.Helper()
	command := exec.Command(c.binary, "doctor", "--data", c.data, "--listen", strings.TrimPrefix(*c.address.Load(), "http://"))
	out, err := command.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		c.t.Fatal(err)
	}
	return string(out)
}

// onDisk is a trial whose data is on d and that leaves 24 MB of it free.
func onDisk(t *testing.T, d *disk) *trial {
	t.Helper()
	c := newTrial(t)
	c.data = filepath.Join(d.path, "data")
	c.settings = append(c.settings, "journal.reserve_mb=24")
	return c
}

// TestNearlyFullDisk fills the disk up to the reserve: events are refused before
// anything is hurt, and taken again as soon as there is room. The program also
// starts on such a disk.
func TestNearlyFullDisk(t *testing.T) {
	d := mountDisk(t, "tmpfs", "tmpfs", "size=160m")
	c := onDisk(t, d)
	c.start("")
	unload := c.load(1, 8)
	defer unload()
	c.awaitAcked(500, 30*time.Second)
	for _, restart := range []bool{false, true} {
		d.fill(16 << 20)
		c.awaitRefusal("the disk is nearly full")
		c.awaitCondition(false, "make room")
		if said := c.doctor(); !strings.Contains(said, "the disk is nearly full") {
			t.Errorf("the doctor says\n%s", said)
		}
		if restart {
			c.stop()
			c.start("")
			c.awaitCondition(false, "the disk is nearly full")
			c.awaitRefusal("the disk is nearly full")
		}
		acked := c.acked.Load()
		pause(t.Context(), 300*time.Millisecond)
		if more := c.acked.Load() - acked; more > 0 {
			t.Errorf("%d events were acknowledged without room for them", more)
		}
		if metrics := c.get("/metrics"); !strings.Contains(metrics, "\nkikubari_journal_opens 1\n") {
			t.Error("the journal's storage was hurt: it was opened again")
		}
		d.clear()
		c.awaitAcked(500, 30*time.Second)
		c.awaitCondition(true, "")
	}
	c.conclude(unload)
}

// TestFullDisk lets another process take all of the disk at once, the reserve
// too, while the journal, the warehouse and the checkpoint are writing. With or
// without a crash, what was acknowledged is there when there is room again.
func TestFullDisk(t *testing.T) {
	d := mountDisk(t, "tmpfs", "tmpfs", "size=160m")
	c := onDisk(t, d)
	const slowly = "warehouse.inside:delay=400ms,checkpoint.inside:delay=200ms" // so that writes are under way
	c.start(slowly)
	unload := c.load(2, 8)
	defer unload()
	for round, crash := range []bool{false, false, true, true} {
		c.awaitAcked(500, 60*time.Second)
		c.awaitSaved()
		pause(t.Context(), time.Duration(round)*250*time.Millisecond) // another moment each time
		d.fill(0)
		c.awaitRefusal("nothing was written")
		d.fill(0) // the rest of what was given back
		pause(t.Context(), time.Second)
		if how := c.get("/readyz"); !strings.Contains(how, "the disk is nearly full") && !strings.Contains(how, "no space left on device") {
			t.Errorf("/readyz says %s", how)
		}
		if crash {
			c.server.end(syscall.SIGKILL)
			if out, err := c.command("demo", "").CombinedOutput(); err == nil || !strings.Contains(string(out), "no space left on device") && !strings.Contains(string(out), "disk is full") {
				t.Errorf("on a full disk the program says: %v\n%s", err, out)
			}
		}
		d.clear()
		if crash {
			c.start(slowly)
		}
	}
	c.awaitAcked(500, 60*time.Second)
	c.awaitCondition(true, "")
	c.conclude(unload)
}

// awaitSaved waits for another checkpoint.
func (c *trial) awaitSaved() {
	c.t.Helper()
	at := c.checkpoint()
	for deadline := time.Now().Add(60 * time.Second); c.checkpoint() == at; pause(c.t.Context(), 20*time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("no checkpoint is written: %s\n%s", c.get("/readyz"), c.server.log)
		}
	}
}

// checkpoint returns the position of the last checkpoint.
func (c *trial) checkpoint() string {
	c.t.Helper()
	var how struct {
		Stages []struct{ Stage, Position string }
	}
	if err := json.Unmarshal([]byte(c.get("/readyz")), &how); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range how.Stages {
		if s.Stage == "checkpoint" {
			return s.Position
		}
	}
	return ""
}

// TestDiskTurnsReadOnly makes the kernel turn the file system read-only, as it
// does after a fault of the device. Files that are open stay unwritable until the
// program has let go of them: it refuses events, says why, and stops when told;
// after repair and restart everything that was acknowledged is there.
func TestDiskTurnsReadOnly(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 256<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Skipf("no file system can be made here: %v: %s", err, out)
	}
	d := mountDisk(t, "ext4", image, "loop")
	c := onDisk(t, d)
	c.start("")
	unload := c.load(3, 8)
	defer unload()
	c.awaitAcked(500, 30*time.Second)
	c.awaitSaved()
	if out, err := exec.Command("mount", "-o", "remount,abort", d.path).CombinedOutput(); err != nil {
		t.Skipf("the file system cannot be made to fail: %v: %s", err, out)
	}
	c.awaitRefusal("read-only file system")
	acked := c.acked.Load()
	c.awaitCondition(false, "read-only file system")
	if said := c.doctor(); !strings.Contains(said, "read-only file system") {
		t.Errorf("the doctor says\n%s", said)
	}
	if alive := c.get("/healthz"); !strings.Contains(alive, "true") {
		t.Errorf("/healthz says %s", alive)
	}
	if more := c.acked.Load() - acked; more > 0 {
		t.Errorf("%d events were acknowledged and cannot have been stored", more)
	}
	c.stop()
	d.unmount()
	if out, err := exec.Command("mount", "-o", "loop", image, d.path).CombinedOutput(); err != nil {
		t.Fatalf("mount again: %v: %s", err, out)
	}
	c.start("")
	c.awaitAcked(500, 30*time.Second)
	c.conclude(unload)
}

// TestReadOnlyDirectory starts the program where it may not write: it says so and
// ends, and goes on later as if nothing had been.
func TestReadOnlyDirectory(t *testing.T) {
	d := mountDisk(t, "tmpfs", "tmpfs", "size=160m")
	c := onDisk(t, d)
	remount := func(mode string) {
		t.Helper()
		if out, err := exec.Command("mount", "-o", "remount,"+mode, d.path).CombinedOutput(); err != nil {
			t.Fatalf("remount %s: %v: %s", mode, err, out)
		}
	}
	refused := func() {
		t.Helper()
		out, err := c.command("demo", "").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "read-only file system") || !strings.Contains(string(out), d.path) {
			t.Errorf("the program says %v\n%s", err, out)
		}
	}
	remount("ro")
	refused() // there is no data yet
	remount("rw")
	c.start("")
	unload := c.load(4, 4)
	defer unload()
	c.awaitAcked(200, 30*time.Second)
	c.stop()
	remount("ro")
	refused()
	remount("rw")
	c.start("")
	c.awaitAcked(200, 30*time.Second)
	c.conclude(unload)
}

// TestSlowDisk slows the journal's disk down, then the other files' too, then
// stops it for longer than anybody waits. More requests than the program holds are told to come back,
// those that it holds are acknowledged when they are durable or refused in time,
// and when the disk is well again so is everything else, by itself.
func TestSlowDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("a slow disk is not short")
	}
	c := newTrial(t)
	c.patience = 20 * time.Second
	c.settings = append(c.settings, "rate.requests_in_flight=16")
	c.start("append.before:delay=150ms*60,checkpoint.before:delay=1s*3,warehouse.inside:delay=1s*4")
	unload := c.load(8, 64)
	defer unload()
	c.awaitRefused(http.StatusTooManyRequests)
	c.awaitAcked(500, 60*time.Second)
	if slow, all := c.metric(`kikubari_durable_seconds_bucket{le="0.1024"}`), c.metric("kikubari_durable_seconds_count"); slow > all/2 {
		t.Errorf("%v of %v requests are said to have been durable within 0.1 s", slow, all)
	}
	c.awaitAcked(2000, 60*time.Second) // the disk is well by then
	c.awaitSaved()
	unload()
	c.stop()

	c.start("append.before:delay=7s*1")
	unload = c.load(9, 8)
	c.awaitRefusal("send it again")
	c.awaitAcked(500, 60*time.Second)
	c.awaitCondition(true, "")
	c.conclude(unload)
}

// awaitRefused waits until an event is refused with a status and a time to wait.
func (c *trial) awaitRefused(status int) {
	c.t.Helper()
	want := fmt.Sprintf("%d (Retry-After ", status)
	for deadline := time.Now().Add(30 * time.Second); ; pause(c.t.Context(), 10*time.Millisecond) {
		why := c.lastRefusal()
		if strings.HasPrefix(why, want) && !strings.HasPrefix(why, want+")") {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("no event is refused with %d; the last refusal was: %s", status, why)
		}
	}
}

// metric is the value of one line of /metrics.
func (c *trial) metric(name string) float64 {
	c.t.Helper()
	for line := range strings.Lines(c.get("/metrics")) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				c.t.Fatal(err)
			}
			return v
		}
	}
	c.t.Fatalf("there is no metric %s", name)
	return 0
}

// TestStuckWarehouse holds one batch for the warehouse back while events come as
// fast as they can: the machine is held up before memory runs out, the front door
// says so, and everything goes on when the batch is stored.
func TestStuckWarehouse(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million events are not short")
	}
	c := newTrial(t)
	well := filepath.Join(t.TempDir(), "well")
	c.start("warehouse.before:until=" + well)
	var acked, held atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() {
			for n := 0; ctx.Err() == nil && held.Load() == 0; n++ {
				switch status, body := c.sendBatch(fmt.Sprintf("b%d-%d", i, n)); {
				case status == http.StatusOK:
					acked.Add(batchSize)
				case status == http.StatusServiceUnavailable && strings.Contains(body, "the pipeline is behind"):
					held.Add(1)
				default:
					t.Errorf("a batch was answered %d %s", status, body)
					return
				}
			}
		})
	}
	senders.Wait()
	if held.Load() == 0 {
		t.Errorf("%d events were taken and nobody was held up", acked.Load())
	}
	memory := c.metric("process_resident_memory_bytes") / (1 << 20)
	t.Logf("%d events were taken in %.0f MB", acked.Load(), memory)
	if memory > 1500 {
		t.Errorf("the program takes %.0f MB", memory)
	}
	if err := os.WriteFile(well, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); int64(c.number("select count(*) from events")) < acked.Load(); pause(t.Context(), 200*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d events are stored\n%s", c.number("select count(*) from events"), acked.Load(), c.get("/readyz"))
		}
	}
	c.awaitCondition(true, "")
	c.stop()
}

const batchSize = 1000

// sendBatch sends a batch of page views of a thousand people and returns how it
// was answered.
func (c *trial) sendBatch(name string) (status int, body string) {
	var b strings.Builder
	b.WriteString(`{"writeKey":"demo","batch":[`)
	for i := range batchSize {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"page","messageId":"%s-%d","anonymousId":"v-%[2]d"}`, name, i)
	}
	b.WriteString(`]}`)
	res, err := http.Post(*c.address.Load()+"/v1/batch", "application/json", strings.NewReader(b.String()))
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(answer)
}
