package main

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	// pieceBytes are read at once.
	pieceBytes = 64 << 10
	// maxPieces are under way in one direction: 256 MiB at most, which 25 ms of loopback at its fastest does not fill.
	maxPieces = 4096
)

// piece is what was read, and when it is to arrive.
type piece struct {
	due    time.Time
	buffer *[pieceBytes]byte
	n      int
}

var buffers = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

// carry moves what comes from one connection to the other, each piece `later` after it came; nothing counts as come before `start`.
func carry(from, to *net.TCPConn, later time.Duration, start time.Time) {
	line := make(chan piece, maxPieces)
	go read(from, line, later, start)
	for next := range line {
		time.Sleep(time.Until(next.due))
		if next.n == 0 {
			_ = to.CloseWrite()
			continue
		}
		if _, err := to.Write(next.buffer[:next.n]); err != nil {
			// Both directions end. The reader sees it, and closes the line.
			from.Close()
			to.Close()
		}
		buffers.Put(next.buffer)
	}
}

// read puts what comes on the line, at last an empty piece: the end takes its time, too.
func read(from *net.TCPConn, line chan<- piece, later time.Duration, start time.Time) {
	defer close(line)
	for {
		buffer := buffers.Get().(*[pieceBytes]byte)
		n, err := from.Read(buffer[:])
		came := time.Now()
		if came.Before(start) {
			came = start
		}
		if n > 0 {
			line <- piece{due: came.Add(later), buffer: buffer, n: n}
		}
		if err != nil {
			line <- piece{due: came.Add(later)}
			if err != io.EOF {
				// Reset or closed: nothing that comes the other way could be delivered.
				from.Close()
			}
			return
		}
	}
}
