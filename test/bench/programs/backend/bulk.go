package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"outrider.dev/test/bench/programs/internal/pattern"
)

// maxBytes bounds one answer: ten times the largest row of the bench.
const maxBytes = 10 << 30

// maxEvents bounds one stream of events.
const maxEvents = 1_000_000

const (
	// bodyPiece is written at once where the length is known.
	bodyPiece = 256 << 10
	// streamPiece is a write of a chunked answer.
	streamPiece = 32 << 10
)

// number reads a query parameter within bounds; an answer of 400 has been sent when it is not there.
func number(w http.ResponseWriter, r *http.Request, name string, most int64) (int64, bool) {
	value, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || value < 0 || value > most {
		http.Error(w, fmt.Sprintf("%s must be a number from 0 to %d", name, most), http.StatusBadRequest)
		return 0, false
	}
	return value, true
}

func sendBytes(w http.ResponseWriter, r *http.Request) {
	n, ok := number(w, r, "n", maxBytes)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	// Fails only when the client has gone.
	_ = pattern.Write(w, n, bodyPiece)
}

func sendStream(w http.ResponseWriter, r *http.Request) {
	n, ok := number(w, r, "n", maxBytes)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	// Says that no length will come, also for what would fit the server's buffer.
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	_ = pattern.Write(w, n, streamPiece)
}

func countUpload(w http.ResponseWriter, r *http.Request) {
	var check pattern.Checker
	buffer := make([]byte, bodyPiece)
	var count int64
	for {
		n, err := r.Body.Read(buffer)
		if wrong := check.Check(buffer[:n]); wrong != nil {
			http.Error(w, wrong.Error(), http.StatusBadRequest)
			return
		}
		count += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	fmt.Fprint(w, count)
}

func sendEvents(w http.ResponseWriter, r *http.Request) {
	n, ok := number(w, r, "n", maxEvents)
	if !ok {
		return
	}
	every, err := time.ParseDuration(r.URL.Query().Get("every"))
	if err != nil || every < 0 || every > time.Minute {
		http.Error(w, "every must be a duration from 0 to 1m", http.StatusBadRequest)
		return
	}
	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if flush.Flush() != nil {
		return
	}
	ticker := time.NewTicker(max(every, time.Nanosecond))
	defer ticker.Stop()
	lines := json.NewEncoder(w)
	for range n {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
		if lines.Encode(map[string]int64{"at": time.Now().UnixNano()}) != nil || flush.Flush() != nil {
			return
		}
	}
}

// hang answers its head and one octet, and then stays open: a stream that costs what being open costs.
func hang(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := w.Write([]byte{'.'}); err != nil {
		return
	}
	if http.NewResponseController(w).Flush() != nil {
		return
	}
	<-r.Context().Done()
}
