// The backend is what an API server is to the bench, without an API server's own cost: it answers at once from memory.
package main

import (
	"flag"
	"net"
	"net/http"

	"outrider.dev/test/bench/programs/internal/process"
	"outrider.dev/test/bench/programs/internal/secure"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	cert := flag.String("cert", "", "file with the certificate, PEM")
	key := flag.String("key", "", "file with its key, PEM")
	flag.Parse()

	ctx := process.Context()
	config, err := secure.Server(*cert, *key)
	if err != nil {
		process.Fail(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		process.Fail(err)
	}
	process.Ready(map[string]any{"address": listener.Addr().String()})
	if err := secure.Serve(ctx, listener, config, routes()); err != nil {
		process.Fail(err)
	}
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bench/bytes", sendBytes)
	mux.HandleFunc("GET /bench/stream", sendStream)
	mux.HandleFunc("POST /bench/upload", countUpload)
	mux.HandleFunc("GET /bench/events", sendEvents)
	mux.HandleFunc("GET /bench/hang", hang)
	mux.HandleFunc("GET /bench/exec", exec)
	addAPIServer(mux)
	return mux
}
