package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// stocked opens a warehouse with one event in each of two workspaces.
func stocked(tb testing.TB, o Options) *Warehouse {
	tb.Helper()
	o.Path = filepath.Join(tb.TempDir(), "warehouse.duckdb")
	w := open(tb, o)
	b := &pipeline.Batch{Upto: cx.At(2, 0)}
	for i, ws := range []cx.Workspace{"demo", "rival"} {
		b.Events = append(b.Events, pipeline.EventRow{Position: cx.At(1, i), At: cx.Second, Event: &cx.Event{
			Workspace: ws, Name: cx.EventName("of " + ws), Type: cx.Track, Properties: []byte(`{"price": 4000}`),
		}})
	}
	if err := w.Append(context.Background(), b); err != nil {
		tb.Fatal(err)
	}
	return w
}

func TestWhatMayNotBeAsked(t *testing.T) {
	w := stocked(t, Options{})
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.csv")
	for _, statement := range []string{
		// files and other databases
		"select * from read_csv('" + secret + "')",
		"select * from '" + secret + "'",
		"from '" + secret + "'",
		"select * from read_text('/etc/passwd')",
		"select * from read_blob('/etc/passwd')",
		"select * from glob('/etc/*')",
		"select * from parquet_metadata('" + secret + "')",
		"select * from sniff_csv('" + secret + "')",
		"copy events to '" + out + "'",
		"copy (select 1) to '" + out + "'",
		"export database '" + out + "'",
		"import database '" + out + "'",
		"attach '" + out + "'",
		"attach ':memory:' as x",
		"detach warehouse",
		"use system",
		"install httpfs",
		"load httpfs",
		// settings and secrets
		"set memory_limit = '10GB'",
		"reset memory_limit",
		"set variable workspace = '*'",
		"pragma memory_limit = '10GB'",
		"pragma database_list",
		"call pragma_version()",
		"create secret s (type s3)",
		"select current_setting('temp_directory')",
		"select getvariable('workspace')",
		"select getenv('HOME')",
		"select * from duckdb_settings()",
		"select * from duckdb_secrets()",
		"select * from which_secret('a', 'b')",
		// the tables under the views and the catalog
		"select * from store.events",
		"select * from warehouse.store.events",
		"select * from main.events",
		"select * from \"store\".\"events\"",
		"select (select count(*) from store.events)",
		"select * from events where exists (from store.meta)",
		"with x as (select * from store.events) select * from x",
		"with recursive x as (select 1 as a union all select a from store.events) select * from x",
		"select * from (values (1)) t(a), lateral (select * from store.events)",
		"select * from events union all select * from store.events",
		"select * from query('select * from store.events')",
		"select * from query_table('store.events')",
		"select * from query_table(['events'])",
		"pivot events on name using count(*)",
		"select * from duckdb_tables()",
		"select * from duckdb_views",
		"select * from pg_catalog.pg_class",
		"select * from pg_class",
		"select * from sqlite_master",
		"select * from information_schema.tables",
		"with duckdb_views as (select 1) select * from (select 1), duckdb_views",
		"select a from (with pg_class as (select 1 as a) select a from pg_class), pg_class",
		"select * from pragma_table_info('store.events')",
		"select * from storage_info('events')",
		"select * from pragma_storage_info('events')",
		"select * from sql_auto_complete('sel')",
		"select * from seq_scan('store.events')",
		"select * from test_all_types()",
		"select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
		"describe store.events",
		"summarize store.events",
		"show tables",
		"show all tables",
		"show databases",
		"explain select * from store.events",
		"explain analyze select * from store.events",
		// writing
		"insert into events (name) values ('x')",
		"insert into store.events select * from store.events",
		"update store.meta set position = 0",
		"delete from store.events",
		"truncate store.events",
		"drop view events",
		"drop table store.events",
		"create table x (a int)",
		"create temp table x (a int)",
		"create or replace view events as select 1",
		"create macro m() as 1",
		"create function m() as 1",
		"alter table store.events drop column name",
		"checkpoint",
		"force checkpoint",
		"vacuum",
		"analyze",
		"begin",
		"commit",
		"prepare p as select 1",
		"execute p",
		"explain delete from store.events",
		"explain analyze delete from store.events",
		"select nextval('s')",
		"select * from write_log('x')",
		"select write_log('x')",
		// two at once
		"select 1; select 2",
		"select 1; drop table store.events",
		"select 1 /* ; */; attach 'x'",
		"",
		"   ;  ",
		"-- nothing",
		"explain",
		// nonsense
		"selec 1",
		"select * from nowhere",
		"select nothing from events",
		"select * from events where name = ?",
	} {
		table, err := w.Query(context.Background(), "demo", statement)
		if cx.KindOf(err) != cx.Invalid {
			t.Errorf("%s: got %v rows, error %v; want a refusal", statement, table, err)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a question wrote a file")
	}
	if table, err := w.Query(context.Background(), access.Everywhere, "select name from events order by name"); err != nil || len(table.Rows) != 2 {
		t.Errorf("after all that: %v, %v", table, err)
	}
}

func TestWhatMayBeAsked(t *testing.T) {
	w := stocked(t, Options{})
	for statement, want := range map[string]string{
		"select 1":                                   "[[1]]",
		"SELECT 1 ; ":                                "[[1]]",
		"select 1 -- with a comment":                 "[[1]]",
		"/* a comment */ select 1":                   "[[1]]",
		"from events select name":                    "[[of demo]]",
		"from events":                                "",
		"select Name from EVENTS":                    "[[of demo]]",
		"with e as (select name from events) from e": "[[of demo]]",
		"with events as (select 1 as a) select a from events":                                           "[[1]]",
		"select a from range(3) t(a) order by a desc":                                                   "[[2] [1] [0]]",
		"select unnest([3, 1, 2])":                                                                      "[[3] [1] [2]]",
		"select x from (select unnest([3, 1, 2]) as x) order by x":                                      "[[1] [2] [3]]",
		"select key from json_each('{\"a\": 1}')":                                                       "[[a]]",
		"select (properties->>'price')::int + 1 from events":                                            "[[4001]]",
		"select properties.price from events":                                                           "[[4000]]",
		"select e.name, f.name from events e join events f using (position)":                            "[[of demo of demo]]",
		"select row_number() over (order by name) from events":                                          "[[1]]",
		"values (1, 'a'), (2, 'b')":                                                                     "[[1 a] [2 b]]",
		"with recursive n as (select 1 as i union all select i + 1 from n where i < 3) select * from n": "[[1] [2] [3]]",
		"select [x * 2 for x in [1, 2]]":                                                                "[[[2 4]]]",
		"select {'a': 1, 'b': [true, null]}":                                                            "[[map[a:1 b:[true <nil>]]]]",
		"select map {'k': 1}":                                                                           "[[map[k:1]]]",
		"select 1::hugeint, 1.50::decimal(5,2), 'nan'::double, date '2026-11-22', interval 3 days":      "",
		"select count(*) from events group by all":                                                      "[[1]]",
		"select name from events limit 1 offset 0":                                                      "[[of demo]]",
		"select distinct on (name) name from events":                                                    "[[of demo]]",
		"select * exclude (properties) from events":                                                     "",
		"select columns('name') from events":                                                            "[[of demo]]",
		"describe events":                                                                               "",
		"describe select 1":                                                                             "",
		"summarize events":                                                                              "",
		"explain select * from events":                                                                  "",
		"explain analyze select * from events":                                                          "",
		"select upper(name) from events tablesample 100%":                                               "[[OF DEMO]]",
		"select date_trunc('day', time) as day, approx_quantile((properties->>'price')::double, 0.5) from events group by day": "",
		"select name from events where customer = 'c_0000000000000'":                                                           "[[of demo]]",
		"select w.action from decisions, unnest(winners) t(w)":                                                                 "[]",
	} {
		table, err := w.Query(context.Background(), "demo", statement)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		if got := fmt.Sprint(table.Rows); want != "" && got != want {
			t.Errorf("%s: %s, want %s", statement, got, want)
		}
		if strings.Contains(fmt.Sprint(table.Rows), "rival") {
			t.Errorf("%s: shows the other workspace: %v", statement, table.Rows)
		}
	}
}

func TestLimits(t *testing.T) {
	w := stocked(t, Options{QueryRows: 100, QueryBytes: 10_000, QueryTime: 300 * time.Millisecond})
	ask := func(q string) (int, bool, error) {
		table, err := w.Query(context.Background(), "demo", q)
		if err != nil {
			return 0, false, err
		}
		return len(table.Rows), table.Truncated, nil
	}
	for _, c := range []struct {
		q         string
		rows      int
		truncated bool
	}{
		{"select * from range(99)", 99, false},
		{"select * from range(100)", 100, false},
		{"select * from range(101)", 100, true},
		{"select * from range(1000000000)", 100, true},
		{"select i from range(1000) t(i) order by i desc limit 5", 5, false},
	} {
		if n, truncated, err := ask(c.q); n != c.rows || truncated != c.truncated || err != nil {
			t.Errorf("%s: %d rows, truncated %v, %v; want %d, %v", c.q, n, truncated, err, c.rows, c.truncated)
		}
	}
	if n, truncated, err := ask("select list(r) from range(1000) s(r), range(50) group by r % 50"); n == 0 || n > 10 || !truncated || err != nil {
		t.Errorf("a wide answer: %d rows, truncated %v, %v", n, truncated, err)
	}

	start := time.Now()
	_, _, err := ask("select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7")
	if cx.KindOf(err) != cx.Limited || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("a long question: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a question with 300 ms took %v", took)
	}
	if n, _, err := ask("select 1"); n != 1 || err != nil {
		t.Errorf("the question after it: %d, %v", n, err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Query(ctx, "demo", "select 1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled question: %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	w := stocked(t, Options{Memory: 64 << 20, QueryTime: 20 * time.Second})
	for _, q := range []string{
		"select length(string_agg(i::varchar || 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', ',')) from range(100000000) t(i)",
		"select len(list(i)) from range(1000000000) t(i)",
		"select len(range(10000000000))",
	} {
		_, err := w.Query(context.Background(), "demo", q)
		if k := cx.KindOf(err); k != cx.Limited && k != cx.Invalid {
			t.Errorf("%s: %v", q, err)
		}
	}
	if _, err := w.Query(context.Background(), "demo", "select 1"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestErrorsPointAtThePlace(t *testing.T) {
	w := stocked(t, Options{})
	_, err := w.Query(context.Background(), "demo", "select name,\n  frm events x y")
	if err == nil || !strings.HasPrefix(err.Error(), "2:") {
		t.Errorf("a syntax error on line 2: %v", err)
	}
	_, err = w.Query(context.Background(), "demo", "select nam from events")
	if err == nil || !strings.Contains(err.Error(), "name") || strings.Contains(err.Error(), "store") {
		t.Errorf("a misspelt column: %v", err)
	}
}
