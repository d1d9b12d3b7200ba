package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

type eventsParams struct {
	// Path of the backend's events; its n must be the count.
	Path  string `json:"path"`
	Count int    `json:"count"`
}

// events measures how long a line is under way: backend and generator have the same clock.
func events(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	var params eventsParams
	if err := parse(raw, &params); err != nil {
		return nil, err
	}
	if params.Count < 1 || params.Count > maxRequests {
		return nil, fmt.Errorf("count must be 1 to %d", maxRequests)
	}
	body, err := t.open(ctx, params.Path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	series := make([]time.Duration, 0, params.Count)
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		arrived := time.Now()
		var event struct {
			At int64 `json:"at"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil || event.At == 0 {
			return nil, fmt.Errorf("not an event: %q", lines.Text())
		}
		series = append(series, arrived.Sub(time.Unix(0, event.At)))
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(series) != params.Count {
		return nil, fmt.Errorf("%d events of %d came", len(series), params.Count)
	}
	return latencies(series), nil
}

// open starts a GET whose answer is read as it comes.
func (t *target) open(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url(path), nil)
	if err != nil {
		return nil, err
	}
	request.Header = t.header
	response, err := t.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if err := accepted(response); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response.Body, nil
}
