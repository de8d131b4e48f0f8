package pipeline

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/learn"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/segment"
)

// shared is the state that customers share. It is frozen: what lanes see
// changes at ticks and at published sets only, by a new one in its place.
type shared struct {
	sequence   uint64 // of the last published set, over all workspaces
	workspaces map[cx.Workspace]*workspace
	rates      *learn.Table
	imports    imports
	apart      [][2]cx.CustomerID // who is kept apart, as the resolver has it
	watches    watches
	addressees addressees
	nameless   []cx.CustomerID // who has no identity any more, as the resolver has it
	pasts      []cx.Workspace  // that have had an event, sorted
	backfill   uint64          // number of the last back-fill, over all workspaces

	entries uint64 // of the log up to the last tick; 0 when an earlier version has not counted them
	before  uint64 // so many of them came before that with which a filler began

	takingOver bool // some back-fill is open; follows from workspaces
}

// workspace is one workspace's published set, ready to be used.
type workspace struct {
	name      cx.Workspace
	set       *definition.Set
	canonical []byte
	registry  *definition.Registry
	settings  profile.Settings
	plan      *profile.Plan
	interest  interest
	unsure    []uint64 // segments that cannot be known yet, as bits by slot
	backfills
}

// unpublished stands for every workspace that has published nothing yet: events
// fold, nothing is said.
var unpublished = func() *workspace {
	none, err := segment.NewSet(nil)
	if err != nil {
		panic(err) // there is nothing in it that could be wrong
	}
	set := &definition.Set{
		Settings: definition.Settings{Zone: time.UTC},
		Segments: none, Offer: decide.NewOffer(decide.Terms{}, nil), Policy: new(decide.Policy),
	}
	return newWorkspace("", set, nil, new(definition.Registry))
}()

// workspace returns the workspace's set.
func (s *shared) workspace(name cx.Workspace) *workspace {
	if w := s.workspaces[name]; w != nil {
		return w
	}
	return unpublished
}

func (w *workspace) segmentName(slot int) string {
	s, _ := w.set.Segments.BySlot(slot)
	return s.Name
}

// sharedCodec is the first byte of the encoding. It changes with the format;
// decodeShared keeps reading the earlier ones: 1 had no imports, 2 nobody who is
// kept apart, 3 no back-fills, 4 nobody without an identity,
// 5 no addressees, 6 no number of entries.
const sharedCodec = 7

// encode writes the state for a checkpoint. Equal states have equal encodings.
func (s *shared) encode() []byte {
	b := binary.AppendUvarint([]byte{sharedCodec}, s.sequence)
	b = cx.AppendBytes(b, learn.AppendTable(nil, s.rates))
	names := s.names()
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		w := s.workspaces[name]
		b = cx.AppendBytes(b, name)
		b = binary.AppendUvarint(b, w.set.Sequence)
		b = cx.AppendBytes(b, definition.AppendRegistry(nil, w.registry))
		b = cx.AppendBytes(b, w.canonical)
	}
	b = s.appendBackfills(s.watches.appendTo(appendPairs(s.imports.appendTo(b), s.apart)))
	b = binary.AppendUvarint(b, uint64(len(s.nameless)))
	for _, id := range s.nameless {
		b = binary.AppendUvarint(b, uint64(id))
	}
	b = s.addressees.appendTo(b)
	return binary.AppendUvarint(binary.AppendUvarint(b, s.entries), s.before)
}

// names returns the workspaces that have published, in order.
func (s *shared) names() []cx.Workspace { return slices.Sorted(maps.Keys(s.workspaces)) }

// decodeShared reads what encode wrote; nothing gives the state of the first
// start.
func decodeShared(b []byte) (*shared, error) {
	s := &shared{workspaces: map[cx.Workspace]*workspace{}, rates: new(learn.Table)}
	if len(b) == 0 {
		return s, nil
	}
	if b[0] == 0 || b[0] > sharedCodec {
		return nil, fmt.Errorf("shared state: %w", cx.ErrCodec)
	}
	r := reader{cx.NewReader(b[1:])}
	s.sequence = r.Uvarint()
	rates := r.Text()
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		name, sequence, registry, canonical := cx.Workspace(r.Text()), r.Uvarint(), r.Text(), []byte(r.Text())
		if !r.OK() {
			break
		}
		known, err := definition.DecodeRegistry([]byte(registry))
		if err != nil {
			return nil, err
		}
		if len(canonical) == 0 { // a filler's, before the first set
			s.workspaces[name] = newWorkspace(name, unpublished.set, nil, known)
			continue
		}
		w, err := buildWorkspace(name, canonical, known, sequence)
		if err != nil {
			return nil, fmt.Errorf("set %d of workspace %s: %w", sequence, name, err)
		}
		s.workspaces[name] = w
	}
	if b[0] >= 2 {
		s.imports = readImports(&r)
	}
	if b[0] >= 3 {
		s.apart, s.watches = readPairs(&r), readWatches(&r)
	}
	if b[0] >= 4 {
		s.readBackfills(&r)
	}
	if b[0] >= 5 {
		for n := r.Uvarint(); n > 0 && r.OK(); n-- {
			s.nameless = append(s.nameless, r.customer())
		}
	}
	if b[0] >= 6 {
		s.addressees = readAddressees(&r)
	}
	if b[0] >= 7 {
		s.entries, s.before = r.Uvarint(), r.Uvarint()
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("shared state: %w", err)
	}
	var err error
	s.rates, err = learn.DecodeTable([]byte(rates))
	return s, err
}

// reader takes an encoding of the machine apart.
type reader struct{ cx.Reader }
