package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// ledger is an access.Store in memory with the promises of the real one that
// matter to handlers.
type ledger struct {
	mu         sync.Mutex
	workspaces []access.Workspace
	keys       []access.Key
	changed    []access.Change
	answers    map[[2]string]access.Answer
	refuse     []access.Refused
	secrets    []access.DestinationSecret // newest first
}

func (l *ledger) Workspaces(context.Context) ([]access.Workspace, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.workspaces), nil
}

func (l *ledger) Keys(context.Context) ([]access.Key, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.keys), nil
}

func (l *ledger) Apply(_ context.Context, u access.Update) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range u.Workspaces {
		if slices.ContainsFunc(l.workspaces, func(o access.Workspace) bool { return o.Slug == w.Slug }) {
			return cx.E(cx.Conflict, "apply", fmt.Sprintf("workspace %q exists", w.Slug))
		}
	}
	for _, id := range u.Revoke {
		i := slices.IndexFunc(l.keys, func(k access.Key) bool { return k.ID == id })
		if i < 0 {
			return cx.E(cx.NotFound, "apply", "no such key")
		}
		if l.keys[i].RevokedAt == 0 {
			l.keys[i].RevokedAt = u.Change.At
		}
	}
	if u.Answer != nil {
		l.answers[[2]string{string(u.Answer.Caller), u.Answer.Key}] = *u.Answer
	}
	if u.Secret != nil {
		l.secrets = append([]access.DestinationSecret{*u.Secret}, l.secrets...)
	}
	l.workspaces = append(l.workspaces, u.Workspaces...)
	l.keys = append(l.keys, u.Keys...)
	u.Change.Number = uint64(len(l.changed) + 1)
	l.changed = append(l.changed, u.Change)
	return nil
}

func (l *ledger) Changes(_ context.Context, w cx.Workspace, _ uint64, limit int) (out []access.Change, _ error) {
	for _, c := range slices.Backward(l.changed) {
		if len(out) < limit && (w == access.Everywhere || c.Workspace == w) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (l *ledger) Remembered(_ context.Context, caller cx.KeyID, key string, now cx.Instant) (*access.Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.answers[[2]string{string(caller), key}]
	if !ok || a.Expires < now {
		return nil, nil
	}
	return &a, nil
}

func (l *ledger) DestinationSecrets(_ context.Context, w cx.Workspace, destination string, _ cx.Instant) (out []access.DestinationSecret, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.secrets {
		if s.Workspace == w && s.Destination == destination {
			out = append(out, s)
		}
	}
	return out, nil
}

func (l *ledger) Forget(context.Context, cx.Instant) error { return nil }

func (l *ledger) Refuse(_ context.Context, rs []access.Refused) error {
	l.refuse = append(l.refuse, rs...)
	return nil
}

func (l *ledger) Refused(_ context.Context, w cx.Workspace, key cx.KeyID, limit int) (out []access.Refused, _ error) {
	for _, r := range l.refuse {
		if len(out) < limit && r.Workspace == w && (key == "" || key == r.Key) {
			out = append(out, r)
		}
	}
	return out, nil
}

// shop knows one customer and one decision, both of workspace "shop".
type shop struct {
	customer cx.CustomerID
	decision cx.DecisionID

	asked     []string // "workspace query" of each query
	published []Publication
	compared  []ToCompare
	wrong     error // what Publish, Compare and Rollback fail with
	condition Condition

	rolledBack []Rollback
	merged     []ToMerge
	unmerged   []ToUnmerge
}

func (s *shop) Recent(_ context.Context, w cx.Workspace, n int) ([]CustomerSummary, error) {
	if w != "shop" || n < 1 {
		return nil, nil
	}
	return []CustomerSummary{{ID: s.customer.String(), LastEvent: "Product Added"}}, nil
}

func (s *shop) Customer(_ context.Context, w cx.Workspace, id cx.CustomerID) (Customer, error) {
	if w != "shop" || id != s.customer {
		return Customer{}, cx.E(cx.NotFound, "customer", "there is no such customer")
	}
	return Customer{CustomerSummary: CustomerSummary{ID: id.String()}}, nil
}

func (s *shop) Story(_ context.Context, w cx.Workspace, id cx.CustomerID, before cx.Position, limit int) (out []StoryItem, _ error) {
	for i := range 10 {
		at := cx.At(uint64(10-i), 0)
		if w == "shop" && id == s.customer && len(out) < limit && (before == 0 || at < before) {
			out = append(out, StoryItem{Kind: "event", Position: at.String()})
		}
	}
	return out, nil
}

func (s *shop) Decision(_ context.Context, w cx.Workspace, id cx.DecisionID) (Decision, error) {
	if w != "shop" || id != s.decision {
		return Decision{}, cx.E(cx.NotFound, "decision", "there is no such decision")
	}
	return Decision{Decision: id.String()}, nil
}

func (s *shop) Query(ctx context.Context, w cx.Workspace, query string) (Table, error) {
	s.asked = append(s.asked, string(w)+" "+query)
	switch query {
	case "boom":
		return Table{}, errors.New("disk /var/lib/secret is gone")
	case "panic":
		panic("a bug")
	case "forever":
		<-ctx.Done()
		return Table{}, ctx.Err()
	}
	return Table{Columns: []Column{{Name: "n", Type: "BIGINT"}}, Rows: [][]any{{1}}}, nil
}

func (s *shop) Publish(_ context.Context, p Publication) (Published, error) {
	if s.wrong != nil {
		return Published{}, s.wrong
	}
	s.published = append(s.published, p)
	return Published{Workspace: string(p.Workspace), Sequence: uint64(len(s.published)), Who: string(p.Who), Why: p.Why}, nil
}

func (s *shop) Backfills(w cx.Workspace) []Backfill {
	if w != "shop" {
		return nil
	}
	return []Backfill{{Workspace: "shop", Number: 1, Statistics: []string{`count("Order Completed", "all")`}, Percent: 43}}
}

func (s *shop) Versions(context.Context, cx.Workspace, int) ([]Published, error) { return nil, nil }

func (s *shop) Export(_ context.Context, w cx.Workspace, set uint64) (Exported, error) {
	if w != "shop" || set > 3 {
		return Exported{}, cx.E(cx.NotFound, "", "there is no such set")
	}
	return Exported{Workspace: string(w), Sequence: max(set, 1), Files: []File{{Name: "workspace.yaml", Text: "kind: workspace\n"}}}, nil
}

func (s *shop) Compare(_ context.Context, c ToCompare) (Comparison, error) {
	if s.wrong != nil {
		return Comparison{}, s.wrong
	}
	s.compared = append(s.compared, c)
	return Comparison{Workspace: string(c.Workspace), From: c.From, To: c.To, Equal: c.From == c.To}, nil
}

func (s *shop) Rollback(_ context.Context, r Rollback) (Published, error) {
	if s.wrong != nil {
		return Published{}, s.wrong
	}
	s.rolledBack = append(s.rolledBack, r)
	return Published{Workspace: string(r.Workspace), Sequence: 7, SameAs: r.Set, Who: string(r.Who), Why: r.Why}, nil
}

func (s *shop) Imported(_ cx.Workspace, job string) Import { return Import{Job: job} }

func (s *shop) Person(_ context.Context, _ cx.Workspace, _ cx.CustomerID, found func(string, json.RawMessage) error) error {
	for _, row := range []string{"one", "two", "four"} {
		table := row[:1]
		if err := found(table, json.RawMessage(`{"row":"`+row+`"}`)); err != nil {
			return err
		}
	}
	return nil
}

func (s *shop) PersonTables() []string { return []string{"e", "o", "t", "n", "f", "x"} }

func (s *shop) Erase(_ context.Context, e ToErase) (Erasure, error) {
	return Erasure{ID: "e_1", Customers: []string{e.Customer.String()}, State: "erased"}, nil
}

func (s *shop) Erasures(context.Context, cx.Workspace, string, int) ([]Erasure, error) {
	return []Erasure{{ID: "e_1"}}, nil
}

func (s *shop) Begin(_ context.Context, dir string) (Backup, error) {
	return Backup{Dir: dir, State: BackupRunning}, nil
}

func (s *shop) Backup() (Backup, error) { return Backup{State: BackupRunning}, nil }

func (s *shop) Health() Condition { return s.condition }

// faults is what a definition's errors look like to the API.
type faults []string

func (f faults) Error() string     { return fmt.Sprintf("%d faults", len(f)) }
func (f faults) Details() []string { return f }

func (s *shop) Stat(context.Context) (LogStat, error) { return LogStat{}, nil }

func (s *shop) Newest(_ context.Context, q EntriesAsked) (LogEntries, error) {
	return LogEntries{Next: fmt.Sprint(q.Limit)}, nil
}

func (s *shop) Entries(_ context.Context, q EntriesAsked) (LogEntries, error) {
	return LogEntries{Next: q.After.String()}, nil
}

func (s *shop) Archive(context.Context, bool) (LogStat, error) { return LogStat{}, nil }
