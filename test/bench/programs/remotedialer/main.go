// A reverse proxy over remotedialer, put together as Rancher puts it: what the plane and its agent are compared with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rancher/remotedialer"
	"outrider.dev/test/bench/programs/internal/front"
	"outrider.dev/test/bench/programs/internal/process"
	"outrider.dev/test/bench/programs/internal/secure"
)

const (
	// clientID names the one cluster.
	clientID = "bench"
	// connectPath is where the client's WebSocket comes in.
	connectPath = "/connect"
	// sessionWait bounds how long a request waits for a client that is about to connect.
	sessionWait = 5 * time.Second
	sessionPoll = 10 * time.Millisecond
	// handshakeTimeout is what Rancher's agent sets.
	handshakeTimeout = 10 * time.Second
)

func main() {
	role := flag.String("role", "", "server or client")
	server := flag.String("server", "", "client: origin of the server, wss")
	ca := flag.String("ca", "", "client: file with the server's CA, PEM")
	options := front.Flags()
	flag.Parse()

	ctx := process.Context()
	err := fmt.Errorf("--role must be server or client, not %q", *role)
	switch *role {
	case "server":
		err = serve(ctx, options)
	case "client":
		err = connect(ctx, options, *server, *ca)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		process.Fail(err)
	}
}

func serve(ctx context.Context, options *front.Options) error {
	token, err := front.Token(options.TokenFile)
	if err != nil {
		return err
	}
	// Behind the same bearer check as requests.
	authorize := func(*http.Request) (string, bool, error) { return clientID, true, nil }
	tunnels := remotedialer.New(authorize, remotedialer.DefaultErrorWriter)
	proxy, err := options.Proxy(func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := waitForSession(ctx, tunnels); err != nil {
			return nil, err
		}
		return tunnels.Dialer(clientID)(ctx, network, address)
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(connectPath, tunnels)
	mux.Handle("/", proxy)
	return options.Serve(ctx, front.Guard(token, mux), func(address string) {
		process.Ready(map[string]any{"address": address})
	})
}

// waitForSession bridges the moment between the client's handshake, after which it says that it is connected, and the server's note of it.
func waitForSession(ctx context.Context, tunnels *remotedialer.Server) error {
	ctx, cancel := context.WithTimeout(ctx, sessionWait)
	defer cancel()
	for !tunnels.HasSession(clientID) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("no client is connected: %w", ctx.Err())
		case <-time.After(sessionPoll):
		}
	}
	return nil
}

func connect(ctx context.Context, options *front.Options, server, ca string) error {
	token, err := front.Token(options.TokenFile)
	if err != nil {
		return err
	}
	backend, err := options.Address()
	if err != nil {
		return err
	}
	config, err := secure.Client(ca)
	if err != nil {
		return err
	}
	// Buffers are left as the library has them: so do its users.
	dialer := &websocket.Dialer{TLSClientConfig: config, HandshakeTimeout: handshakeTimeout}
	allow := func(network, address string) bool { return network == "tcp" && address == backend }
	header := http.Header{"Authorization": {"Bearer " + token}}
	connected := func(context.Context, *remotedialer.Session) error {
		process.Ready(map[string]any{"connected": true})
		return nil
	}
	return remotedialer.ConnectToProxy(ctx, server+connectPath, header, allow, dialer, connected)
}
