package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// source is one table as a source of items.
type source struct {
	kind  warehouse.ItemKind
	table string
	who   string // column with the number of the customer it happened to
	what  string // columns, in the order in which scan takes them
	scan  func(rows *sql.Rows, i *warehouse.Item) error
}

// sources lists the tables, those whose items are newest at a position first.
var sources = []source{
	{warehouse.DecisionItem, "decisions", "customer_id", "position, time, customer, decision, event, winners::VARCHAR", scanDecision},
	{warehouse.SegmentItem, "segment_moves", "customer_id", "position, time, customer, segment, entered, by_time", scanMove},
	{warehouse.ExposureItem, "exposures", "customer_id", "position, time, customer, decision, action, place, fate", scanExposure},
	{warehouse.DeliveryItem, "deliveries", "customer_id", "position, time, customer, delivery, decision, action, destination, fate, coalesce(reason, '')", scanDelivery},
	{warehouse.MergeItem, "merges", "winner_id", "position, time, winner, loser, reason, undoes IS NOT NULL", scanMerge},
	{warehouse.EventItem, "events", "customer_id", "position, recorded, customer, time, name, type, session, late, properties::VARCHAR", scanEvent},
}

// Story returns what happened to a customer, newest first. It looks twice: for
// the position at which the page ends, reading two columns, and then for the
// rows of the page.
func (w *Warehouse) Story(ctx context.Context, ws cx.Workspace, id cx.CustomerID, before cx.Position, limit int) (items []warehouse.Item, err error) {
	if before == 0 {
		before = math.MaxUint64
	}
	err = w.look("read a story", ws, func(f *file, in string) error {
		who, err := f.family(ctx, in, id)
		if err != nil {
			return err
		}
		from, err := f.pageStart(ctx, in, who, before, limit)
		if err != nil {
			return err
		}
		for _, s := range sources {
			where := fmt.Sprintf("%s AND %s IN (%s) AND position >= %d AND position < %d", in, s.who, who, from, before)
			if items, err = f.read(ctx, s, where, 0, items); err != nil {
				return err
			}
		}
		slices.SortStableFunc(items, func(a, b warehouse.Item) int { return cmp.Compare(b.Position, a.Position) })
		return nil
	})
	return items, err
}

// Recent returns the newest events, newest first.
func (w *Warehouse) Recent(ctx context.Context, ws cx.Workspace, limit int) (items []warehouse.Item, err error) {
	err = w.look("read the newest events", ws, func(f *file, in string) error {
		items, err = f.read(ctx, sources[len(sources)-1], in, limit, nil)
		return err
	})
	return items, err
}

// Decision returns one decision as it was recorded. The id of one on an event
// tells its position, by which the row is found without a search.
func (w *Warehouse) Decision(ctx context.Context, ws cx.Workspace, id cx.DecisionID) (d *pipeline.DecisionRow, err error) {
	err = w.look("read a decision", ws, func(f *file, in string) error {
		d, err = f.decision(ctx, fmt.Sprintf("%s AND position = %d", in, uint64(id.Position())), id)
		if errors.Is(err, sql.ErrNoRows) {
			d, err = f.decision(ctx, in, id) // a timer's
		}
		if errors.Is(err, sql.ErrNoRows) {
			return cx.E(cx.NotFound, "", "there is no decision "+id.String()+"; one just made appears within seconds")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (f *file) decision(ctx context.Context, where string, id cx.DecisionID) (*pipeline.DecisionRow, error) {
	d := &pipeline.DecisionRow{ID: id}
	var customer uint64
	var winners string
	err := f.lookups.QueryRowContext(ctx,
		"SELECT position, workspace, customer_id, time, event, definitions, winners::VARCHAR, trace, input FROM store.decisions WHERE "+where+" AND decision = ?", id.String(),
	).Scan(position{&d.Position}, &d.Workspace, &customer, instant{&d.At}, &d.Event, &d.Definitions, &winners, &d.Trace, &d.Input)
	if err != nil {
		return nil, err
	}
	d.Customer = cx.CustomerID(customer)
	var won []warehouse.Winner
	if err := json.Unmarshal([]byte(winners), &won); err != nil {
		return nil, err
	}
	for _, x := range won {
		d.Winners = append(d.Winners, cx.Treatment{Action: x.Action, Place: x.Place, Channel: x.Channel, Content: x.Content})
	}
	return d, nil
}

// eventColumns are the columns that make an event, in the order of eventScan.
const eventColumns = `workspace, key, key_kind, type, flags, name, message_id, anonymous_id, user_id, group_id, previous_id, locale,
	time, original, received, consent::VARCHAR, properties::VARCHAR, context::VARCHAR`

// eventScan takes the columns of one event.
type eventScan struct {
	ev                                                                    cx.Event
	anonymous, user, group, previous, locale, consent, properties, around sql.NullString
}

func (s *eventScan) into() []any {
	e := &s.ev
	return []any{
		&e.Workspace, &e.Key, &e.KeyKind, &e.Type, &e.Flags, &e.Name, &e.MessageID, &s.anonymous, &s.user, &s.group, &s.previous, &s.locale,
		instant{&e.Time},
		instant{&e.Original},
		instant{&e.ReceivedAt},
		&s.consent, &s.properties, &s.around,
	}
}

func (s *eventScan) event() *cx.Event {
	e := &s.ev
	e.AnonymousID, e.UserID, e.GroupID, e.PreviousID, e.Locale = s.anonymous.String, s.user.String, s.group.String, s.previous.String, s.locale.String
	e.Consent, e.Properties, e.Context = raw(s.consent), raw(s.properties), raw(s.around)
	return e
}

// Event returns one event as it was stored.
func (w *Warehouse) Event(ctx context.Context, ws cx.Workspace, at cx.Position) (e *cx.Event, err error) {
	err = w.look("read an event", ws, func(f *file, in string) error {
		var s eventScan
		err := f.lookups.QueryRowContext(ctx, fmt.Sprintf("SELECT %s FROM store.events WHERE %s AND position = %d", eventColumns, in, uint64(at))).Scan(s.into()...)
		if errors.Is(err, sql.ErrNoRows) {
			return cx.E(cx.NotFound, "", "there is no event at "+at.String()+"; one just received appears within seconds")
		}
		e = s.event()
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// raw returns the JSON that a column holds, nil when it holds none.
func raw(s sql.NullString) []byte {
	if !s.Valid {
		return nil
	}
	return []byte(s.String)
}

// look runs f on a thread of low priority with the condition that keeps the
// workspace's rows.
func (w *Warehouse) look(op string, ws cx.Workspace, f func(f *file, in string) error) error {
	var in string
	switch ws {
	case "":
		return cx.E(cx.Denied, op, "say which workspace is asked about")
	case access.Everywhere:
		in = "true"
	default:
		in = "workspace = '" + strings.ReplaceAll(string(ws), "'", "''") + "'"
	}
	err := nice.Run(func() error {
		return w.using(func(file *file) error { return f(file, in) })
	})
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// family lists the numbers of the customer and of all that were merged into it
// and are, directly or not, with commas between.
func (f *file) family(ctx context.Context, in string, id cx.CustomerID) (string, error) {
	rows, err := f.lookups.QueryContext(ctx, fmt.Sprintf(`
		WITH RECURSIVE family(id) AS (
			SELECT %d::UBIGINT
			UNION
			SELECT loser_id FROM store.merges AS m JOIN family ON winner_id = id
			WHERE undoes IS NULL AND %s AND NOT EXISTS (
				SELECT 1 FROM store.merges AS u
				WHERE u.undoes IS NOT NULL AND u.winner_id = m.winner_id AND u.loser_id = m.loser_id AND u.position > m.position)
		) SELECT id FROM family`, uint64(id), in))
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var n uint64
		if err := rows.Scan(&n); err != nil {
			return "", err
		}
		ids = append(ids, fmt.Sprint(n))
	}
	return strings.Join(ids, ", "), rows.Err()
}

// pageStart returns the position of the limit-th newest item before a position,
// 0 when there are fewer.
func (f *file) pageStart(ctx context.Context, in, who string, before cx.Position, limit int) (from cx.Position, err error) {
	var parts []string
	for _, s := range sources {
		parts = append(parts, fmt.Sprintf("SELECT position FROM store.%s WHERE %s AND %s IN (%s) AND position < %d", s.table, in, s.who, who, before))
	}
	query := fmt.Sprintf("SELECT position FROM (%s) ORDER BY position DESC LIMIT 1 OFFSET %d", strings.Join(parts, " UNION ALL "), max(limit, 1)-1)
	var n uint64
	err = f.lookups.QueryRowContext(ctx, query).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return cx.Position(n), err
}

// read appends the items of one source, newest first; limit 0 means all.
func (f *file) read(ctx context.Context, s source, where string, limit int, items []warehouse.Item) ([]warehouse.Item, error) {
	query := fmt.Sprintf("SELECT %s FROM store.%s WHERE %s ORDER BY position DESC", s.what, s.table, where)
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	rows, err := f.lookups.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		i := warehouse.Item{Kind: s.kind}
		if err := s.scan(rows, &i); err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, rows.Err()
}

// instant scans a timestamp that may be NULL.
type instant struct{ to *cx.Instant }

func (i instant) Scan(v any) error {
	if t, ok := v.(time.Time); ok {
		*i.to = cx.InstantOf(t)
	}
	return nil
}

// position scans an unsigned number; database/sql would want it signed.
type position struct{ to *cx.Position }

func (p position) Scan(v any) error {
	n, ok := v.(uint64)
	if !ok {
		return fmt.Errorf("a position is %T", v)
	}
	*p.to = cx.Position(n)
	return nil
}

func scanEvent(rows *sql.Rows, i *warehouse.Item) error {
	var kind uint8
	var properties sql.NullString
	err := rows.Scan(position{&i.Position}, instant{&i.At}, &i.Customer, instant{&i.Time}, &i.Name, &kind, &i.Session, &i.Late, &properties)
	if kind >= uint8(cx.Track) && kind <= uint8(cx.Alias) {
		i.Type = cx.EventType(kind).String()
	}
	if properties.Valid {
		i.Properties = json.RawMessage(properties.String)
	}
	return err
}

func scanDecision(rows *sql.Rows, i *warehouse.Item) error {
	var winners string
	if err := rows.Scan(position{&i.Position}, instant{&i.At}, &i.Customer, &i.Decision, &i.Name, &winners); err != nil {
		return err
	}
	return json.Unmarshal([]byte(winners), &i.Winners)
}

// fates names the states of a treatment, as the view exposures does.
var fates = [...]string{"", "reserved", "shown", "clicked", "dismissed", "released", "withdrawn"}

func scanExposure(rows *sql.Rows, i *warehouse.Item) error {
	var fate uint8
	err := rows.Scan(position{&i.Position}, instant{&i.At}, &i.Customer, &i.Decision, &i.Action, &i.Place, &fate)
	if int(fate) < len(fates) {
		i.Fate = fates[fate]
	}
	return err
}

func scanDelivery(rows *sql.Rows, i *warehouse.Item) error {
	var fate uint8
	err := rows.Scan(position{&i.Position}, instant{&i.At}, &i.Customer, &i.Delivery, &i.Decision, &i.Action, &i.Destination, &fate, &i.Reason)
	i.Fate = cx.DeliveryState(fate).String()
	return err
}

func scanMove(rows *sql.Rows, i *warehouse.Item) error {
	return rows.Scan(position{&i.Position}, instant{&i.At}, &i.Customer, &i.Segment, &i.Entered, &i.ByTime)
}

func scanMerge(rows *sql.Rows, i *warehouse.Item) error {
	var undone bool
	err := rows.Scan(position{&i.Position}, instant{&i.At}, &i.Customer, &i.Loser, &i.Reason, &undone)
	if undone {
		i.Kind = warehouse.UnmergeItem
	}
	return err
}
