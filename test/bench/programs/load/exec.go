package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"outrider.dev/test/bench/programs/internal/channel"
	"outrider.dev/test/bench/programs/internal/pattern"
)

const (
	// maxMessage is more than any peer puts into one message; a tunnel may join what it carries.
	maxMessage = 4 << 20
	// farewell bounds the wait for the other side's close frame.
	farewell = 5 * time.Second
)

type execParams struct {
	Path        string `json:"path"`
	Count       int    `json:"count"`
	Concurrency int    `json:"concurrency"`
	// Subprotocol to ask for. @default v5.channel.k8s.io
	Subprotocol string `json:"subprotocol"`
}

// execute starts commands, `concurrency` at any time, each over a connection of its own, as each kubectl would. A latency is from dial to the command's Status.
func execute(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params := execParams{Concurrency: 1, Subprotocol: channel.Subprotocol}
	if err := parse(raw, &params); err != nil {
		return nil, err
	}
	if params.Count < 1 || params.Count > maxRequests || params.Concurrency < 1 || params.Concurrency > maxConcurrency {
		return nil, fmt.Errorf("count must be 1 to %d, concurrency 1 to %d", maxRequests, maxConcurrency)
	}
	series := make([]time.Duration, params.Count)
	var next atomic.Int64
	var failed failures
	var done sync.WaitGroup
	start := time.Now()
	for range params.Concurrency {
		done.Go(func() {
			for {
				place := int(next.Add(1) - 1)
				if place >= params.Count {
					return
				}
				began := time.Now()
				s, err := t.exec(ctx, params.Path, params.Subprotocol)
				if err == nil {
					_, err = s.drain(io.Discard)
					series[place] = time.Since(began)
					s.close()
				}
				if err != nil {
					failed.add(err)
					next.Store(int64(params.Count))
					return
				}
			}
		})
	}
	done.Wait()
	elapsed := time.Since(start)
	if err := failed.err(); err != nil {
		return nil, err
	}
	result := latencies(series)
	result["rate"] = float64(params.Count) / elapsed.Seconds()
	return result, nil
}

type copyParams struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

func parseCopy(raw json.RawMessage) (copyParams, error) {
	var params copyParams
	if err := parse(raw, &params); err != nil {
		return params, err
	}
	if params.Bytes < 1 || params.Bytes > maxBulk {
		return params, fmt.Errorf("bytes must be 1 to %d", int64(maxBulk))
	}
	return params, nil
}

// copyOut reads what a command writes, as `kubectl cp POD:FILE FILE` does. The time is from dial to Status.
func copyOut(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseCopy(raw)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	s, err := t.exec(ctx, params.Path, channel.Subprotocol)
	if err != nil {
		return nil, err
	}
	defer s.close()
	sink := io.Discard
	if strings.HasPrefix(params.Path, "/bench/") {
		sink = &checkedSink{}
	}
	count, err := s.drain(sink)
	if err != nil {
		return nil, err
	}
	if count != params.Bytes {
		return nil, fmt.Errorf("%d octets of %d came", count, params.Bytes)
	}
	return metrics{"mbps": megabytesPerSecond(count, time.Since(start))}, nil
}

// copyIn writes to a command that must answer how many octets it read (`wc -c`). The time is from dial to Status.
func copyIn(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseCopy(raw)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	s, err := t.exec(ctx, params.Path, channel.Subprotocol)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var said bytes.Buffer
	outcome := make(chan error, 1)
	go func() {
		_, err := s.drain(&said)
		outcome <- err
	}()
	if err := s.sendStdin(params.Bytes); err != nil {
		// The answer may say why, and nobody else may read before it is done.
		s.socket.Close()
		return nil, errors.Join(err, <-outcome)
	}
	if err := <-outcome; err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	if count := strings.TrimSpace(said.String()); count != strconv.FormatInt(params.Bytes, 10) {
		return nil, fmt.Errorf("%q octets of %d arrived", count, params.Bytes)
	}
	return metrics{"mbps": megabytesPerSecond(params.Bytes, elapsed)}, nil
}

// sendStdin sends the first octets of the pattern, and that they are all.
func (s *session) sendStdin(octets int64) error {
	message := make([]byte, 1+channel.MessageBytes)
	message[0] = channel.Stdin
	for content := pattern.NewReader(octets); ; {
		n, err := content.Read(message[1:])
		if err == io.EOF {
			break
		}
		if err := s.socket.WriteMessage(websocket.BinaryMessage, message[:1+n]); err != nil {
			return err
		}
	}
	return s.socket.WriteMessage(websocket.BinaryMessage, []byte{channel.Close, channel.Stdin})
}

// checkedSink takes the backend's content and nothing else.
type checkedSink struct{ check pattern.Checker }

func (c *checkedSink) Write(p []byte) (int, error) { return len(p), c.check.Check(p) }

// session is one command over one WebSocket.
type session struct {
	socket *websocket.Conn
	buffer []byte
	stop   func() bool
}

var buffers = sync.Pool{New: func() any { return make([]byte, readBuffer) }}

func (t *target) exec(ctx context.Context, path, subprotocol string) (*session, error) {
	dialer := websocket.Dialer{
		NetDialContext:  (&net.Dialer{}).DialContext,
		TLSClientConfig: t.tls,
		Subprotocols:    []string{subprotocol},
		ReadBufferSize:  readBuffer,
		WriteBufferSize: channel.MessageBytes + 1 + 32, // a whole message and its frame's head: one write each
	}
	socket, response, err := dialer.DialContext(ctx, "wss"+strings.TrimPrefix(t.url(path), "https"), t.header)
	if err != nil {
		if response != nil {
			return nil, fmt.Errorf("%w: %w", err, accepted(response))
		}
		return nil, err
	}
	if socket.Subprotocol() != subprotocol {
		socket.Close()
		return nil, fmt.Errorf("subprotocol %q was taken instead of %q", socket.Subprotocol(), subprotocol)
	}
	socket.SetReadLimit(maxMessage)
	// A read or write that hangs ends with the command's time.
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	return &session{socket: socket, buffer: buffers.Get().([]byte), stop: stop}, nil
}

// drain takes the command's output until its Status, which must be Success. @returns the octets of its standard output.
func (s *session) drain(stdout io.Writer) (int64, error) {
	var count int64
	var stderr bytes.Buffer
	for {
		_, message, err := s.socket.NextReader()
		if err != nil {
			return count, fmt.Errorf("after %d octets of output, without a Status: %w", count, err)
		}
		kind := s.buffer[:1]
		if _, err := io.ReadFull(message, kind); err != nil {
			return count, fmt.Errorf("an empty message: %w", err)
		}
		switch kind[0] {
		case channel.Stdout:
			n, err := s.copy(stdout, message)
			count += n
			if err != nil {
				return count, err
			}
		case channel.Stderr:
			if _, err := s.copy(&stderr, message); err != nil {
				return count, err
			}
		case channel.Error:
			var status struct {
				Status  string `json:"status"`
				Message string `json:"message"`
			}
			if err := json.NewDecoder(message).Decode(&status); err != nil {
				return count, fmt.Errorf("not a Status: %w", err)
			}
			if status.Status != "Success" {
				return count, fmt.Errorf("the command failed: %s %s", status.Message, stderr.String())
			}
			return count, nil
		}
	}
}

// copy is io.Copy with the session's buffer.
func (s *session) copy(to io.Writer, from io.Reader) (int64, error) {
	var count int64
	for {
		n, err := from.Read(s.buffer)
		count += int64(n)
		if _, err := to.Write(s.buffer[:n]); err != nil {
			return count, err
		}
		if err == io.EOF {
			return count, nil
		}
		if err != nil {
			return count, err
		}
	}
}

// close answers the other side's close frame, so that no end is taken for an abort. Not while drain runs.
func (s *session) close() {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = s.socket.WriteControl(websocket.CloseMessage, bye, time.Now().Add(farewell))
	_ = s.socket.SetReadDeadline(time.Now().Add(farewell))
	for {
		if _, _, err := s.socket.NextReader(); err != nil {
			break
		}
	}
	s.stop()
	s.socket.Close()
	buffers.Put(s.buffer)
}
