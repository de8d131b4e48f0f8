package archive

// SmallFrames makes o close a frame after so many bytes.
func SmallFrames(o *Options, bytes int) { o.frameBytes = bytes }

// FreeSpace makes o believe that so many bytes of the disk are free.
func FreeSpace(o *Options, free func() uint64) {
	o.free = func(string) (uint64, error) { return free(), nil }
}
