package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"outrider.dev/test/bench/programs/internal/front"
	"outrider.dev/test/bench/programs/internal/process"
	"outrider.dev/test/bench/programs/internal/secure"
	tunnel "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/pkg/client"
	frontend "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"
	"sigs.k8s.io/apiserver-network-proxy/pkg/server"
	"sigs.k8s.io/apiserver-network-proxy/pkg/server/proxystrategies"
	"sigs.k8s.io/apiserver-network-proxy/proto/agent"
)

const (
	// As `cmd/server/app/options` has them.
	channelSize  = 10
	keepaliveFor = time.Hour
	pingsAtMost  = 30 * time.Second
	// agentWait bounds how long a request waits for an agent that is about to connect.
	agentWait = 5 * time.Second
	agentPoll = 10 * time.Millisecond
)

// serve runs what a control plane has: a front (here: a reverse proxy, in kube-apiserver: its egress selector) that dials through the tunnel's server by a Unix socket.
func serve(ctx context.Context, options *front.Options, socket string) error {
	token, err := front.Token(options.TokenFile)
	if err != nil {
		return err
	}
	strategies := []proxystrategies.ProxyStrategy{proxystrategies.ProxyStrategyDefault}
	proxy := server.NewProxyServer("bench", strategies, 1, &server.AgentTokenAuthenticationOptions{}, channelSize)
	if err := serveFrontends(ctx, proxy, socket); err != nil {
		return err
	}
	agents, err := serveAgents(ctx, options, proxy, token)
	if err != nil {
		return err
	}
	handler, err := options.Proxy(func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := waitForAgent(ctx, proxy); err != nil {
			return nil, err
		}
		return dial(ctx, socket, network, address)
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	return options.Serve(ctx, front.Guard(token, mux), func(address string) {
		process.Ready(map[string]any{"address": address, "agents": agents})
	})
}

func serveFrontends(ctx context.Context, proxy *server.ProxyServer, socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	frontends := grpc.NewServer(grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveFor}))
	frontend.RegisterProxyServiceServer(frontends, proxy)
	go run(ctx, frontends, listener)
	return nil
}

// serveAgents listens for agents, by TLS and behind the same bearer check as requests, and returns where.
func serveAgents(ctx context.Context, options *front.Options, proxy *server.ProxyServer, token string) (string, error) {
	config, err := secure.Server(options.Cert, options.Key)
	if err != nil {
		return "", err
	}
	// gRPC is HTTP/2.
	config.NextProtos = []string{"h2"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	agents := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(config)),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveFor}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsAtMost, PermitWithoutStream: true}),
		grpc.StreamInterceptor(bearers(token)),
	)
	agent.RegisterAgentServiceServer(agents, proxy)
	go run(ctx, agents, listener)
	return listener.Addr().String(), nil
}

func run(ctx context.Context, service *grpc.Server, listener net.Listener) {
	stop := context.AfterFunc(ctx, service.Stop)
	defer stop()
	if err := service.Serve(listener); err != nil && ctx.Err() == nil {
		process.Fail(err)
	}
}

func waitForAgent(ctx context.Context, proxy *server.ProxyServer) error {
	ctx, cancel := context.WithTimeout(ctx, agentWait)
	defer cancel()
	for {
		ready, message := proxy.Readiness.Ready()
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no agent is connected: %s", message)
		case <-time.After(agentPoll):
		}
	}
}

// dial opens a connection as kube-apiserver does (`apiserver/pkg/server/egressselector`): a tunnel of its own for each.
func dial(ctx context.Context, socket, network, address string) (net.Conn, error) {
	// The tunnel lives as long as its connection, and not as long as the request that made it.
	made, err := tunnel.CreateSingleUseGrpcTunnelWithContext(ctx, context.Background(), "unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return made.DialContext(ctx, network, address)
}
