// Package bench is the load generator behind "kikubari bench". It measures a
// running server over its public front door, or starts one of its own as a
// second process on a fresh directory.
//
// Requests come from a deterministic model of visitors; in the open loop they
// are sent on a schedule that does not wait for answers, and latency counts
// from the scheduled moment, so that a stalled server cannot hide its stall.
// What is acknowledged is counted and, at the end, compared with what the
// server says it has stored.
//
// It is meant for the loopback interface: the generator shares the machine with
// the server and is built to cost a few microseconds an event.
package bench
