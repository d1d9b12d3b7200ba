package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// settle is the time between two changes: an event is to find the path at rest.
const settle = 10 * time.Millisecond

type watchParams struct {
	// Path of a namespace's ConfigMaps.
	Path string `json:"path"`
	// Count of changes.
	Count int `json:"count"`
	// Writer is the target through which they are made; direct for every path, so that only the watch differs.
	Writer targetAddress `json:"writer"`
}

type configMap struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
}

// seen is an event and when it came.
type seen struct {
	version string
	at      time.Time
	err     error
}

// watch measures how long after the writer's answer the watcher hears of a change. The API server tells both at about the same time, so a figure can be below zero; what a
// path adds is the difference to the direct one.
func watch(ctx context.Context, g *generator, t *target, raw json.RawMessage) (metrics, error) {
	var params watchParams
	if err := parse(raw, &params); err != nil {
		return nil, err
	}
	if params.Count < 1 || params.Count > maxRequests {
		return nil, fmt.Errorf("count must be 1 to %d", maxRequests)
	}
	writer, err := g.target(params.Writer)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("bench-watch-%08x", rand.Uint32())
	object := params.Path + "/" + name
	made, _, err := writer.change(ctx, http.MethodPost, params.Path, fmt.Sprintf(`{"metadata":{"name":%q}}`, name))
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", name, err)
	}
	defer func() { _, _, _ = writer.change(context.WithoutCancel(ctx), http.MethodDelete, object, "") }()

	query := url.Values{
		"watch":           {"1"},
		"fieldSelector":   {"metadata.name=" + name},
		"resourceVersion": {made.Metadata.ResourceVersion},
	}
	body, err := t.open(ctx, params.Path+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	defer body.Close()
	arrivals := make(chan seen, 1)
	go readEvents(body, arrivals, ctx.Done())

	series := make([]time.Duration, 0, params.Count)
	for i := range params.Count {
		changed, answered, err := writer.change(ctx, http.MethodPatch, object, fmt.Sprintf(`{"data":{"change":"%d"}}`, i))
		if err != nil {
			return nil, fmt.Errorf("change %d: %w", i, err)
		}
		select {
		case event := <-arrivals:
			if event.err != nil {
				return nil, fmt.Errorf("after %d events: %w", i, event.err)
			}
			if event.version != changed.Metadata.ResourceVersion {
				return nil, fmt.Errorf("event %d is of version %s, not %s", i, event.version, changed.Metadata.ResourceVersion)
			}
			series = append(series, event.at.Sub(answered))
		case <-ctx.Done():
			return nil, fmt.Errorf("after %d events: %w", i, ctx.Err())
		}
		time.Sleep(settle)
	}
	return latencies(series), nil
}

func readEvents(body io.Reader, arrivals chan<- seen, done <-chan struct{}) {
	events := json.NewDecoder(body)
	for {
		var event struct {
			Type   string    `json:"type"`
			Object configMap `json:"object"`
		}
		err := events.Decode(&event)
		if err == nil && event.Type != "MODIFIED" {
			err = fmt.Errorf("an event of type %s", event.Type)
		}
		select {
		case arrivals <- seen{version: event.Object.Metadata.ResourceVersion, at: time.Now(), err: err}:
		case <-done:
			return
		}
		if err != nil {
			return
		}
	}
}

// change makes one write. @returns the object as it is then, and when the answer's first octet came.
func (t *target) change(ctx context.Context, method, path, body string) (configMap, time.Time, error) {
	var object configMap
	var answered time.Time
	trace := httptrace.ClientTrace{GotFirstResponseByte: func() { answered = time.Now() }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &trace), method, t.url(path), strings.NewReader(body))
	if err != nil {
		return object, answered, err
	}
	request.Header = t.header.Clone()
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := t.transport.RoundTrip(request)
	if err != nil {
		return object, answered, err
	}
	defer response.Body.Close()
	if err := accepted(response); err != nil {
		return object, answered, err
	}
	err = json.NewDecoder(response.Body).Decode(&object)
	_, _ = io.Copy(io.Discard, response.Body)
	return object, answered, err
}
