package pipeline

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestForgettingIsBounded lets everybody rest, first uncommitted: then a few are
// looked at and none is dropped; later all go, whatever lane they are in.
func TestForgettingIsBounded(t *testing.T) {
	w := &worker{}
	for range 8 {
		l := &lane{resting: map[cx.CustomerID]rest{}}
		for id := range 400 {
			r := rest{encoding: make([]byte, 0, 36), saved: 2}
			l.resting[cx.CustomerID(id)] = r
			w.bytes += r.size()
		}
		w.lanes = append(w.lanes, l)
	}
	before := w.bytes
	for range 3 {
		first := w.forgetful
		w.forgetResting(0, 1)
		if w.bytes != before {
			t.Fatal("a customer was dropped whom the store does not have as it is")
		}
		if lanes := (w.forgetful - first + len(w.lanes)) % len(w.lanes); lanes != 2 {
			t.Errorf("%d lanes were looked at, want the 2 that have 512 customers", lanes)
		}
	}
	w.forgetResting(before-1000, 2)
	if w.bytes > before-1000 || w.bytes < before-1100 {
		t.Errorf("%d bytes were dropped, want 1000 and hardly more", before-w.bytes)
	}
	for range len(w.lanes) {
		w.forgetResting(0, 2)
	}
	if w.bytes != 0 {
		t.Errorf("%d bytes are left", w.bytes)
	}
}
