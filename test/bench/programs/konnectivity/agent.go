package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"outrider.dev/test/bench/programs/internal/front"
	"outrider.dev/test/bench/programs/internal/process"
	"outrider.dev/test/bench/programs/internal/secure"
	"sigs.k8s.io/apiserver-network-proxy/pkg/agent"
)

const (
	// As `cmd/agent/app/options` has them.
	syncInterval    = time.Second
	syncIntervalCap = 10 * time.Second
	probeInterval   = time.Second
	agentKeepalive  = time.Hour
	agentChannel    = 150

	connectedPoll = 10 * time.Millisecond
)

// connect runs an agent beside the backend. It dials what the server asks for: konnectivity has no list of its own.
func connect(ctx context.Context, options *front.Options, server, ca string) error {
	token, err := front.Token(options.TokenFile)
	if err != nil {
		return err
	}
	config, err := secure.Client(ca)
	if err != nil {
		return err
	}
	if config.ServerName, _, err = net.SplitHostPort(server); err != nil {
		return err
	}
	config.NextProtos = []string{"h2"}
	set := (&agent.ClientSetConfig{
		Address:         server,
		AgentID:         "bench",
		SyncInterval:    syncInterval,
		SyncIntervalCap: syncIntervalCap,
		ProbeInterval:   probeInterval,
		XfrChannelSize:  agentChannel,
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(credentials.NewTLS(config)),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: agentKeepalive, PermitWithoutStream: true}),
			grpc.WithPerRPCCredentials(bearer("Bearer " + token)),
		},
	}).NewAgentClientSet(nil, ctx.Done())
	set.SetServerCounter(agent.NewAggregateServerCounter(nil, agent.NewResponseBasedCounter(set), "default"))
	set.Serve()
	for set.HealthyClientsCount() == 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(connectedPoll):
		}
	}
	process.Ready(map[string]any{"connected": true})
	<-ctx.Done()
	return ctx.Err()
}

// bearer is an Authorization field for each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(b)}, nil
}

func (b bearer) RequireTransportSecurity() bool { return true }

// bearers lets only agents with the token in; as front.Guard, in constant time.
func bearers(token string) grpc.StreamServerInterceptor {
	want := sha256.Sum256([]byte("Bearer " + token))
	return func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		sent, _ := metadata.FromIncomingContext(stream.Context())
		values := sent.Get("authorization")
		if len(values) != 1 {
			return status.Error(codes.Unauthenticated, "no token")
		}
		got := sha256.Sum256([]byte(values[0]))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return status.Error(codes.Unauthenticated, "not the token")
		}
		return handler(service, stream)
	}
}
