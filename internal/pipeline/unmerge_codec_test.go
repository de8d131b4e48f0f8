package pipeline

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fullUnmerge is an un-merge that has something of everything.
func fullUnmerge() *unmerge {
	winner := &cx.Customer{ID: 7, Workspace: "demo", CreatedAt: 100, LastSeen: 200, Identities: []cx.Identity{{Namespace: cx.UserID, Value: "taro", Since: 100}}}
	loser := &cx.Customer{ID: 8, Workspace: "demo", CreatedAt: 50, LastSeen: 150}
	fact := MergeFact{Position: cx.At(9, 1), Index: 2, At: 900, WinnerBefore: []byte("winner"), LoserBefore: []byte("loser")}
	fact.Winner, fact.Loser, fact.Reason = 7, 9, "anonymous_id identify"
	fact.Identity, fact.Lead = cx.Identity{Namespace: cx.AnonymousID, Value: "端末"}, cx.Identity{Namespace: cx.UserID, Value: "taro"}
	fact.Named = [2]cx.CustomerID{7, 1 << 63}
	return &unmerge{
		Customer: 7, Begun: cx.At(20, 0), Undone: profile.FactKey{Position: cx.At(5, 0), Winner: 7, Loser: 8},
		Whole: true,
		Unmerged: profile.Unmerged{
			Parts: []profile.UnmergedPart{
				{Part: profile.Part{Customer: winner, Aliases: []cx.CustomerID{1, 9}}},
				{Part: profile.Part{Customer: loser}, Marks: []cx.Seen{cx.NewSeen(1<<60, 1_700_000_000)}},
			},
			Events: []profile.Sorted{{Position: cx.At(6, 0), Customer: 8}, {Position: cx.At(6, 3), Customer: 9}, {Position: cx.At(11, 0), Customer: 8}},
			Stayed: []profile.Sorted{{Position: cx.At(5, 0), Customer: 7}, {Position: cx.At(6, 1), Customer: 7}},
			Said:   []profile.Said{{Decision: 1 << 62, Customer: 8}},
			Facts:  []MergeFact{fact},
			Forget: []profile.FactKey{{Position: cx.At(9, 1), Winner: 8, Loser: 9}},
		},
	}
}

// TestUnmergeCodec holds the format still, in testdata, refuses every shortened
// form, and reads what the earlier version wrote.
func TestUnmergeCodec(t *testing.T) {
	begin, partly, earlier := &unmerge{Customer: 7}, fullUnmerge(), fullUnmerge()
	partly.Whole, partly.Stayed = false, nil
	earlier.Whole, earlier.Stayed, earlier.Earlier = false, nil, true
	for name, u := range map[string]*unmerge{"begin": begin, "finish": fullUnmerge(), "partly": partly, "finish-1": earlier} {
		b := encodeUnmerge(u)
		back, err := decodeUnmerge(b)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(u, back); diff != "" {
			t.Errorf("%s decoded (-want +got):\n%s", name, diff)
		}
		for n := range b {
			if _, err := decodeUnmerge(b[:n]); err == nil {
				t.Errorf("%s: the first %d bytes are accepted", name, n)
			}
		}
		if _, err := decodeUnmerge(append(b, 0)); err == nil {
			t.Errorf("%s: a byte too many is accepted", name)
		}
		if *update && name != "finish-1" {
			if err := os.WriteFile(golden(name), []byte(hex.EncodeToString(b)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, u := range map[string]*unmerge{"begin": begin, "finish": fullUnmerge(), "partly": partly, "begin-1": begin, "finish-1": earlier} {
		text, err := os.ReadFile(golden(name))
		if err != nil {
			t.Fatal(err)
		}
		// The customers in it may be of an earlier codec.
		old, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeUnmerge(old)
		if err != nil {
			t.Fatalf("%s as it was written: %v", name, err)
		}
		if diff := cmp.Diff(u, back); diff != "" {
			t.Errorf("%s as it was written (-want +got):\n%s", name, diff)
		}
	}
}

func golden(name string) string { return filepath.Join("testdata", "unmerge-"+name+".hex") }
