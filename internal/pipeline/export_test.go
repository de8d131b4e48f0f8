package pipeline

import "github.com/kikubari/kikubari/internal/profile"

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
	return appendUnmerge(nil, x)
}

// WithoutStayed returns the body as an earlier version would have written it, or
// one for which the list was too long.
func WithoutStayed(body []byte) []byte {
	x, err := decodeUnmerge(body)
	if err != nil {
		panic(err)
	}
	x.Whole, x.Stayed = false, nil
	return appendUnmerge(nil, x)
}
