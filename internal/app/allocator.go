package app

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void share_arenas(void) { mallopt(M_ARENA_MAX, 2); }
static void trim(void) { malloc_trim(0); }
#else
static void share_arenas(void) {}
static void trim(void) {}
#endif
*/
import "C"

// The engines written in C take memory from the C library, which gives every
// thread a pool of its own and keeps what is freed: a hundred megabytes after a
// burst. Two pools are enough for the few threads that are in C at a time.
func init() { C.share_arenas() }

// trimAllocator gives the C library's free memory back to the operating system.
func trimAllocator() { C.trim() }
