// Package fault puts faults into the program. Code marks the moments at which a
// crash hurts most, or a delay, with Point, and reads the wall clock with Now. A
// program built with the tag chaos kills itself or waits there, and has a clock
// that jumps, when told to; every other build carries nothing at all.
//
// The environment variable KIKUBARI_FAULT says what happens, with commas between
// several: "append.before:17" ends the process with SIGKILL, which no code can
// catch, at the 17th pass of the point append.before;
// "append.before:delay=200ms" waits there at every pass, and
// "append.before:delay=200ms*50" at the first fifty;
// "append.before:until=FILE" waits there while there is no such file.
//
// The environment variable KIKUBARI_CLOCK names a file that says by how much the
// clock is wrong, as in "-1h" or "24h". It is read again every few milliseconds.
package fault

// The environment variables that put faults into a chaos build.
const (
	Variable      = "KIKUBARI_FAULT"
	ClockVariable = "KIKUBARI_CLOCK"
)
