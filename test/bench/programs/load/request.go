package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"outrider.dev/test/bench/programs/internal/pattern"
)

const (
	// readBuffer takes several TLS records at once.
	readBuffer = 128 << 10
	// maxSaid is how much of a refusal is told.
	maxSaid = 300
)

// fetcher makes the same GET again and again, one at a time, and checks each answer. It uses its request and its buffer again, so that the generator takes little of the
// processor that it measures.
type fetcher struct {
	target  *target
	request *http.Request
	buffer  []byte
	// length is what each answer must have; -1: any, but not none.
	length int64
	// patterned: the content is the backend's, and checked.
	patterned bool
	// received is told every piece as it comes, if set.
	received func(octets int)
}

// fetcher makes GETs of a path. Answers of the backend are known to the octet; those of an API server must be complete.
func (t *target) fetcher(ctx context.Context, path string) (*fetcher, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url(path), nil)
	if err != nil {
		return nil, err
	}
	request.Header = t.header
	f := &fetcher{target: t, request: request, buffer: make([]byte, readBuffer), length: -1}
	if f.patterned, f.length, err = expected(path); err != nil {
		return nil, err
	}
	return f, nil
}

// expected is what a path of the backend answers.
func expected(path string) (patterned bool, length int64, err error) {
	if !strings.HasPrefix(path, "/bench/bytes") && !strings.HasPrefix(path, "/bench/stream") {
		return false, -1, nil
	}
	parsed, err := url.Parse(path)
	if err != nil {
		return false, 0, err
	}
	length, err = strconv.ParseInt(parsed.Query().Get("n"), 10, 64)
	if err != nil {
		return false, 0, fmt.Errorf("path %s needs n=N", path)
	}
	return true, length, nil
}

// expect sets the length of each answer; 0 leaves what the path says.
func (f *fetcher) expect(length int64) error {
	if length <= 0 {
		return nil
	}
	if f.length >= 0 && f.length != length {
		return fmt.Errorf("the path says %d octets, the command %d", f.length, length)
	}
	f.length = length
	return nil
}

// fetch makes one request. @returns the octets of its body.
func (f *fetcher) fetch() (int64, error) {
	response, err := f.target.transport.RoundTrip(f.request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if err := accepted(response); err != nil {
		return 0, err
	}
	var check pattern.Checker
	var count int64
	for {
		n, err := response.Body.Read(f.buffer)
		count += int64(n)
		if f.patterned {
			if wrong := check.Check(f.buffer[:n]); wrong != nil {
				return count, wrong
			}
		}
		if f.received != nil {
			f.received(n)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return count, fmt.Errorf("after %d octets of the body: %w", count, err)
		}
	}
	if f.length >= 0 && count != f.length || count == 0 && f.length != 0 {
		return count, fmt.Errorf("%d octets of %d came", count, f.length)
	}
	return count, nil
}

// accepted fails unless the answer is 200 or 201.
func accepted(response *http.Response) error {
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated {
		return nil
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxSaid))
	return fmt.Errorf("status %s: %s", response.Status, strings.TrimSpace(string(said)))
}
