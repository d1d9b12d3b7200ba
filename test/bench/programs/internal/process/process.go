// Package process is how the programs of the bench live and end.
package process

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Context ends with standard input, SIGTERM or SIGINT: whoever started the program may die without a word.
func Context() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

// Ready tells the starter, in one line of JSON, that the program serves now.
func Ready(facts map[string]any) {
	line, err := json.Marshal(facts)
	if err != nil {
		Fail(err)
	}
	fmt.Println(string(line))
}

// Fail ends the program with a reason.
func Fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
	os.Exit(1)
}
