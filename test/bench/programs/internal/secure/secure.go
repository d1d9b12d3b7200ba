// Package secure is TLS and HTTP as every hop of every path has them, so that paths differ in their tunnels only.
package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// bufferBytes holds a whole TLS record (16 KiB) several times, so that bulk is read in few turns.
const bufferBytes = 64 << 10

// headerTimeout bounds how long a connection may take to say what it wants.
const headerTimeout = 30 * time.Second

// Server is the TLS of a listener.
func Server(certFile, keyFile string) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
		// Full records from the first octet: streams are long here, and small answers fit one anyway.
		DynamicRecordSizingDisabled: true,
	}, nil
}

// Client is the TLS of a dialler that trusts one CA and nothing else.
func Client(caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", caFile)
	}
	return &tls.Config{
		RootCAs:                     roots,
		MinVersion:                  tls.VersionTLS12,
		NextProtos:                  []string{"http/1.1"},
		DynamicRecordSizingDisabled: true,
	}, nil
}

// Transport speaks HTTP/1.1 only: workerd has no HTTP/2, and one variable less is measured.
func Transport(config *tls.Config, maxIdle int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		TLSClientConfig:     config,
		Protocols:           protocols,
		DisableCompression:  true,
		MaxIdleConns:        maxIdle,
		MaxIdleConnsPerHost: maxIdle,
		ReadBufferSize:      bufferBytes,
		WriteBufferSize:     bufferBytes,
	}
}

// Serve answers HTTPS with HTTP/1.1 on the listener until the context ends.
func Serve(ctx context.Context, listener net.Listener, config *tls.Config, handler http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{Handler: handler, Protocols: protocols, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(tls.NewListener(listener, config))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
