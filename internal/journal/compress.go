package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/klauspost/compress/s2"
)

// worthCompressing is how many bytes of entries it takes. Below, what a commit
// costs does not depend on its bytes.
const worthCompressing = 2 << 10

// compressor turns records into version 2, in memory that it uses again.
type compressor struct{ memory []byte }

// compress returns version 2 of a record that AppendRecord encoded, valid until
// the next call. It returns the record as it is when that is short or would not
// become a quarter shorter.
func (c *compressor) compress(record []byte) []byte {
	entries := record[headerSize:]
	if len(entries) < worthCompressing {
		return record
	}
	size := compressedHeaderSize + s2.MaxEncodedLen(len(entries))
	c.memory = slices.Grow(c.memory[:0], size)
	dst := c.memory[:size]
	block := s2.Encode(dst[compressedHeaderSize:], entries)
	if len(block) > len(entries)/4*3 {
		return record
	}
	copy(dst, record[:headerSize-4])
	dst[3] = compressed
	binary.LittleEndian.PutUint32(dst[32:], uint32(len(entries)))
	binary.LittleEndian.PutUint32(dst[36:], uint32(len(block)))
	binary.LittleEndian.PutUint32(dst[40:], crc32.Checksum(block, castagnoli))
	binary.LittleEndian.PutUint32(dst[44:], crc32.Checksum(dst[:44], castagnoli))
	return dst[:compressedHeaderSize+len(block)]
}

// inflate returns the entries of the block at the head of data, in memory of
// their own, or the reason why it cannot.
func (h *header) inflate(data []byte) (entries []byte, reason string) {
	if len(data) < h.stored {
		return nil, fmt.Sprintf("it ends after %d of %d compressed bytes", len(data), h.stored)
	}
	block := data[:h.stored]
	if crc32.Checksum(block, castagnoli) != h.sum {
		return nil, "the checksum of its compressed entries does not match"
	}
	if n, err := s2.DecodedLen(block); err != nil || n != h.inflated {
		return nil, fmt.Sprintf("its entries inflate to %d bytes and not to %d", n, h.inflated)
	}
	entries, err := s2.Decode(make([]byte, h.inflated), block)
	if err != nil {
		return nil, fmt.Sprintf("its entries cannot be inflated: %v", err)
	}
	return entries, ""
}
