package nice

import "syscall"

// lower gives the calling thread low priority. On Linux a niceness belongs to
// the thread; lowering one's own priority is always permitted, and a kernel
// that refuses leaves it as it was, which costs speed and nothing else.
func lower() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), level) }
