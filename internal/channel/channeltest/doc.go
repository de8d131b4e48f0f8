// Package channeltest is the one suite that every channel passes, and the
// recorders that tests send to: what they were given, in which order, with which
// key, and what they took for a repetition.
package channeltest
