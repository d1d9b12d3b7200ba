// A reverse proxy over apiserver-network-proxy (konnectivity), put together as kube-apiserver and the project's own commands put it: with the plane and its agent compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"outrider.dev/test/bench/programs/internal/front"
	"outrider.dev/test/bench/programs/internal/process"
)

func main() {
	role := flag.String("role", "", "server or agent")
	socket := flag.String("socket", "", "server: path of the Unix socket between front and tunnel")
	server := flag.String("server", "", "agent: host:port of the server's listener for agents")
	ca := flag.String("ca", "", "agent: file with the server's CA, PEM")
	options := front.Flags()
	flag.Parse()

	ctx := process.Context()
	err := fmt.Errorf("--role must be server or agent, not %q", *role)
	switch *role {
	case "server":
		err = serve(ctx, options, *socket)
	case "agent":
		err = connect(ctx, options, *server, *ca)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		process.Fail(err)
	}
}
