// Package fault names the moments at which a crash hurts most. Code marks such
// a moment with Point; a program built with the tag chaos kills itself there
// when told to, and every other build carries nothing at all.
//
// The environment variable KIKUBARI_FAULT says where to die: "append.before:17"
// ends the process with SIGKILL, which no code can catch, at the 17th pass of
// the point append.before.
package fault

// Variable is the environment variable that names a point and a pass.
const Variable = "KIKUBARI_FAULT"
