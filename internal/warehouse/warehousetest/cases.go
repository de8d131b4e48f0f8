package warehousetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse"
)

func empty(t *testing.T, open func() Warehouse) {
	w := open()
	position(t, w, 0)
	equal(t, "events", ask(t, w, "demo", "select count(*) from events"), "[[0]]")
	items, err := w.Story(ctx, "demo", 1, 0, 10)
	if len(items) != 0 || err != nil {
		t.Errorf("Story = %v, %v", items, err)
	}
	_, err = w.Decision(ctx, "demo", cx.NewDecisionID(at(1, 0)))
	kind(t, "no decision", err, cx.NotFound)
}

func restart(t *testing.T, open func() Warehouse) {
	w := open()
	appendTo(t, w, pipeline.Batch{Upto: at(5, 0), Events: []pipeline.EventRow{event(at(3, 1), "demo", 1, day0, "A", `{}`)}})
	position(t, w, at(5, 0))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open()
	position(t, w, at(5, 0))
	equal(t, "names", ask(t, w, "demo", "select name from events"), `[["A"]]`)
	appendTo(t, w, pipeline.Batch{Upto: at(6, 0), Events: []pipeline.EventRow{event(at(5, 1), "demo", 1, day0, "B", `{}`)}})
	equal(t, "names", ask(t, w, "demo", "select name from events order by name"), `[["A"],["B"]]`)
}

func once(t *testing.T, open func() Warehouse) {
	w := open()
	batch := pipeline.Batch{Upto: at(5, 0), Events: []pipeline.EventRow{event(at(3, 1), "demo", 1, day0, "A", `{}`)}}
	appendTo(t, w, batch)
	kind(t, "the same batch again", w.Append(ctx, &batch), cx.Conflict)
	batch.Upto = at(9, 0)
	kind(t, "an old row in a new batch", w.Append(ctx, &batch), cx.Conflict)
	kind(t, "a row after the batch's end", w.Append(ctx, &pipeline.Batch{
		Upto: at(6, 0), Events: []pipeline.EventRow{event(at(7, 0), "demo", 1, day0, "A", `{}`)},
	}), cx.Invalid)
	position(t, w, at(5, 0))
	appendTo(t, w, pipeline.Batch{Upto: at(5, 0)}) // nothing to store: already there
	appendTo(t, w, pipeline.Batch{Upto: at(8, 0)}) // nothing but progress
	position(t, w, at(8, 0))
	equal(t, "rows", ask(t, w, "demo", "select count(*) from events"), "[[1]]")
}

// whole makes a later table of a batch fail by a row out of place and checks
// that the earlier tables' rows are not there.
func whole(t *testing.T, open func() Warehouse) {
	w := open()
	appendTo(t, w, pipeline.Batch{Upto: at(2, 0)})
	kind(t, "a batch with one old row", w.Append(ctx, &pipeline.Batch{
		Upto:   at(9, 0),
		Events: []pipeline.EventRow{event(at(3, 0), "demo", 1, day0, "lost", `{}`)},
		Merges: []pipeline.MergeRow{{Position: at(1, 0), Workspace: "demo", Winner: 1, Loser: 2}},
	}), cx.Conflict)
	position(t, w, at(2, 0))
	equal(t, "rows", ask(t, w, "demo", "select count(*) from events"), "[[0]]")
}

func values(t *testing.T, open func() Warehouse) {
	w := open()
	long := strings.Repeat("長い", 2_000)
	full := pipeline.EventRow{
		Position: at(1, 2), At: day0 + 1, Customer: 1<<64 - 1, Session: 7, Late: true,
		Event: &cx.Event{
			Workspace: "demo", Key: "k_key", KeyKind: cx.ServerKey, Type: cx.Identify, Flags: cx.Verified | cx.Bot, Name: "名前 exactly12",
			MessageID: long, AnonymousID: "anon", UserID: "bad \xff utf-8", GroupID: "g", PreviousID: "p",
			Time: day0 + 2, Original: day0 + 3, ReceivedAt: day0 + 4, Locale: "ja-JP",
			Consent: []byte(`{"marketing":true}`), Properties: []byte(`{"price":4000,"text":"` + long + `","list":[1,2]}`), Context: []byte(`{"ip":null}`),
		},
	}
	bare := pipeline.EventRow{Position: at(1, 3), At: day0, Customer: 0, Event: &cx.Event{Workspace: "demo", Type: cx.Track}}
	appendTo(t, w, pipeline.Batch{Upto: at(2, 0), Events: []pipeline.EventRow{full, bare}})

	equal(t, "full row", ask(t, w, "demo", `select customer, session, late, key, key_kind, type, name, length(message_id), anonymous_id, user_id, group_id, previous_id,
		locale, verified, historical, bot, time, recorded, received, original, position from events where position = 65538`),
		`[["c_zzzzzzzzzzzzy",7,true,"k_key","server","identify","名前 exactly12",4000,"anon","bad � utf-8","g","p","ja-JP",true,false,true,`+
			`"2026-11-02T00:00:00.000002Z","2026-11-02T00:00:00.000001Z","2026-11-02T00:00:00.000004Z","2026-11-02T00:00:00.000003Z",65538]]`)
	equal(t, "raw JSON", ask(t, w, "demo", `select consent, properties->>'price', properties->'list', length(properties->>'text'), context from events where position = 65538`),
		`[[{"marketing":true},"4000",[1,2],4000,{"ip":null}]]`)
	equal(t, "bare row", ask(t, w, "demo", `select customer, name, anonymous_id, time, original, consent, properties, context from events where position = 65539`),
		`[["c_0000000000000","",null,null,null,null,null,null]]`)
}

// Two people, one of whom is merged into the other at 30.
const (
	alice cx.CustomerID = 0xa11ce << 44
	early cx.CustomerID = 0xea7 << 44
	other cx.CustomerID = 77
)

func storyBatch() pipeline.Batch {
	winners := []cx.Treatment{{Action: "bar", Place: "top-bar", Channel: cx.Web, Content: []byte(`{"text":"あと1,000円"}`)}}
	return pipeline.Batch{
		Upto: at(60, 0),
		Events: []pipeline.EventRow{
			event(at(10, 0), "demo", early, day0+10, "Product Viewed", `{"price":1}`),
			event(at(11, 0), "demo", other, day0+11, "Product Viewed", `{"price":2}`),
			event(at(20, 0), "demo", alice, day0+20, "Product Viewed", `{"price":3}`),
			event(at(30, 0), "demo", alice, day0+30, "Identified", `{}`),
			event(at(40, 0), "demo", alice, day0+40, "Product Added", `{"price":4000}`),
			event(at(50, 0), "demo", alice, day0+50, "Message Shown", `{}`),
		},
		Decisions: []pipeline.DecisionRow{{
			ID: cx.NewDecisionID(at(40, 0)), Position: at(40, 0), At: day0 + 40, Workspace: "demo", Customer: alice, Event: "Product Added",
			Definitions: 3, Winners: winners, Trace: []byte{0, 1, 0xff}, Input: []byte("input \x00 bytes"),
		}},
		Exposures: []pipeline.ExposureRow{{Position: at(50, 0), At: day0 + 50, Workspace: "demo", Customer: alice, Decision: cx.NewDecisionID(at(40, 0)), Action: "bar", Place: "top-bar", Fate: cx.Shown}},
		Moves: []pipeline.SegmentRow{
			{Position: at(10, 0), At: day0 + 10, Workspace: "demo", Customer: early, Segment: "window shoppers", Entered: true},
			{Position: at(40, 0), At: day0 + 40, Workspace: "demo", Customer: alice, Segment: "cart", Entered: true},
			{Position: at(55, 0), At: day0 + 55, Workspace: "demo", Customer: alice, Segment: "cart", ByTime: true},
		},
		Merges: []pipeline.MergeRow{{Position: at(30, 0), At: day0 + 30, Workspace: "demo", Winner: alice, Loser: early, Reason: "user_id identify"}},
		Deliveries: []pipeline.DeliveryRow{{Position: at(57, 0), At: day0 + 57, Fate: cx.Fate{
			Key: cx.SendKey{1, 1<<64 - 1}, Workspace: "demo", Customer: early, Decision: cx.NewDecisionID(at(10, 0)), Action: "tell-crm", Channel: cx.Webhook,
			Destination: "crm", State: cx.DeliveryFailed, Attempts: 3, Reason: "410 Gone",
		}}},
	}
}

// brief writes a story as lines of position, kind and what happened.
func brief(items []warehouse.Item) string {
	var lines []string
	for _, i := range items {
		lines = append(lines, strings.TrimSpace(strings.Join([]string{i.Position.String(), string(i.Kind), i.Name, i.Segment, i.Fate, i.Reason}, " ")))
	}
	return strings.Join(lines, "\n")
}

func story(t *testing.T, open func() Warehouse) {
	w := open()
	appendTo(t, w, storyBatch())
	const whole = `57.0 delivery   failed 410 Gone
55.0 segment  cart
50.0 exposure   shown
50.0 event Message Shown
40.0 decision Product Added
40.0 segment  cart
40.0 event Product Added
30.0 merge    user_id identify
30.0 event Identified
20.0 event Product Viewed
10.0 segment  window shoppers
10.0 event Product Viewed`
	all, err := w.Story(ctx, "demo", alice, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the whole story", brief(all), whole)

	for limit := 1; limit <= 12; limit++ {
		var pages []warehouse.Item
		for before := cx.Position(0); ; {
			page, err := w.Story(ctx, "demo", alice, before, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if left := len(all) - len(pages); len(page) < min(limit, left) {
				t.Errorf("a page of %d items, asked for %d of %d left", len(page), limit, left)
			}
			pages = append(pages, page...)
			before = page[len(page)-1].Position
		}
		equal(t, "the story in pages", brief(pages), whole)
	}

	equal(t, "a delivery", all[0], warehouse.Item{
		Kind: warehouse.DeliveryItem, At: day0 + 57, Position: at(57, 0), Customer: early.String(), Action: "tell-crm", Decision: cx.NewDecisionID(at(10, 0)).String(),
		Fate: "failed", Delivery: cx.SendKey{1, 1<<64 - 1}.String(), Destination: "crm", Reason: "410 Gone",
	})
	equal(t, "a decision", all[4], warehouse.Item{
		Kind: warehouse.DecisionItem, At: day0 + 40, Position: at(40, 0), Customer: alice.String(), Name: "Product Added",
		Decision: cx.NewDecisionID(at(40, 0)).String(),
		Winners:  []warehouse.Winner{{Action: "bar", Place: "top-bar", Channel: cx.Web, Content: json.RawMessage(`{"text":"あと1,000円"}`)}},
	})
	equal(t, "an event", all[len(all)-1], warehouse.Item{
		Kind: warehouse.EventItem, At: day0 + 10, Position: at(10, 0), Customer: early.String(), Name: "Product Viewed", Type: "track",
		Time: day0 + 10 - cx.Second, Session: 1, Properties: json.RawMessage(`{"price":1}`),
	})
	before, err := w.Story(ctx, "demo", early, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the story of the one merged away", brief(before), "57.0 delivery   failed 410 Gone\n10.0 segment  window shoppers\n10.0 event Product Viewed")
}

func decision(t *testing.T, open func() Warehouse) {
	w := open()
	b := storyBatch()
	appendTo(t, w, b)
	got, err := w.Decision(ctx, "demo", b.Decisions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the decision", *got, b.Decisions[0])

	timer := b.Decisions[0]
	timer.Position, timer.Event = at(61, 0), ""
	timer.ID = cx.NewTimerDecisionID(timer.Position, timer.Customer)
	other := timer
	other.Customer, other.ID = 77, cx.NewTimerDecisionID(timer.Position, 77)
	appendTo(t, w, pipeline.Batch{Upto: timer.Position, Decisions: []pipeline.DecisionRow{timer, other}})
	for _, d := range []pipeline.DecisionRow{timer, other} {
		if got, err = w.Decision(ctx, "demo", d.ID); err != nil {
			t.Fatal(err)
		}
		equal(t, "the decision of a timer", *got, d)
	}
	_, err = w.Decision(ctx, "demo", cx.NewDecisionID(at(20, 0)))
	kind(t, "an entry without a decision", err, cx.NotFound)
}

func eventAt(t *testing.T, open func() Warehouse) {
	w := open()
	full := &cx.Event{
		Workspace: "demo", Key: "k_1", KeyKind: cx.ServerKey, Type: cx.Identify, Flags: cx.Verified | cx.TimeSet, Name: cx.Identified,
		MessageID: "m", AnonymousID: "a", UserID: "u", GroupID: "g", PreviousID: "p",
		Time: day0 - 1, Original: day0 - 2, ReceivedAt: day0, Consent: []byte(`{"onsite":true}`), Locale: "ja-JP",
		Properties: []byte(`{"name": "花子",  "n":1.50}`), Context: []byte(`{"page":{"url":"https://shop.example/"}}`),
	}
	bare := &cx.Event{Workspace: "demo", Key: "k_1", KeyKind: cx.BrowserKey, Type: cx.Page, Name: cx.PageViewed, MessageID: "n"}
	appendTo(t, w, pipeline.Batch{Upto: at(3, 0), Events: []pipeline.EventRow{{Position: at(1, 0), At: day0, Event: full}, {Position: at(2, 5), At: day0, Event: bare}}})
	for p, want := range map[cx.Position]*cx.Event{at(1, 0): full, at(2, 5): bare} {
		got, err := w.Event(ctx, "demo", p)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the event at "+p.String(), got, want)
	}
	_, err := w.Event(ctx, "demo", at(2, 4))
	kind(t, "a position without an event", err, cx.NotFound)
	_, err = w.Event(ctx, "rival", at(1, 0))
	kind(t, "another workspace's event", err, cx.NotFound)
}

func recent(t *testing.T, open func() Warehouse) {
	w := open()
	appendTo(t, w, storyBatch())
	items, err := w.Recent(ctx, "demo", 3)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the newest three", brief(items), "50.0 event Message Shown\n40.0 event Product Added\n30.0 event Identified")
}

func workspaces(t *testing.T, open func() Warehouse) {
	w := open()
	b := storyBatch()
	b.Events = append(b.Events, event(at(51, 0), "rival", 9, day0+51, "Secret", `{"of":"rival"}`))
	b.Decisions = append(b.Decisions, pipeline.DecisionRow{ID: cx.NewDecisionID(at(51, 0)), Position: at(51, 0), At: day0, Workspace: "rival", Customer: 9, Event: "Secret"})
	b.Exposures = append(b.Exposures, pipeline.ExposureRow{Position: at(51, 0), At: day0, Workspace: "rival", Customer: 9, Fate: cx.Shown})
	b.Moves = append(b.Moves, pipeline.SegmentRow{Position: at(51, 0), At: day0, Workspace: "rival", Customer: 9, Segment: "secret"})
	b.Merges = append(b.Merges, pipeline.MergeRow{Position: at(51, 0), At: day0, Workspace: "rival", Winner: 9, Loser: alice})
	b.Deliveries = append(b.Deliveries, pipeline.DeliveryRow{Position: at(51, 0), At: day0, Fate: cx.Fate{Workspace: "rival", Customer: 9, State: cx.DeliverySent}})
	appendTo(t, w, b)
	for _, view := range []string{"events", "decisions", "exposures", "segment_moves", "merges", "deliveries"} {
		equal(t, view+" of demo", ask(t, w, "demo", "select distinct workspace from "+view), `[["demo"]]`)
		equal(t, view+" of rival", ask(t, w, "rival", "select workspace from "+view), `[["rival"]]`)
		equal(t, view+" of everywhere", ask(t, w, access.Everywhere, "select distinct workspace from "+view+" order by 1"), `[["demo"],["rival"]]`)
		equal(t, view+" of nobody", ask(t, w, "none", "select workspace from "+view), `[]`)
		equal(t, view+" of a quote", ask(t, w, "' or true --", "select workspace from "+view), `[]`)
		_, err := w.Query(ctx, "", "select * from "+view)
		kind(t, view+" of an empty workspace", err, cx.Denied)
	}
	items, err := w.Story(ctx, "rival", 9, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.Position != at(51, 0) {
			t.Errorf("the rival's story tells of %v", i)
		}
	}
	if items, err := w.Story(ctx, "rival", alice, 0, 100); len(items) != 0 || err != nil {
		t.Errorf("the rival reads a story of demo: %v, %v", items, err)
	}
	_, err = w.Decision(ctx, "rival", cx.NewDecisionID(at(40, 0)))
	kind(t, "the rival reads a decision of demo", err, cx.NotFound)
	_, err = w.Story(ctx, "", alice, 0, 1)
	kind(t, "a story of no workspace", err, cx.Denied)
	if items, err := w.Recent(ctx, "rival", 10); len(items) != 1 || err != nil {
		t.Errorf("the rival's newest events: %v, %v", items, err)
	}
}

// resorted lets an un-merge give one event back, and holds that everything asked
// afterwards agrees.
func resorted(t *testing.T, open func() Warehouse) {
	w := open()
	appendTo(t, w, storyBatch())
	appendTo(t, w, pipeline.Batch{
		Upto:     at(70, 0),
		Events:   []pipeline.EventRow{event(at(61, 0), "demo", alice, day0+61, "Product Viewed", `{}`)},
		Merges:   []pipeline.MergeRow{{Position: at(65, 0), At: day0 + 65, Workspace: "demo", Winner: alice, Loser: early, Reason: "operator: two people", Undoes: at(30, 0)}},
		Resorted: []pipeline.ResortRow{{Position: at(65, 0), Workspace: "demo", Event: at(40, 0), Customer: early}, {Position: at(65, 0), Workspace: "demo", Event: at(61, 0), Customer: early}},
	})
	for id, want := range map[cx.CustomerID]string{
		alice: "20.0 Product Viewed\n30.0 Identified\n50.0 Message Shown\n",
		early: "10.0 Product Viewed\n40.0 Product Added\n61.0 Product Viewed\n",
	} {
		got := ""
		err := w.EventsOf(ctx, "demo", id, 0, at(1000, 0), func(at cx.Position, now cx.Instant, ev *cx.Event) error {
			if ev.Workspace != "demo" || now == 0 || ev.Key == "" {
				t.Errorf("event at %v: %+v at %v", at, ev, now)
			}
			got += fmt.Sprintf("%v %s\n", at, ev.Name)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "events", got, want)
	}
	equal(t, "rows", ask(t, w, "demo", "select count(*) from events where customer = '"+alice.String()+"'"), "[[3]]")
	equal(t, "decisions", ask(t, w, "demo", "select customer from decisions"), fmt.Sprintf(`[[%q]]`, early))
	equal(t, "merges", ask(t, w, "demo", "select kind, reason from merges order by position"), `[["merge","user_id identify"],["unmerge","operator: two people"]]`)
	items, err := w.Story(ctx, "demo", alice, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the story", brief(items), `65.0 unmerge    operator: two people
55.0 segment  cart
50.0 exposure   shown
50.0 event Message Shown
40.0 segment  cart
30.0 merge    user_id identify
30.0 event Identified
20.0 event Product Viewed`)
	if err := w.EventsOf(ctx, "rival", alice, 0, at(1000, 0), func(cx.Position, cx.Instant, *cx.Event) error {
		t.Error("an event of another workspace")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
