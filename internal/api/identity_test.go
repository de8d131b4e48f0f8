package api

import (
	"context"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// The shop's one customer has the user id "hanako" and was merged once, at 5.0.

func (s *shop) Find(_ context.Context, w cx.Workspace, id cx.Identity) (cx.CustomerID, error) {
	if w != "shop" || id != (cx.Identity{Namespace: cx.UserID, Value: "hanako"}) {
		return 0, cx.E(cx.NotFound, "", "nobody has it")
	}
	return s.customer, nil
}

func (s *shop) Merges(_ context.Context, w cx.Workspace, id cx.CustomerID) ([]Merge, error) {
	if w != "shop" || id != s.customer {
		return nil, cx.E(cx.NotFound, "", "there is no customer "+id.String())
	}
	return []Merge{{Position: "5.0", Reason: "operator", Winner: MergedSide{ID: id.String()}}}, nil
}

func (s *shop) Merge(_ context.Context, m ToMerge) (Merged, error) {
	s.merged = append(s.merged, m)
	return Merged{Customer: m.A.String(), Position: "6.0"}, nil
}

func (s *shop) Unmerge(_ context.Context, u ToUnmerge) (Unmerged, error) {
	s.unmerged = append(s.unmerged, u)
	return Unmerged{Merge: "5.0", Customers: []UnmergedSide{{MergedSide: MergedSide{ID: u.Customer.String()}}}}, nil
}

func (s *shop) Quarantined(context.Context, cx.Workspace) ([]Quarantined, error) {
	return []Quarantined{{Identity: Identity{Namespace: "anonymous_id", Value: "kiosk"}}}, nil
}

func (s *shop) Release(_ context.Context, r ToRelease) (Released, error) {
	if r.Identity != (cx.Identity{Namespace: cx.AnonymousID, Value: "kiosk"}) || r.Workspace != "shop" {
		return Released{}, cx.E(cx.NotFound, "release", "it is not in quarantine")
	}
	return Released{Position: "7.0"}, nil
}

func TestIdentities(t *testing.T) {
	b := newBench(t)
	one, other := "/api/v1/customers/"+b.shop.customer.String(), cx.NewCustomerID(8)
	for _, test := range []struct {
		method, path, body, key string
		status                  int
		want                    string
	}{
		{"GET", "/api/v1/customers/lookup?namespace=user_id&value=hanako", "", b.read, 200, b.shop.customer.String()},
		{"GET", "/api/v1/customers/lookup?namespace=user_id&value=taro", "", b.read, 404, "nobody"},
		{"GET", "/api/v1/customers/lookup?namespace=shoe_size&value=3", "", b.read, 400, "namespace"},
		{"GET", one + "/merges", "", b.read, 200, `"position":"5.0"`},
		{"GET", one + "/merges", "", b.other, 404, "no customer"},
		{"POST", one + "/merge", `{"with":"` + other.String() + `","why":"one person"}`, b.read, 403, ""},
		{"POST", one + "/merge", `{"with":"` + other.String() + `","why":"one person"}`, b.admin, 200, `"position":"6.0"`},
		{"POST", one + "/merge", `{"with":"bob"}`, b.admin, 400, "no customer's id"},
		{"POST", one + "/unmerge", `{"merge":"5.0","why":"two people"}`, b.read, 403, ""},
		{"POST", one + "/unmerge", `{"merge":"5.0","dry_run":true}`, b.admin, 200, `"merge":"5.0"`},
		{"POST", one + "/unmerge", `{"from":"` + other.String() + `","why":"two people"}`, b.admin, 200, `"merge":"5.0"`},
		{"POST", one + "/unmerge", `{"merge":"five"}`, b.admin, 400, "no position"},
		{"GET", "/api/v1/customers/quarantine", "", b.read, 200, "kiosk"},
		{"POST", "/api/v1/customers/quarantine/release", `{"namespace":"anonymous_id","value":"kiosk"}`, b.read, 403, ""},
		{"POST", "/api/v1/customers/quarantine/release", `{"namespace":"anonymous_id","value":"kiosk","why":"sold"}`, b.admin, 200, "7.0"},
		{"POST", "/api/v1/customers/quarantine/release", `{"namespace":"anonymous_id","value":"other"}`, b.admin, 404, "not in quarantine"},
		{"POST", "/api/v1/customers/quarantine/release", `{"namespace":"user_id","value":"hanako"}`, b.admin, 400, "namespace"},
	} {
		res, body := b.ask(t, test.key, test.method, test.path, test.body)
		if res.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, res.StatusCode, body)
		}
	}
	if len(b.shop.merged) != 1 || b.shop.merged[0].B != other || b.shop.merged[0].Why != "one person" || b.shop.merged[0].Workspace != "shop" {
		t.Errorf("merged %+v", b.shop.merged)
	}
	if u := b.shop.unmerged; len(u) != 2 || !u[0].DryRun || u[0].Merge != cx.At(5, 0) || u[1].DryRun || u[1].Other != other {
		t.Errorf("un-merged %+v", u)
	}
	var noted []string
	for _, c := range b.store.changed {
		noted = append(noted, c.What)
	}
	if len(noted) != 3 || noted[2] != "release anonymous_id kiosk from quarantine" || !strings.HasPrefix(noted[0], "merge customers") || !strings.HasPrefix(noted[1], "undo the merge at 5.0") {
		t.Errorf("the record of changes says %q: a merge, an un-merge and a release, not the dry run", noted)
	}
}
