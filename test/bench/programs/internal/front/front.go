// Package front is what stands before a peer's tunnel: HTTPS, a bearer check and a reverse proxy, as Rancher has them before remotedialer.
package front

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"

	"outrider.dev/test/bench/programs/internal/secure"
)

const (
	// maxIdle connections to the backend are kept open, through the tunnel.
	maxIdle = 100
	// copyBuffer is httputil's own size; pooled, as a proxy under load would have it.
	copyBuffer = 32 << 10
)

// Options are the flags that every peer's front takes.
type Options struct {
	Listen, Cert, Key, TokenFile string
	Backend, BackendCA           string
	UpstreamTokenFile            string
	ImpersonateUser              string
	ImpersonateGroups            []string
}

// Flags declares the front's flags.
func Flags() *Options {
	o := &Options{}
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:0", "server: address to listen on")
	flag.StringVar(&o.Cert, "cert", "", "server: file with the certificate, PEM")
	flag.StringVar(&o.Key, "key", "", "server: file with its key, PEM")
	flag.StringVar(&o.TokenFile, "token-file", "", "file with the bearer token of clients and agents")
	flag.StringVar(&o.Backend, "backend", "", "origin of the backend, https")
	flag.StringVar(&o.BackendCA, "backend-ca", "", "server: file with the backend's CA, PEM")
	flag.StringVar(&o.UpstreamTokenFile, "upstream-token-file", "", "server: file with the token for a real API server")
	flag.StringVar(&o.ImpersonateUser, "impersonate-user", "", "server: user to act as")
	flag.Func("impersonate-group", "server: group to act as; repeatable", func(group string) error {
		o.ImpersonateGroups = append(o.ImpersonateGroups, group)
		return nil
	})
	return o
}

// Token reads a token file.
func Token(file string) (string, error) {
	token, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	trimmed := strings.TrimSpace(string(token))
	if trimmed == "" {
		return "", fmt.Errorf("%s holds no token", file)
	}
	return trimmed, nil
}

// Address is host and port of the backend.
func (o *Options) Address() (string, error) {
	origin, err := url.Parse(o.Backend)
	if err != nil {
		return "", err
	}
	if origin.Scheme != "https" || origin.Port() == "" {
		return "", fmt.Errorf("--backend must be https://host:port, not %q", o.Backend)
	}
	return origin.Host, nil
}

// Dial opens a connection at the far end of the tunnel.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Proxy hands requests to the backend. Its TLS to the backend goes through the tunnel end to end.
func (o *Options) Proxy(dial Dial) (http.Handler, error) {
	address, err := o.Address()
	if err != nil {
		return nil, err
	}
	config, err := secure.Client(o.BackendCA)
	if err != nil {
		return nil, err
	}
	var upstreamToken string
	if o.UpstreamTokenFile != "" {
		if upstreamToken, err = Token(o.UpstreamTokenFile); err != nil {
			return nil, err
		}
	}
	transport := secure.Transport(config, maxIdle)
	transport.DialContext = dial
	origin := &url.URL{Scheme: "https", Host: address}
	return &httputil.ReverseProxy{
		Transport: transport,
		// Each piece at once: events may not wait for a buffer to fill.
		FlushInterval: -1,
		BufferPool:    &buffers{},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(origin)
			o.identify(r.Out.Header, upstreamToken)
		},
	}, nil
}

// identify replaces whom the client says to be by whom the front acts as.
func (o *Options) identify(header http.Header, token string) {
	header.Del("Authorization")
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	for name := range header {
		if strings.HasPrefix(name, "Impersonate-") {
			header.Del(name)
		}
	}
	if o.ImpersonateUser != "" {
		header.Set("Impersonate-User", o.ImpersonateUser)
	}
	for _, group := range o.ImpersonateGroups {
		header.Add("Impersonate-Group", group)
	}
}

// Guard lets only the bearer of the token in. Hashes are compared, so that neither content nor length shows in the time it takes.
func Guard(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Serve listens, tells the address, and answers until the context ends.
func (o *Options) Serve(ctx context.Context, handler http.Handler, ready func(address string)) error {
	config, err := secure.Server(o.Cert, o.Key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	ready(listener.Addr().String())
	return secure.Serve(ctx, listener, config, handler)
}

// buffers is a pool for httputil.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return kept[:]
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[copyBuffer]byte)(buffer)) }
