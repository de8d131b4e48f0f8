package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Once the receipt says so, no file holds a byte of what the person was called or
// said: neither as it stands nor compressed. What is left computes the same state.
// So it is where nothing else happens, and where much does.
func TestErasedPersonsLeaveNoBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs are not short")
	}
	t.Run("quiet", func(t *testing.T) { leaveNoBytes(t, 0, nil) })
	t.Run("busy", func(t *testing.T) { leaveNoBytes(t, 40, nil) })
	t.Run("un-merged", func(t *testing.T) { leaveNoBytes(t, 0, lendTablet) })
}

// lendTablet lets the person who is to be erased log in on somebody's tablet, and
// has the two told apart.
func lendTablet(t *testing.T, server *instance) {
	t.Helper()
	visit(t, server.address, `{"messageId":"staying-tablet-1","type":"track","event":"Looked","anonymousId":"staying-tablet"}`)
	visit(t, server.address, `{"messageId":"leaving-login","type":"identify","userId":"leaving-user","anonymousId":"staying-tablet","traits":{"said":"leaving-words"}}`)
	who := strings.Fields(releaseCommand(t, server.address, server.key, "customer", "show", "--anonymous", "leaving-device", "--workspace", "shop"))[0]
	releaseCommand(t, server.address, server.key, "customer", "unmerge", who, "--workspace", "shop", "--why", "a borrowed tablet", "--yes")
}

// leaveNoBytes has somebody erased behind whom so many batches of others stand
// that are not in a checkpoint yet; before it does something else.
func leaveNoBytes(t *testing.T, batches int, before func(*testing.T, *instance)) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	server := serveRelease(t, data, "erase.within=0s")
	admin := server.key
	releaseCommand(t, server.address, admin, "workspace", "create", "shop")
	releaseCommand(t, server.address, admin, "key", "create", "browser", "--workspace", "shop", "--text", "web-key")
	arrive(t, server.address)
	if before != nil {
		before(t, server)
	}
	if found := find(t, data, "leaving-"); len(found) == 0 {
		t.Fatal("the search finds nothing where something is")
	}
	receipt := eraseLeaving(t, server)
	for n := range batches {
		makeNoise(t, server.address, n)
	}
	awaitClean(t, server, admin, receipt)
	if found := find(t, data, "leaving-"); len(found) > 0 {
		t.Errorf("something is left in %v", found)
	}
	server.end(syscall.SIGTERM)
	verifyLog(t, data)
	if found := find(t, data, "leaving-"); len(found) > 0 {
		t.Errorf("after the end something is left in %v", found)
	}
}

// arrive lets the person who is to be erased and another one come.
func arrive(t *testing.T, address string) {
	t.Helper()
	for i := range 20 {
		visit(t, address, fmt.Sprintf(`{"messageId":"leaving-message-%d","type":"track","event":"Looked","anonymousId":"leaving-device","properties":{"said":"leaving-words"}}`, i))
		visit(t, address, fmt.Sprintf(`{"messageId":"staying-message-%d","type":"track","event":"Looked","anonymousId":"staying-device"}`, i))
	}
	visit(t, address, `{"messageId":"leaving-message-x","type":"identify","userId":"leaving-user","anonymousId":"leaving-device","traits":{"email":"leaving-mail@example.com"}}`)
	visit(t, address, `{"messageId":"leaving-message-1","type":"track","event":"Looked","anonymousId":"leaving-device"}`) // again
}

// eraseLeaving has the person erased and returns the receipt's id.
func eraseLeaving(t *testing.T, server *instance) string {
	t.Helper()
	out := releaseCommand(t, server.address, server.key, "erase", "--anonymous", "leaving-device", "--workspace", "shop", "--yes")
	receipt := receiptID.FindString(out)
	if receipt == "" {
		t.Fatalf("there is no receipt: %s", out)
	}
	return receipt
}

var receiptID = regexp.MustCompile(`\be_[0-9a-z]{16}\b`)

// makeNoise sends a quarter of a megabyte that cannot be compressed well.
func makeNoise(t *testing.T, address string, n int) {
	t.Helper()
	noise := make([]byte, 12<<10)
	var batch []string
	for i := range 10 {
		if _, err := rand.Read(noise); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, fmt.Sprintf(`{"messageId":"noise-%d-%d","type":"track","event":"Noise","anonymousId":"staying-device","properties":{"noise":%q}}`, n, i, hex.EncodeToString(noise)))
	}
	visit(t, address, strings.Join(batch, ","))
}

// awaitClean waits until a receipt says that all is clean.
func awaitClean(t *testing.T, server *instance, admin, receipt string) {
	t.Helper()
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out := releaseCommand(t, server.address, admin, "erasures", receipt, "--workspace", "shop")
		if strings.Contains(out, `"completed_at"`) {
			for _, want := range []string{`"store": "archive"`, `"store": "journal"`, `"store": "warehouse_file"`, `"log": "clean"`} {
				if !strings.Contains(out, want) {
					t.Errorf("the receipt has no %s: %s", want, out)
				}
			}
			if strings.Contains(out, "pending_until") {
				t.Errorf("something is pending although all is clean: %s", out)
			}
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("it is not clean: %s\n%s", out, server.log)
		}
	}
}

// verifyLog computes state and rows again from the log.
func verifyLog(t *testing.T, data string) {
	t.Helper()
	for _, command := range [][]string{{"replay", "--data", data}, {"rebuild", "--data", data, "--warehouse"}} {
		out := releaseCommand(t, "", "", command...)
		if !strings.Contains(out, "the same") {
			t.Errorf("kikubari %s: %s", strings.Join(command, " "), out)
		}
	}
}

// find lists the files below dir that hold a text, as it stands or in a zstd
// frame.
func find(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte(text)) || bytes.Contains(inflated(t, b), []byte(text)) {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// inflated returns what all zstd frames in b hold, one after the other.
func inflated(t *testing.T, b []byte) (out []byte) {
	t.Helper()
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	for {
		at := bytes.Index(b, magic)
		if at < 0 {
			return out
		}
		if err := z.Reset(bytes.NewReader(b[at:])); err != nil {
			t.Fatal(err)
		}
		frame, _ := io.ReadAll(z) // what comes behind the last frame is no error of ours
		out = append(out, frame...)
		b = b[at+len(magic):]
	}
}
