// The load generator: one process for a whole run, so that every path is measured by the same client in the same state.
//
// One command in JSON a line comes in, one answer a line goes out, in order.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// maxCommand bounds a line of standard input.
const maxCommand = 1 << 20

// commandTimeout ends a command that says no time of its own: whatever hangs is an error, not a wait.
const commandTimeout = 120 * time.Second

type command struct {
	ID       int             `json:"id"`
	Scenario string          `json:"scenario"`
	Target   targetAddress   `json:"target"`
	Params   json.RawMessage `json:"params"`
	// TimeoutSeconds replaces commandTimeout where it is set.
	TimeoutSeconds int `json:"timeoutSeconds"`
}

type metrics map[string]float64

type answer struct {
	ID      int     `json:"id"`
	Metrics metrics `json:"metrics,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// scenarios are all that can be asked for. Each runs to its end, and is an error unless all of it was as expected.
var scenarios = map[string]func(context.Context, *generator, *target, json.RawMessage) (metrics, error){
	"get":      get,
	"beside":   beside,
	"download": download,
	"upload":   upload,
	"events":   events,
	"watch":    watch,
	"exec":     execute,
	"cpout":    copyOut,
	"cpin":     copyIn,
	"streams":  countStreams,
	"hold":     holdStreams,
	"slow":     readSlowly,
	"release":  release,
}

// generator is what outlives a command.
type generator struct {
	targets map[targetAddress]*target
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// The loop below may be waiting for a line.
	context.AfterFunc(ctx, func() { os.Exit(0) })
	g := &generator{targets: map[targetAddress]*target{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxCommand)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			_ = out.Encode(answer{Error: fmt.Sprintf("not a command: %v", err)})
			continue
		}
		result, err := g.run(ctx, c)
		if err != nil {
			_ = out.Encode(answer{ID: c.ID, Error: fmt.Sprintf("%s: %v", c.Scenario, err)})
			continue
		}
		_ = out.Encode(answer{ID: c.ID, Metrics: result})
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "load: %v\n", err)
		os.Exit(1)
	}
}

func (g *generator) run(ctx context.Context, c command) (metrics, error) {
	scenario, ok := scenarios[c.Scenario]
	if !ok {
		return nil, fmt.Errorf("there is no such scenario")
	}
	t, err := g.target(c.Target)
	if err != nil {
		return nil, err
	}
	timeout := commandTimeout
	if c.TimeoutSeconds > 0 {
		timeout = time.Duration(c.TimeoutSeconds) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return scenario(ctx, g, t, c.Params)
}

// parse reads a scenario's parameters; a misspelt one would measure something else.
func parse(raw json.RawMessage, params any) error {
	decoder := json.NewDecoder(bytesReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(params); err != nil {
		return fmt.Errorf("params: %w", err)
	}
	return nil
}
