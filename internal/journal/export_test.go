package journal

// FreeSpace makes o believe that so many bytes of the disk are free.
func FreeSpace(o *Options, free func() uint64) {
	o.free = func(string) (uint64, error) { return free(), nil }
}

// CrashEngine stops the storage engine as if it had failed.
func CrashEngine(j *Journal) {
	j.mu.Lock()
	e := j.engine
	j.mu.Unlock()
	if e != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}
