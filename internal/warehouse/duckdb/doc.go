// Package duckdb keeps the rows for analysis in one DuckDB file. It implements
// pipeline.Warehouse, which the machine feeds, and warehouse.Reader, which
// people ask.
//
// A batch and its position are committed in one transaction whose log DuckDB
// forces to disk before the commit returns; a checkpoint that follows it can
// therefore never be ahead of the rows, even after a loss of power.
//
// Only one process can have the file open. Questions run on threads of low
// priority. So does what DuckDB itself does of an append, unless it would fall
// behind; the Go code of an append does not, because others would wait for it.
package duckdb
