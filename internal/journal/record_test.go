package journal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is the record whose bytes testdata/record-v1.hex pins down.
func golden() *journal.Record {
	return &journal.Record{
		Sequence: 42,
		Previous: 40,
		Time:     1_795_350_896_000_001,
		Entries: []cx.Entry{
			{Kind: cx.EntryEvent, Payload: []byte(`{"event":"買い物"}`)},
			{Kind: cx.EntryTick, Payload: []byte{}},
			{Kind: cx.EntryCommand, Payload: bytes.Repeat([]byte("0123456789abcdef"), 9)},
		},
	}
}

// TestRecordFormatIsPinned fails when the bytes of version 1 change in any way:
// journals that people have on their disks could no longer be read.
func TestRecordFormatIsPinned(t *testing.T) {
	const file = "testdata/record-v1.hex"
	encoded := journal.AppendRecord(nil, golden())
	if *update {
		if err := os.WriteFile(file, []byte(hex.Dump(encoded)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), hex.Dump(encoded)); diff != "" {
		t.Errorf("the encoding changed (-want +got):\n%s", diff)
	}
	got, err := journal.DecodeRecord(42, encoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden(), got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// TestEveryFlippedBitIsNoticed is the promise of the checksums: no single
// damaged bit of a record goes through.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	encoded := journal.AppendRecord(nil, golden())
	for i := range len(encoded) * 8 {
		encoded[i/8] ^= 1 << (i % 8)
		_, err := journal.DecodeRecord(42, encoded)
		if d, ok := errors.AsType[*journal.DamageError](err); !ok || d.Sequence != 42 {
			t.Fatalf("bit %d of byte %d flipped: %v", i%8, i/8, err)
		}
		encoded[i/8] ^= 1 << (i % 8)
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	encoded := journal.AppendRecord(nil, golden())
	for n := range encoded {
		if _, err := journal.DecodeRecord(42, encoded[:n]); err == nil {
			t.Fatalf("the first %d bytes pass as a record", n)
		}
	}
}

func TestDamageNamesTheEntry(t *testing.T) {
	encoded := journal.AppendRecord(nil, golden())
	whole := len(encoded)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"last entry":  {flipped(encoded, whole-1), "journal record 42 is damaged at entry 2: its checksum does not match (of 3 entries)"},
		"first entry": {flipped(encoded, 36+6+2), "journal record 42 is damaged at entry 0: its checksum does not match (of 3 entries)"},
		"header":      {flipped(encoded, 5), "journal record 42 is damaged: the checksum of its header does not match"},
		"version":     {flipped(encoded, 3), "journal record 42 is damaged: version 0 is not known to this program"},
		"stranger":    {[]byte(strings.Repeat("x", 64)), "journal record 42 is damaged: it does not begin as a record"},
		"longer":      {append(bytes.Clone(encoded), 0, 0), "journal record 42 is damaged: 2 bytes after the last entry"},
		"shorter":     {encoded[:whole-1], "journal record 42 is damaged at entry 2: the record ends inside it (of 3 entries)"},
	} {
		if _, err := journal.DecodeRecord(42, c.data); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := journal.DecodeRecord(40, encoded); err == nil || err.Error() != "journal record 40 is damaged: record 42 is in its place" {
		t.Errorf("a record in the wrong place: %v", err)
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func TestRecordRoundTrip(t *testing.T) {
	entry := rapid.Custom(func(t *rapid.T) cx.Entry {
		size := rapid.OneOf(rapid.IntRange(0, 140), rapid.IntRange(16_380, 16_390)).Draw(t, "size")
		fill := rapid.Byte().Draw(t, "fill")
		return cx.Entry{Kind: cx.EntryKind(rapid.Byte().Draw(t, "kind")), Payload: bytes.Repeat([]byte{fill}, size)}
	})
	rapid.Check(t, func(t *rapid.T) {
		sequence := rapid.Uint64Range(1, 1<<48).Draw(t, "sequence")
		want := &journal.Record{
			Sequence: sequence,
			Previous: rapid.Uint64Range(0, sequence-1).Draw(t, "previous"),
			Time:     cx.Instant(rapid.Int64Range(0, 1<<62).Draw(t, "time")),
			Entries:  rapid.SliceOfN(entry, 1, 20).Draw(t, "entries"),
		}
		got, err := journal.DecodeRecord(sequence, journal.AppendRecord(nil, want))
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b cx.Entry) bool { return a.Kind == b.Kind && bytes.Equal(a.Payload, b.Payload) }
		if got.Sequence != want.Sequence || got.Previous != want.Previous || got.Time != want.Time ||
			!slices.EqualFunc(got.Entries, want.Entries, same) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// FuzzDecodeRecord feeds the decoder with anything. What it accepts must encode
// to the same bytes: there is one encoding of a record.
func FuzzDecodeRecord(f *testing.F) {
	f.Add(uint64(42), journal.AppendRecord(nil, golden()))
	f.Add(uint64(1), journal.AppendRecord(nil, &journal.Record{Sequence: 1, Entries: []cx.Entry{{Kind: cx.EntryTick}}}))
	f.Add(uint64(1), []byte("KKJ\x01"))
	f.Fuzz(func(t *testing.T, sequence uint64, data []byte) {
		r, err := journal.DecodeRecord(sequence, data)
		if err != nil {
			if _, ok := errors.AsType[*journal.DamageError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if again := journal.AppendRecord(nil, r); !bytes.Equal(again, data) {
			t.Fatalf("%x is also written as %x", data, again)
		}
	})
}

func BenchmarkAppendRecord(b *testing.B) {
	r := &journal.Record{Sequence: 1, Entries: make([]cx.Entry, 800)}
	for i := range r.Entries {
		r.Entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: make([]byte, 600)}
	}
	encoded := journal.AppendRecord(nil, r)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		encoded = journal.AppendRecord(encoded[:0], r)
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	r := &journal.Record{Sequence: 1, Entries: make([]cx.Entry, 800)}
	for i := range r.Entries {
		r.Entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: make([]byte, 600)}
	}
	encoded := journal.AppendRecord(nil, r)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := journal.DecodeRecord(1, encoded); err != nil {
			b.Fatal(err)
		}
	}
}
