package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxRequests    = 10_000_000
	maxConcurrency = 2000
)

type getParams struct {
	Path        string `json:"path"`
	Requests    int    `json:"requests"`
	Concurrency int    `json:"concurrency"`
	// Warm requests come before those that count. @default one a connection
	Warm int `json:"warm"`
}

// get makes requests, `concurrency` of them at any time, each over a connection of its own. A latency is from the request's start to the last octet of its answer.
func get(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	params := getParams{Concurrency: 1}
	if err := parse(raw, &params); err != nil {
		return nil, err
	}
	if params.Requests < 1 || params.Requests > maxRequests || params.Concurrency < 1 || params.Concurrency > maxConcurrency {
		return nil, fmt.Errorf("requests must be 1 to %d, concurrency 1 to %d", maxRequests, maxConcurrency)
	}
	series, elapsed, err := getMany(ctx, t, params)
	if err != nil {
		return nil, err
	}
	result := latencies(series)
	result["rate"] = float64(params.Requests) / elapsed.Seconds()
	return result, nil
}

func getMany(ctx context.Context, t *target, params getParams) ([]time.Duration, time.Duration, error) {
	workers := make([]*fetcher, params.Concurrency)
	for i := range workers {
		f, err := t.fetcher(ctx, params.Path)
		if err != nil {
			return nil, 0, err
		}
		workers[i] = f
	}
	if _, err := share(workers, make([]time.Duration, max(params.Warm, params.Concurrency))); err != nil {
		return nil, 0, fmt.Errorf("warming: %w", err)
	}
	series := make([]time.Duration, params.Requests)
	elapsed, err := share(workers, series)
	return series, elapsed, err
}

// share fills the series: each worker takes the next place when it is done with one.
func share(workers []*fetcher, series []time.Duration) (time.Duration, error) {
	var next atomic.Int64
	var failed failures
	var done sync.WaitGroup
	start := time.Now()
	for _, worker := range workers {
		done.Go(func() {
			for {
				place := int(next.Add(1) - 1)
				if place >= len(series) {
					return
				}
				began := time.Now()
				if _, err := worker.fetch(); err != nil {
					failed.add(err)
					// The others need not go on.
					next.Store(int64(len(series)))
					return
				}
				series[place] = time.Since(began)
			}
		})
	}
	done.Wait()
	return time.Since(start), failed.err()
}

type besideParams struct {
	Path        string `json:"path"`
	Requests    int    `json:"requests"`
	Warm        int    `json:"warm"`
	BulkPath    string `json:"bulkPath"`
	BulkStreams int    `json:"bulkStreams"`
	// BulkBytes of each bulk answer must come; 0: an unknown length.
	BulkBytes int64 `json:"bulkBytes"`
}

// beside makes GETs one at a time while bulk flows in other streams of the same target, again and again until the GETs are done.
func beside(ctx context.Context, _ *generator, t *target, raw json.RawMessage) (metrics, error) {
	var params besideParams
	if err := parse(raw, &params); err != nil {
		return nil, err
	}
	if params.Requests < 1 || params.Requests > maxRequests || params.BulkStreams < 1 || params.BulkStreams > maxConcurrency {
		return nil, fmt.Errorf("requests must be 1 to %d, bulkStreams 1 to %d", maxRequests, maxConcurrency)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var octets atomic.Int64
	var stop atomic.Bool
	var failed failures
	var flowing, done sync.WaitGroup
	for range params.BulkStreams {
		f, err := t.fetcher(ctx, params.BulkPath)
		if err == nil {
			err = f.expect(params.BulkBytes)
		}
		if err != nil {
			cancel()
			done.Wait()
			return nil, err
		}
		flowing.Add(1)
		flows := sync.OnceFunc(flowing.Done)
		f.received = func(n int) {
			octets.Add(int64(n))
			flows()
		}
		done.Go(func() {
			defer flows()
			for !stop.Load() {
				if _, err := f.fetch(); err != nil {
					failed.add(fmt.Errorf("bulk: %w", err))
					// Without all of the bulk the GETs would show something else.
					cancel()
					return
				}
			}
		})
	}
	flowing.Wait()

	before, start := octets.Load(), time.Now()
	series, _, err := getMany(ctx, t, getParams{Path: params.Path, Requests: params.Requests, Concurrency: 1, Warm: params.Warm})
	flowed, elapsed := octets.Load()-before, time.Since(start)
	// Each ends its answer, so that the next command finds the connections at rest.
	stop.Store(true)
	done.Wait()
	if failure := failed.err(); failure != nil {
		return nil, failure
	}
	if err != nil {
		return nil, err
	}
	result := metrics{"bulkMbps": megabytesPerSecond(flowed, elapsed)}
	maps.Copy(result, latencies(series))
	return result, nil
}
