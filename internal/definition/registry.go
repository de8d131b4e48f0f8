package definition

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Registry gives the statistics and segments of one workspace their slots. A
// slot, once given, means the same thing for ever, so customers' data outlive
// the definitions that asked for them. The zero Registry is empty.
type Registry struct {
	statistics []string // slot -> cx.StatisticSpec.Key
	segments   []string // slot -> name
	index      map[string]int
}

// Statistic returns the slot of spec, giving it one when it has none.
func (r *Registry) Statistic(spec cx.StatisticSpec) int {
	return r.slot("#", spec.Key(), &r.statistics)
}

// Segment returns the slot of the segment called name, giving it one when it
// has none.
func (r *Registry) Segment(name string) int { return r.slot("@", name, &r.segments) }

// slot looks key up among those of its kind.
func (r *Registry) slot(kind, key string, of *[]string) int {
	if i, ok := r.index[kind+key]; ok {
		return i
	}
	if r.index == nil {
		r.index = map[string]int{}
	}
	i := len(*of)
	*of = append(*of, key)
	r.index[kind+key] = i
	return i
}

// Clone returns a copy that shares nothing with r.
func (r *Registry) Clone() *Registry {
	c := new(Registry)
	for _, s := range r.statistics {
		c.slot("#", s, &c.statistics)
	}
	for _, s := range r.segments {
		c.Segment(s)
	}
	return c
}

// Equal reports whether both give the same slots.
func (r *Registry) Equal(o *Registry) bool {
	return slices.Equal(r.statistics, o.statistics) && slices.Equal(r.segments, o.segments)
}

const registryCodec = 1

// AppendRegistry encodes r. Equal registries have equal encodings.
func AppendRegistry(dst []byte, r *Registry) []byte {
	dst = append(dst, registryCodec)
	for _, list := range [...][]string{r.statistics, r.segments} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, s := range list {
			dst = binary.AppendUvarint(dst, uint64(len(s)))
			dst = append(dst, s...)
		}
	}
	return dst
}

// DecodeRegistry reads what AppendRegistry wrote; it aliases nothing. It fails
// with cx.ErrCodec on anything else.
func DecodeRegistry(b []byte) (*Registry, error) {
	if len(b) == 0 || b[0] != registryCodec {
		return nil, fmt.Errorf("registry of slots: %w", cx.ErrCodec)
	}
	r := new(Registry)
	b, ok := r.decode(b[1:], "#", &r.statistics)
	if ok {
		b, ok = r.decode(b, "@", &r.segments)
	}
	if !ok || len(b) > 0 {
		return nil, fmt.Errorf("registry of slots: %w", cx.ErrCodec)
	}
	return r, nil
}

// decode reads one list; ok is false when it is cut short or repeats itself.
func (r *Registry) decode(b []byte, kind string, of *[]string) (rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 {
		return nil, false
	}
	b = b[w:]
	for i := range n {
		size, w := binary.Uvarint(b)
		if w <= 0 || size > uint64(len(b)-w) {
			return nil, false
		}
		if r.slot(kind, string(b[w:w+int(size)]), of) != int(i) {
			return nil, false
		}
		b = b[w+int(size):]
	}
	return b, true
}
