package cx_test

import (
	"encoding/binary"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestReaderStopsAtTheFirstFault cuts an encoding off at every byte: what is
// missing reads as zero, nothing behind the fault is read, and End says so.
func TestReaderStopsAtTheFirstFault(t *testing.T) {
	whole := binary.AppendUvarint([]byte{7}, 300)
	whole = binary.AppendVarint(whole, -300)
	whole = binary.LittleEndian.AppendUint64(whole, 1<<40)
	whole = cx.AppendBytes(cx.AppendBytes(whole, "気配り"), []byte(nil))
	read := func(b []byte) (out [4]int64, text string, none []byte, err error) {
		r := cx.NewReader(b)
		out = [4]int64{int64(r.Byte()), int64(r.Uvarint()), r.Varint(), int64(r.Uint64())}
		text, none = r.Text(), r.Bytes()
		return out, text, none, r.End()
	}
	want := [4]int64{7, 300, -300, 1 << 40}
	if got, text, none, err := read(whole); got != want || text != "気配り" || none != nil || err != nil {
		t.Errorf("%v %q %v %v", got, text, none, err)
	}
	for n := range whole {
		got, text, _, err := read(whole[:n])
		if err == nil {
			t.Errorf("the first %d bytes are accepted", n)
		}
		missing := false
		for i, v := range got {
			if missing && v != 0 || v != 0 && v != want[i] {
				t.Errorf("of the first %d bytes it reads %v", n, got)
			}
			missing = missing || v == 0
		}
		if missing && text != "" {
			t.Errorf("of the first %d bytes it reads %q behind a fault", n, text)
		}
	}
	if _, _, _, err := read(append(whole, 0)); err == nil {
		t.Error("a byte too many is accepted")
	}
}
