package pipeline

import (
	"fmt"

	"github.com/kikubari/kikubari/internal/learn"
	"github.com/kikubari/kikubari/internal/profile"
)

// ResultOf returns of whom and of which merge the second entry of an un-merge
// speaks; ok is false for any other body.
func ResultOf(body []byte) (u ToUnmerge, undone FactKey, ok bool) {
	x, err := decodeUnmerge(body)
	if err != nil || x.Begun == 0 {
		return u, undone, false
	}
	return ToUnmerge{Customer: x.Customer, Merge: x.Undone.Position, Other: x.Undone.Loser}, x.Undone, true
}

// WithResult returns the body with another result.
func WithResult(body []byte, found *profile.Unmerged) []byte {
	x, err := decodeUnmerge(body)
	if err != nil {
		panic(err)
	}
	x.Unmerged = *found
	return encodeUnmerge(x)
}

// WithoutStayed returns the body as an earlier version would have written it.
func WithoutStayed(body []byte) []byte {
	x, err := decodeUnmerge(body)
	if err != nil {
		panic(err)
	}
	if x.Begun == 0 {
		return body
	}
	x.Whole, x.Stayed, x.Earlier = false, nil, true
	return encodeUnmerge(x)
}

// Cutting reports whether a cut is under way.
func (s *Shard) Cutting() bool { return s.cutting.Load() }

// ShowShared shows what a store has of the shared state, for people.
func ShowShared(b []byte) (map[string]string, error) {
	s, err := decodeShared(b)
	if err != nil {
		return nil, err
	}
	show := map[string]string{
		"rates": fmt.Sprintf("%x", learn.AppendTable(nil, s.rates)), "imports": fmt.Sprint(s.imports), "apart": fmt.Sprint(s.apart),
		"watches": fmt.Sprintf("%+v", s.watches), "nameless": fmt.Sprint(s.nameless), "addressees": fmt.Sprint(s.addressees), "sequence": fmt.Sprint(s.sequence),
		"backfills": fmt.Sprintf("%x", s.appendBackfills(nil)),
	}
	for name, w := range s.workspaces {
		show["set of "+string(name)] = fmt.Sprintf("%x", w.canonical)
	}
	return show, nil
}
