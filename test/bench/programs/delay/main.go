// A relay that delivers every octet half a round trip later in each direction, at whatever rate it comes.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"outrider.dev/test/bench/programs/internal/process"
)

// maxRtt is more than any way around the earth takes.
const maxRtt = 2 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	to := flag.String("to", "", "address to relay to, host:port")
	rtt := flag.Duration("rtt", 0, "round trip time to add")
	flag.Parse()

	ctx := process.Context()
	if *rtt < 0 || *rtt > maxRtt {
		process.Fail(fmt.Errorf("--rtt must be 0 to %v", maxRtt))
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		process.Fail(err)
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	process.Ready(map[string]any{"address": listener.Addr().String()})
	for {
		connection, err := listener.Accept()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			process.Fail(err)
		}
		go relay(connection.(*net.TCPConn), *to, *rtt)
	}
}

func relay(near *net.TCPConn, to string, rtt time.Duration) {
	// The kernel has accepted already; over a real distance TCP's own handshake takes a round trip, before which nothing can be sent.
	start := time.Now().Add(rtt)
	dialled, err := net.Dial("tcp", to)
	if err != nil {
		fmt.Fprintf(os.Stderr, "delay: %v\n", err)
		near.Close()
		return
	}
	far := dialled.(*net.TCPConn)
	go carry(near, far, rtt/2, start)
	carry(far, near, rtt/2, time.Time{})
}
