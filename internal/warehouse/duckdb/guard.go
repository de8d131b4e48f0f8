package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// What a question may read: our views, and functions that make rows out of
// their arguments. Everything else by which rows can come in (files, other
// databases, the catalog, the tables under the views) is refused because it is
// not in this list.
var (
	views      = []string{"events", "decisions", "exposures", "segment_moves", "merges", "deliveries"}
	rowSources = []string{"unnest", "range", "generate_series", "json_each", "json_tree"}
)

// forbidden are functions that read something other than their arguments, or
// that make a large text out of a small one in one step, which DuckDB's memory
// limit does not count.
var forbidden = []string{
	"getenv", "current_setting", "getvariable", "nextval", "currval", "query", "query_table", "write_log",
	"current_database", "current_schema", "current_schemas", "in_search_path", "current_query", "txid_current", "current_connection_id", "current_query_id", "current_transaction_id",
	"repeat", "lpad", "rpad", "array_resize", "list_resize", "bitstring",
	"sleep_ms",
}

// explaining is how a statement begins that asks for the plan of another.
var explaining = regexp.MustCompile(`(?is)^\s*explain(\s+analyze)?\s+`)

// allow returns the statement to run for what a person wrote: at most limit rows
// of one reading statement, or a plan. Anything but a question about our views
// is refused, with a message for that person.
//
// The statement is judged by its syntax tree as DuckDB itself parsed it, and
// what is run is written from that tree again, so that nothing which was not
// judged can be run.
func allow(ctx context.Context, conn *sql.Conn, statement string, limit int) (string, error) {
	prefix := explaining.FindString(statement)
	tree, err := parse(ctx, conn, statement[len(prefix):])
	if err != nil {
		return "", err
	}
	g := guard{}
	g.names(tree)
	if err := g.visit(tree); err != nil {
		return "", err
	}
	canonical, err := deparse(ctx, conn, tree)
	if err != nil {
		return "", err
	}
	if prefix != "" {
		return prefix + canonical, nil
	}
	return fmt.Sprintf("SELECT * FROM (%s) LIMIT %d", canonical, limit), nil
}

// parse returns the syntax tree of one SELECT, as JSON.
func parse(ctx context.Context, conn *sql.Conn, statement string) (any, error) {
	var text string
	if err := conn.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", statement).Scan(&text); err != nil {
		return nil, err
	}
	var tree struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Type       string `json:"error_type"`
		Position   string `json:"position"`
		Statements []any  `json:"statements"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	switch {
	case tree.Error && tree.Type == "parser":
		return nil, cx.E(cx.Invalid, "", place(statement, tree.Position)+tree.Message)
	case tree.Error:
		return nil, refuse("only questions can be asked here: one statement that begins with SELECT, WITH, FROM, DESCRIBE, SUMMARIZE or EXPLAIN")
	case len(tree.Statements) != 1:
		return nil, refuse(fmt.Sprintf("ask one question at a time, not %d", len(tree.Statements)))
	}
	return map[string]any{"error": false, "statements": tree.Statements}, nil
}

// place says where in the statement an error is, as "line:column: ".
func place(statement, position string) string {
	var at int
	if _, err := fmt.Sscan(position, &at); err != nil || at < 0 || at > len(statement) {
		return ""
	}
	before := statement[:at]
	return fmt.Sprintf("%d:%d: ", 1+strings.Count(before, "\n"), 1+len([]rune(before[strings.LastIndex(before, "\n")+1:])))
}

func deparse(ctx context.Context, conn *sql.Conn, tree any) (statement string, err error) {
	b, err := json.Marshal(tree)
	if err != nil {
		return "", err
	}
	err = conn.QueryRowContext(ctx, "SELECT json_deserialize_sql(?::JSON)", string(b)).Scan(&statement)
	return statement, err
}

// guard walks a syntax tree.
type guard struct {
	defined []string // names of common table expressions, lower case
}

// names collects what the statement itself defines by WITH.
func (g *guard) names(node any) {
	each(node, func(m map[string]any) {
		if cte, ok := m["cte_map"].(map[string]any); ok {
			entries, _ := cte["map"].([]any)
			for _, e := range entries {
				if entry, ok := e.(map[string]any); ok {
					g.defined = append(g.defined, strings.ToLower(text(entry, "key")))
				}
			}
		}
	})
}

// visit refuses the first node that is not allowed.
func (g *guard) visit(node any) (err error) {
	each(node, func(m map[string]any) {
		if err == nil {
			err = g.judge(m)
		}
	})
	return err
}

func (g *guard) judge(m map[string]any) error {
	switch text(m, "type") {
	case "VALUE_PARAMETER":
		return refuse("a question has no parameters: write the values into it")
	case "BASE_TABLE":
		return g.table(text(m, "catalog_name"), text(m, "schema_name"), text(m, "table_name"))
	case "SHOW_REF":
		if m["query"] == nil {
			return refuse("the tables are " + strings.Join(views, ", ") + "; DESCRIBE shows the columns of one")
		}
	case "TABLE_FUNCTION":
		f, _ := m["function"].(map[string]any)
		if name := strings.ToLower(text(f, "function_name")); !slices.Contains(rowSources, name) || text(f, "schema") != "" {
			return refuse("the function " + name + " cannot be read from; use one of " + strings.Join(rowSources, ", "))
		}
	}
	if name := strings.ToLower(text(m, "function_name")); slices.Contains(forbidden, name) || strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "duckdb_") || strings.HasPrefix(name, "pragma_") || strings.HasPrefix(name, "read_") {
		return refuse("the function " + name + " cannot be used here")
	}
	if text(m, "function_name") != "" && text(m, "schema") != "" && text(m, "schema") != "main" {
		return refuse("functions of the schema " + text(m, "schema") + " cannot be used here")
	}
	return nil
}

// table allows our views and what the statement defines itself. A definition
// may be out of scope where its name is used; then the name would mean something
// of the catalog, so names of the catalog may not be defined.
func (g *guard) table(catalog, schema, name string) error {
	name = strings.ToLower(name)
	if catalog != "" || schema != "" {
		return refuse("name tables without a schema: " + strings.Join(views, ", "))
	}
	if slices.Contains(views, name) {
		return nil
	}
	for _, p := range []string{"duckdb_", "pg_", "sqlite_", "pragma_"} {
		if strings.HasPrefix(name, p) {
			return refuse(name + " cannot be read; the tables are " + strings.Join(views, ", "))
		}
	}
	if slices.Contains(g.defined, name) && !strings.ContainsAny(name, "./:*") {
		return nil
	}
	return refuse(fmt.Sprintf("there is no table %q; the tables are %s", name, strings.Join(views, ", ")))
}

func refuse(message string) error { return cx.E(cx.Invalid, "", message) }

// each calls f for every object in a JSON tree, outer ones first.
func each(node any, f func(map[string]any)) {
	switch n := node.(type) {
	case map[string]any:
		f(n)
		for _, v := range n {
			each(v, f)
		}
	case []any:
		for _, v := range n {
			each(v, f)
		}
	}
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}
