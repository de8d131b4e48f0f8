package journal_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
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

// goldenCompressed is the record whose bytes testdata/record-v2.hex pins down.
func goldenCompressed() *journal.Record {
	r := golden()
	r.Entries[2].Payload = bytes.Repeat(r.Entries[2].Payload, 20)
	return r
}

// TestCompressedFormatIsPinned fails when the bytes of version 2 are read in any
// other way. Which bytes the compressor chooses is its own affair.
func TestCompressedFormatIsPinned(t *testing.T) {
	if *update {
		encoded := compressed(t, goldenCompressed())
		if err := os.WriteFile(pinnedFile, []byte(hex.Dump(encoded)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := journal.DecodeRecord(42, pinned(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenCompressed(), got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

const pinnedFile = "testdata/record-v2.hex"

// pinned is the compressed record that is pinned down.
func pinned(t *testing.T) []byte {
	t.Helper()
	dump, err := os.ReadFile(pinnedFile)
	if err != nil {
		t.Fatal(err)
	}
	var encoded []byte
	for line := range strings.Lines(string(dump)) {
		columns, _, _ := strings.Cut(line[8:], "|")
		b, err := hex.DecodeString(strings.Join(strings.Fields(columns), ""))
		if err != nil {
			t.Fatal(err)
		}
		encoded = append(encoded, b...)
	}
	return encoded
}

// compressed encodes a record in version 2.
func compressed(tb testing.TB, r *journal.Record) []byte {
	tb.Helper()
	encoded := journal.Compress(journal.AppendRecord(nil, r))
	if encoded[3] != 2 {
		tb.Fatalf("a record of %d entries was not compressed", len(r.Entries))
	}
	return encoded
}

// TestEveryFlippedBitIsNoticed is the promise of the checksums: no single
// damaged bit of a record goes through.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	for _, encoded := range [][]byte{journal.AppendRecord(nil, golden()), compressed(t, goldenCompressed())} {
		for i := range len(encoded) * 8 {
			encoded[i/8] ^= 1 << (i % 8)
			_, err := journal.DecodeRecord(42, encoded)
			if d, ok := errors.AsType[*journal.DamageError](err); !ok || d.Sequence != 42 {
				t.Fatalf("bit %d of byte %d flipped: %v", i%8, i/8, err)
			}
			encoded[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	for _, encoded := range [][]byte{journal.AppendRecord(nil, golden()), compressed(t, goldenCompressed())} {
		for n := range encoded {
			if _, err := journal.DecodeRecord(42, encoded[:n]); err == nil {
				t.Fatalf("the first %d bytes pass as a record", n)
			}
		}
	}
}

// TestCompressedRecordThatLies rewrites a compressed record with all its
// checksums right: what it inflates to must be what its header says, and no
// header makes the reader take more memory than a record may have.
func TestCompressedRecordThatLies(t *testing.T) {
	for name, c := range map[string]struct {
		change func(header, block []byte)
		want   string
	}{
		"nothing":  {func(_, _ []byte) {}, ""},
		"longer":   {func(h, _ []byte) { h[32]++ }, "its entries inflate to 2920 bytes and not to 2921"},
		"shorter":  {func(h, _ []byte) { h[32]-- }, "its entries inflate to 2920 bytes and not to 2919"},
		"huge":     {func(h, _ []byte) { h[35] = 0x7f }, "2130709352 bytes are compressed to 65"},
		"no gain":  {func(h, _ []byte) { h[37] = 0x0c }, "2920 bytes are compressed to 3137"},
		"missing":  {func(h, _ []byte) { h[36]++ }, "it ends after 65 of 66 compressed bytes"},
		"garbage":  {func(_, b []byte) { b[2] = 0xff }, "its entries cannot be inflated: s2: corrupt input"},
		"entry":    {func(_, b []byte) { b[len(b)-20] ^= 1 }, "at entry"},
		"entries":  {func(h, _ []byte) { h[28]-- }, "bytes after the last entry"},
		"too many": {func(h, _ []byte) { h[29] = 0x70 }, "28675 entries in 2920 bytes"},
	} {
		b := pinned(t)
		c.change(b[:48], b[48:])
		_, err := journal.DecodeRecord(42, seal(b))
		if d, ok := errors.AsType[*journal.DamageError](err); c.want == "" && err != nil || c.want != "" && (!ok || d.Sequence != 42 || !strings.Contains(d.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
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

// seal makes the checksums of a compressed record's header and block right.
func seal(b []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.LittleEndian.PutUint32(b[40:], crc32.Checksum(b[48:], table))
	binary.LittleEndian.PutUint32(b[44:], crc32.Checksum(b[:44], table))
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
		encoded := journal.AppendRecord(nil, want)
		same := func(a, b cx.Entry) bool { return a.Kind == b.Kind && bytes.Equal(a.Payload, b.Payload) }
		for _, stored := range [][]byte{encoded, journal.Compress(encoded)} {
			got, err := journal.DecodeRecord(sequence, stored)
			if err != nil {
				t.Fatal(err)
			}
			if got.Sequence != want.Sequence || got.Previous != want.Previous || got.Time != want.Time ||
				!slices.EqualFunc(got.Entries, want.Entries, same) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	})
}

// FuzzDecodeRecord feeds the decoder with anything. What it accepts must encode
// to the same bytes: there is one encoding of a record in version 1, and a
// compressed record inflates to it.
func FuzzDecodeRecord(f *testing.F) {
	f.Add(uint64(42), journal.AppendRecord(nil, golden()))
	f.Add(uint64(1), journal.AppendRecord(nil, &journal.Record{Sequence: 1, Entries: []cx.Entry{{Kind: cx.EntryTick}}}))
	f.Add(uint64(1), []byte("KKJ\x01"))
	f.Add(uint64(42), compressed(f, goldenCompressed()))
	f.Fuzz(func(t *testing.T, sequence uint64, data []byte) {
		if len(data) > 48 && data[3] == 2 {
			data = seal(bytes.Clone(data)) // or nothing would get as far as the compressor
		}
		r, err := journal.DecodeRecord(sequence, data)
		if err != nil {
			if _, ok := errors.AsType[*journal.DamageError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		want, again := data, journal.AppendRecord(nil, r)
		if data[3] == 2 {
			again = again[36:]
			if want, err = s2.Decode(nil, data[48:]); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, want) {
			t.Fatalf("%x is also written as %x", want, again)
		}
	})
}

func BenchmarkAppendRecord(b *testing.B) {
	r := &journal.Record{Sequence: 1, Entries: entriesOf(payloads(700))}
	encoded := journal.AppendRecord(nil, r)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		encoded = journal.AppendRecord(encoded[:0], r)
	}
}

// BenchmarkCompress measures records of one event up to full ones.
func BenchmarkCompress(b *testing.B) {
	for _, events := range []int{1, 4, 16, 50, 700} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			encoded := journal.AppendRecord(nil, &journal.Record{Sequence: 1, Entries: entriesOf(payloads(events))})
			compress := journal.Compressor()
			b.SetBytes(int64(len(encoded)))
			b.ReportAllocs()
			stored := 0
			for b.Loop() {
				stored = len(compress(encoded))
			}
			b.ReportMetric(float64(len(encoded))/float64(stored), "ratio")
		})
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	encoded := journal.AppendRecord(nil, &journal.Record{Sequence: 1, Entries: entriesOf(payloads(700))})
	for name, stored := range map[string][]byte{"plain": encoded, "compressed": journal.Compress(encoded)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(encoded)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := journal.DecodeRecord(1, stored); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
