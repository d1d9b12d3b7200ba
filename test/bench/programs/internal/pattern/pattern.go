// Package pattern is the content of bulk: known to both ends, so that a wrong octet is seen, and random, so that no hop gains by compressing it.
package pattern

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
)

// blockBytes: the content repeats after this many octets. Small enough for the processor's cache, large enough that a lost or repeated piece shows.
const blockBytes = 1 << 20

// block is twice the period, so that any piece of up to a period is one slice of it.
var block = makeBlock()

func makeBlock() []byte {
	var seed [32]byte
	copy(seed[:], "outrider bench")
	made := make([]byte, 2*blockBytes)
	_, _ = rand.NewChaCha8(seed).Read(made[:blockBytes])
	copy(made[blockBytes:], made[:blockBytes])
	return made
}

// At is the content from an offset on, up to size octets and up to one period. Not to be written to.
func At(offset int64, size int) []byte {
	start := int(offset % blockBytes)
	return block[start : start+min(size, blockBytes)]
}

// Write writes the first n octets in pieces.
func Write(w io.Writer, n int64, piece int) error {
	for offset := int64(0); offset < n; {
		size := int(min(int64(piece), n-offset))
		written, err := w.Write(At(offset, size))
		if err != nil {
			return err
		}
		offset += int64(written)
	}
	return nil
}

// Reader gives the first n octets.
type Reader struct{ offset, n int64 }

// NewReader gives the first n octets.
func NewReader(n int64) *Reader { return &Reader{n: n} }

func (r *Reader) Read(p []byte) (int, error) {
	if r.offset >= r.n {
		return 0, io.EOF
	}
	size := copy(p, At(r.offset, int(min(int64(len(p)), r.n-r.offset))))
	r.offset += int64(size)
	return size, nil
}

// Checker follows content that arrives in pieces.
type Checker struct{ offset int64 }

// Check fails at the first piece that is not what was sent.
func (c *Checker) Check(piece []byte) error {
	for len(piece) > 0 {
		want := At(c.offset, len(piece))
		if !bytes.Equal(piece[:len(want)], want) {
			return fmt.Errorf("wrong content within %d octets after octet %d", len(want), c.offset)
		}
		c.offset += int64(len(want))
		piece = piece[len(want):]
	}
	return nil
}
