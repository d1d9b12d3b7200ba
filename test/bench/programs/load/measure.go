package main

import (
	"math"
	"slices"
	"sync"
	"time"
)

// percentile is exact, by nearest rank: the least value that at least p percent of all values do not exceed.
func percentile(sorted []time.Duration, p float64) time.Duration {
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// latencies are the metrics of a series, in ms. Sorts it.
func latencies(series []time.Duration) metrics {
	slices.Sort(series)
	return metrics{"p50": milliseconds(percentile(series, 50)), "p99": milliseconds(percentile(series, 99))}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// megabytesPerSecond has 10^6 octets to the megabyte.
func megabytesPerSecond(octets int64, d time.Duration) float64 {
	return float64(octets) / 1e6 / d.Seconds()
}

// failures keeps the first error of several goroutines.
type failures struct {
	lock  sync.Mutex
	first error
}

func (f *failures) add(err error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.first == nil {
		f.first = err
	}
}

func (f *failures) err() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.first
}
