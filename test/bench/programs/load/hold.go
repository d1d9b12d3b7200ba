package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxStreams = 5000
	// opening at a time: more would measure how TLS handshakes queue.
	opening = 32
	// slowWindow is what a slow reader's kernel takes ahead of it; by default that grows to megabytes, and nothing would be slow for long.
	slowWindow = 32 << 10
	// slowTurns a second: how often a slow reader reads.
	slowTurns = 10
)

// stream is an answer that is not done.
type stream struct {
	body  io.ReadCloser
	close func()
	ended atomic.Bool
	done  chan struct{}
}

type streamsParams struct {
	Path  string `json:"path"`
	Count int    `json:"count"`
	// BytesPerSecond of each slow reader; not for others.
	BytesPerSecond int `json:"bytesPerSecond"`
}

func parseStreams(raw json.RawMessage) (streamsParams, error) {
	var params streamsParams
	if err := parse(raw, &params); err != nil {
		return params, err
	}
	if params.Count < 1 || params.Count > maxStreams {
		return params, fmt.Errorf("count must be 1 to %d", maxStreams)
	}
	return params, nil
}

// countStreams opens many streams, tells how many of them were open at once, and closes them.
func countStreams(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseStreams(raw)
	if err != nil {
		return nil, err
	}
	streams, result, err := openAll(ctx, dialing(t.transport, reset), t, params, wait)
	closeAll(streams)
	return result, err
}

// holdStreams opens streams and keeps them until release.
func holdStreams(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseStreams(raw)
	if err != nil {
		return nil, err
	}
	streams, result, err := openAll(ctx, dialing(t.transport, reset), t, params, wait)
	t.held = append(t.held, streams...)
	return result, err
}

// readSlowly opens streams, reads them at a given pace, and keeps them until release.
func readSlowly(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseStreams(raw)
	if err != nil {
		return nil, err
	}
	if params.BytesPerSecond < slowTurns || params.BytesPerSecond > 1<<20 {
		return nil, fmt.Errorf("bytesPerSecond must be %d to %d", slowTurns, 1<<20)
	}
	transport := dialing(t.transport, func(connection *net.TCPConn) error { return connection.SetReadBuffer(slowWindow) })
	transport.ReadBufferSize = slowWindow / 8
	piece := params.BytesPerSecond / slowTurns
	streams, result, err := openAll(ctx, transport, t, params, func(s *stream) { s.readAt(piece) })
	t.held = append(t.held, streams...)
	return result, err
}

// reset makes the end of a connection one that every path hears of at once: after a plain FIN a client may still be reading, and what a row leaves open is in the figures of the next.
func reset(connection *net.TCPConn) error { return connection.SetLinger(0) }

// dialing is a transport with connections of its own, which nobody else is handed, each prepared.
func dialing(from *http.Transport, prepare func(*net.TCPConn) error) *http.Transport {
	transport := from.Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if tcp, ok := connection.(*net.TCPConn); ok {
			err = prepare(tcp)
		}
		return connection, err
	}
	return transport
}

// release ends all that is held of a target.
func release(_ context.Context, _ *generator, t *target, _ json.RawMessage) (metrics, error) {
	released := len(t.held)
	closeAll(t.held)
	t.held = nil
	return metrics{"released": float64(released)}, nil
}

func closeAll(streams []*stream) {
	for _, s := range streams {
		s.close()
	}
	for _, s := range streams {
		<-s.done
	}
}

// openAll opens streams and waits for the first octet of each. Some that fail are a figure, not an error: how many there can be is the question.
func openAll(ctx context.Context, transport *http.Transport, t *target, params streamsParams, keep func(*stream)) ([]*stream, metrics, error) {
	start := time.Now()
	var lock sync.Mutex
	var streams []*stream
	var failed failures
	var done sync.WaitGroup
	slots := make(chan struct{}, opening)
	for range params.Count {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			s, err := openStream(ctx, transport, t, params.Path)
			if err != nil {
				failed.add(err)
				return
			}
			lock.Lock()
			streams = append(streams, s)
			lock.Unlock()
			go func() {
				defer close(s.done)
				keep(s)
				s.ended.Store(true)
			}()
		})
	}
	done.Wait()
	elapsed := time.Since(start)
	if err := failed.err(); err != nil {
		fmt.Fprintf(os.Stderr, "load: of %d streams %d opened; the first failure: %v\n", params.Count, len(streams), err)
	}
	if len(streams) == 0 {
		return nil, nil, fmt.Errorf("no stream opened: %w", failed.err())
	}
	open := 0
	for _, s := range streams {
		if !s.ended.Load() {
			open++
		}
	}
	return streams, metrics{"open": float64(open), "seconds": elapsed.Seconds()}, nil
}

// openStream outlives the command, whose context only bounds the opening.
func openStream(ctx context.Context, transport *http.Transport, t *target, path string) (*stream, error) {
	life, end := context.WithCancel(context.Background())
	opened := context.AfterFunc(ctx, end)
	request, err := http.NewRequestWithContext(life, http.MethodGet, t.url(path), nil)
	if err != nil {
		end()
		return nil, err
	}
	request.Header = t.header
	response, err := transport.RoundTrip(request)
	if err != nil {
		end()
		return nil, err
	}
	err = accepted(response)
	if err == nil {
		var first [1]byte
		_, err = io.ReadFull(response.Body, first[:])
	}
	if err == nil && !opened() {
		err = ctx.Err()
	}
	if err != nil {
		end()
		response.Body.Close()
		return nil, err
	}
	return &stream{body: response.Body, close: end, done: make(chan struct{})}, nil
}

// wait reads until the stream ends, by itself or by close.
func wait(s *stream) {
	defer s.body.Close()
	_, _ = io.Copy(io.Discard, s.body)
}

// readAt reads a piece every turn.
func (s *stream) readAt(piece int) {
	defer s.body.Close()
	buffer := make([]byte, piece)
	turns := time.NewTicker(time.Second / slowTurns)
	defer turns.Stop()
	for range turns.C {
		if _, err := io.ReadFull(s.body, buffer); err != nil {
			return
		}
	}
}
