package profile

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// The limits on traits. What goes beyond is not taken and is noted.
const (
	MaxTraits    = 200
	MaxTraitSize = 2 << 10 // bytes of JSON without white space
	maxTraitName = 100
)

// The reasons of notes.
const (
	TraitTooLarge = "trait_too_large"
	TooManyTraits = "too_many_traits"
	BadTraitName  = "bad_trait_name"
)

// foldTraits takes the traits that an identify call tells. Each trait keeps the
// word that weighs most: a server's before a browser's, then the later one by
// event time and place in the log. null takes a trait away; what is left is a
// trait without a value that still outweighs what was said before. The traits
// of a group call describe the group, so they become one trait called "group",
// an object, beside "group_id".
func (f *Folder) foldTraits(c *cx.Customer, e *occurrence) {
	word := cx.Trait{At: e.at, By: e.position, Level: levelOf(e.KeyKind)}
	switch e.Type {
	case cx.Identify:
		f.open()
		for _, field := range f.fields {
			f.tell(c, word, field.Name, field.Raw)
		}
	case cx.Group:
		if e.GroupID == "" || cx.Junk(e.GroupID) {
			return
		}
		f.tell(c, word, "group_id", appendQuoted(nil, e.GroupID))
		if len(e.Properties) > 0 {
			f.tell(c, word, "group", e.Properties)
		}
	default: // other events tell no traits
	}
}

// levelOf is whose word a key's is: the company's or the browser's.
func levelOf(k cx.KeyKind) cx.KeyKind {
	if k == cx.BrowserKey {
		return cx.BrowserKey
	}
	return cx.ServerKey
}

// tell weighs one trait against what is known.
func (f *Folder) tell(c *cx.Customer, word cx.Trait, name string, raw []byte) {
	if name == "" || len(name) > maxTraitName {
		f.notes = append(f.notes, Note{BadTraitName, strings.Clone(name)})
		return
	}
	f.compact = compactJSON(f.compact[:0], raw)
	if word.Raw = f.compact; string(word.Raw) == "null" {
		word.Raw = nil
	}
	if len(word.Raw) > MaxTraitSize {
		f.notes = append(f.notes, Note{TraitTooLarge, strings.Clone(name)})
		return
	}
	i, found := findTrait(c.Traits, name)
	switch {
	case found:
		f.retell(&c.Traits[i], word)
	case len(c.Traits) >= MaxTraits && !f.makeRoom(c, word):
		f.notes = append(f.notes, Note{TooManyTraits, strings.Clone(name)})
	default:
		i, _ = findTrait(c.Traits, name)
		word.Name, word.Raw = strings.Clone(name), bytes.Clone(word.Raw)
		c.Traits = slices.Insert(c.Traits, i, word)
		f.change.Traits = append(f.change.Traits, word.Name)
	}
}

// makeRoom drops the trait that weighs least, if it is a browser's and word is a
// server's: nobody can keep the company's facts out by telling many of their own.
func (f *Folder) makeRoom(c *cx.Customer, word cx.Trait) bool {
	least := 0
	for i := range c.Traits {
		if weigh(c.Traits[i], c.Traits[least]) < 0 {
			least = i
		}
	}
	gone := c.Traits[least]
	if gone.Level >= word.Level {
		return false
	}
	c.Traits = slices.Delete(c.Traits, least, least+1)
	f.notes = append(f.notes, Note{TooManyTraits, gone.Name})
	f.change.Traits = append(f.change.Traits, gone.Name)
	return true
}

// retell replaces t by word if that weighs more.
func (f *Folder) retell(t *cx.Trait, word cx.Trait) {
	if weigh(*t, word) > 0 {
		return
	}
	if !bytes.Equal(t.Raw, word.Raw) {
		t.Raw = bytes.Clone(word.Raw)
		f.change.Traits = append(f.change.Traits, t.Name)
	}
	t.At, t.By, t.Level = word.At, word.By, word.Level
}

// weigh orders words about one trait: positive when a outweighs b.
func weigh(a, b cx.Trait) int {
	return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.At, b.At), cmp.Compare(a.By, b.By))
}

func findTrait(traits []cx.Trait, name string) (int, bool) {
	return slices.BinarySearchFunc(traits, name, func(t cx.Trait, name string) int { return strings.Compare(t.Name, name) })
}

// mergeTraits joins two lists by name. When more than MaxTraits are left, those
// that weigh most stay.
func mergeTraits(a, b []cx.Trait) []cx.Trait {
	out := make([]cx.Trait, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := strings.Compare(a[0].Name, b[0].Name); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			if w := cmp.Or(weigh(a[0], b[0]), bytes.Compare(a[0].Raw, b[0].Raw)); w >= 0 {
				out = append(out, a[0])
			} else {
				out = append(out, b[0])
			}
			a, b = a[1:], b[1:]
		}
	}
	out = append(append(out, a...), b...)
	if len(out) <= MaxTraits {
		return out
	}
	slices.SortFunc(out, func(a, b cx.Trait) int { return cmp.Or(weigh(b, a), strings.Compare(a.Name, b.Name)) })
	out = slices.Clip(out[:MaxTraits])
	slices.SortFunc(out, func(a, b cx.Trait) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// compactJSON appends raw without white space between tokens.
func compactJSON(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch raw[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end := cx.SkipValue(raw, i)
			dst = append(dst, raw[i:end]...)
			i = end
		default:
			dst = append(dst, raw[i])
			i++
		}
	}
	return dst
}
