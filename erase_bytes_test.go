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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Once the receipt says so, no file holds a byte of what the person was called or
// said: neither as it stands nor compressed. What is left computes the same state.
func TestErasedPersonsLeaveNoBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("whole programs are not short")
	}
	data := filepath.Join(t.TempDir(), "data")
	settings := []string{"erase.within=0s", "checkpoint.every=200ms", "archive.every=300ms", "journal.max_mb=64"}
	server := serveRelease(t, data, settings...)
	admin := server.key
	releaseCommand(t, server.address, admin, "workspace", "create", "shop")
	releaseCommand(t, server.address, admin, "key", "create", "browser", "--workspace", "shop", "--text", "web-key")
	for i := range 20 {
		visit(t, server.address, fmt.Sprintf(`{"messageId":"leaving-message-%d","type":"track","event":"Looked","anonymousId":"leaving-device","properties":{"said":"leaving-words"}}`, i))
		visit(t, server.address, fmt.Sprintf(`{"messageId":"staying-message-%d","type":"track","event":"Looked","anonymousId":"staying-device"}`, i))
	}
	visit(t, server.address, `{"messageId":"leaving-message-x","type":"identify","userId":"leaving-user","anonymousId":"leaving-device","traits":{"email":"leaving-mail@example.com"}}`)
	visit(t, server.address, `{"messageId":"leaving-message-1","type":"track","event":"Looked","anonymousId":"leaving-device"}`) // again
	if found := find(t, data, "leaving-"); len(found) == 0 {
		t.Fatal("the search finds nothing where something is")
	}
	out := releaseCommand(t, server.address, admin, "erase", "--anonymous", "leaving-device", "--workspace", "shop", "--yes")
	receipt := out[strings.Index(out, "e_"):]
	receipt = receipt[:strings.IndexAny(receipt, " .")]
	noise := make([]byte, 12<<10)
	for n, limit := 0, time.Now().Add(2*time.Minute); ; n++ {
		if out = releaseCommand(t, server.address, admin, "erasures", receipt, "--workspace", "shop"); strings.Contains(out, `"log": "clean"`) {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("after %d batches it is not clean: %s\n%s", n, out, server.log)
		}
		var batch []string
		for i := range 10 {
			if _, err := rand.Read(noise); err != nil {
				t.Fatal(err)
			}
			batch = append(batch, fmt.Sprintf(`{"messageId":"noise-%d-%d","type":"track","event":"Noise","anonymousId":"staying-device","properties":{"noise":%q}}`, n, i, hex.EncodeToString(noise)))
		}
		visit(t, server.address, strings.Join(batch, ","))
	}
	for _, want := range []string{`"store": "archive"`, `"store": "journal"`, `"completed_at"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the receipt has no %s: %s", want, out)
		}
	}
	if found := find(t, data, "leaving-"); len(found) > 0 {
		t.Errorf("something is left in %v", found)
	}
	server.end(syscall.SIGTERM)
	for _, command := range [][]string{{"replay", "--data", data}, {"rebuild", "--data", data, "--warehouse"}} {
		out := releaseCommand(t, "", "", command...)
		if !strings.Contains(out, "the same") {
			t.Errorf("kikubari %s: %s", strings.Join(command, " "), out)
		}
	}
	if found := find(t, data, "leaving-"); len(found) > 0 {
		t.Errorf("after the end something is left in %v", found)
	}
}

// find lists the files below dir that hold a text, as it stands or in a zstd
// frame. The warehouse is left out: free blocks of it may hold what was deleted
// until they are used again, as docs/privacy.md says.
func find(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "warehouse.duckdb") {
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
