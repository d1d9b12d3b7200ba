package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"outrider.dev/test/bench/programs/internal/pattern"
)

// maxBulk bounds what a stream carries, as the backend does.
const maxBulk = 10 << 30

type bulkParams struct {
	Path string `json:"path"`
	// Bytes of each download must come, of each upload are sent. Of a download 0 stands for an unknown length.
	Bytes int64 `json:"bytes"`
	// Streams flow at a time. @default 1
	Streams int `json:"streams"`
	// Repeat is how often each stream does it. @default 1
	Repeat int `json:"repeat"`
}

func parseBulk(raw json.RawMessage) (bulkParams, error) {
	params := bulkParams{Streams: 1, Repeat: 1}
	if err := parse(raw, &params); err != nil {
		return params, err
	}
	if params.Streams < 1 || params.Streams > maxConcurrency || params.Repeat < 1 || params.Repeat > maxRequests {
		return params, fmt.Errorf("streams must be 1 to %d, repeat 1 to %d", maxConcurrency, maxRequests)
	}
	if params.Bytes < 0 || params.Bytes > maxBulk {
		return params, fmt.Errorf("bytes must be 0 to %d", int64(maxBulk))
	}
	return params, nil
}

// download reads large answers. The time is from the first request's start to the last octet.
func download(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseBulk(raw)
	if err != nil {
		return nil, err
	}
	return flow(params, func() (func() (int64, error), error) {
		f, err := t.fetcher(ctx, params.Path)
		if err != nil {
			return nil, err
		}
		if err := f.expect(params.Bytes); err != nil {
			return nil, err
		}
		return f.fetch, nil
	})
}

// upload sends large requests; their count must come back.
func upload(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params, err := parseBulk(raw)
	if err != nil {
		return nil, err
	}
	return flow(params, func() (func() (int64, error), error) {
		return func() (int64, error) { return params.Bytes, t.send(ctx, params.Path, params.Bytes) }, nil
	})
}

func (t *target) send(ctx context.Context, path string, octets int64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url(path), pattern.NewReader(octets))
	if err != nil {
		return err
	}
	request.Header = t.header.Clone()
	request.Header.Set("Content-Type", "application/octet-stream")
	request.ContentLength = octets
	response, err := t.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := accepted(response); err != nil {
		return err
	}
	count, err := io.ReadAll(io.LimitReader(response.Body, maxSaid))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(count)) != strconv.FormatInt(octets, 10) {
		return fmt.Errorf("%q octets of %d arrived", count, octets)
	}
	return nil
}

// flow runs the streams side by side and measures what passes in all of them together.
func flow(params bulkParams, open func() (func() (int64, error), error)) (metrics, error) {
	series := make([]time.Duration, params.Streams*params.Repeat)
	counts := make([]int64, params.Streams)
	streams := make([]func() (int64, error), params.Streams)
	for i := range streams {
		stream, err := open()
		if err != nil {
			return nil, err
		}
		streams[i] = stream
	}
	var failed failures
	var done sync.WaitGroup
	start := time.Now()
	for i, stream := range streams {
		done.Go(func() {
			for round := range params.Repeat {
				began := time.Now()
				count, err := stream()
				if err != nil {
					failed.add(err)
					return
				}
				counts[i] += count
				series[i*params.Repeat+round] = time.Since(began)
			}
		})
	}
	done.Wait()
	elapsed := time.Since(start)
	if err := failed.err(); err != nil {
		return nil, err
	}
	var octets int64
	for _, count := range counts {
		octets += count
	}
	result := metrics{"mbps": megabytesPerSecond(octets, elapsed)}
	maps.Copy(result, latencies(series))
	return result, nil
}
