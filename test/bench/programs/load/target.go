package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"outrider.dev/test/bench/programs/internal/secure"
)

// maxIdle connections are kept of a target; as many as there are streams in the largest row, so that none has to be dialled twice.
const maxIdle = 1200

// targetAddress is a path to the backend: where it begins, and what it takes to be let in.
type targetAddress struct {
	URL       string `json:"url"`
	CA        string `json:"ca"`
	TokenFile string `json:"tokenFile"`
}

// target is a path with its connections, which are kept from command to command.
type target struct {
	base      string
	tls       *tls.Config
	transport *http.Transport
	header    http.Header
	// held streams stay open until release.
	held []*stream
}

func bytesReader(raw json.RawMessage) io.Reader { return bytes.NewReader(raw) }

func (g *generator) target(address targetAddress) (*target, error) {
	t, ok := g.targets[address]
	if !ok {
		if _, err := url.ParseRequestURI(address.URL); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		config, err := secure.Client(address.CA)
		if err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		t = &target{
			base:      strings.TrimSuffix(address.URL, "/"),
			tls:       config,
			transport: secure.Transport(config, maxIdle),
		}
		g.targets[address] = t
	}
	// Read for each command: tokens of an API server are renewed during a long run.
	header := http.Header{"User-Agent": {"outrider-bench"}, "Accept": {"*/*"}}
	if address.TokenFile != "" {
		token, err := os.ReadFile(address.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	t.header = header
	return t, nil
}

func (t *target) url(path string) string { return t.base + path }
