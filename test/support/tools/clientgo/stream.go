package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

// sizeList collects the values of --size; as a queue it waits for a line of standard error before it gives out the next.
type sizeList []remotecommand.TerminalSize

func (l *sizeList) String() string { return fmt.Sprint(*l) }

func (l *sizeList) Set(text string) error {
	size := remotecommand.TerminalSize{}
	if _, err := fmt.Sscanf(text, "%dx%d", &size.Height, &size.Width); err != nil {
		return fmt.Errorf("a size is ROWSxCOLUMNS: %w", err)
	}
	*l = append(*l, size)
	return nil
}

// sizeQueue gives out the first size at once, and another each time the command has printed a line.
type sizeQueue struct {
	sizes []remotecommand.TerminalSize
	next  chan struct{}
}

// Next implements remotecommand.TerminalSizeQueue; nil: no more sizes.
func (q *sizeQueue) Next() *remotecommand.TerminalSize {
	if _, open := <-q.next; !open || len(q.sizes) == 0 {
		return nil
	}
	size := q.sizes[0]
	q.sizes = q.sizes[1:]
	return &size
}

func (q *sizeQueue) more() {
	select {
	case q.next <- struct{}{}:
	default:
	}
}

// printer prints what it is given as lines {"stream", "data"}.
type printer struct {
	stream string
	after  func()
}

func (p printer) Write(data []byte) (int, error) {
	printLine(map[string]string{"stream": p.stream, "data": string(data)})
	if p.after != nil && strings.Contains(string(data), "\n") {
		p.after()
	}
	return len(data), nil
}

// execInPod runs the arguments in a pod over a WebSocket and no other protocol; the last line has the exit code.
func execInPod(ctx context.Context, o *options) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	config, err := o.config()
	if err != nil {
		return err
	}
	request := client.CoreV1().RESTClient().Get().Resource("pods").Name(o.pod).Namespace(o.namespace).SubResource("exec")
	request.VersionedParams(&v1.PodExecOptions{
		Container: o.container,
		Command:   o.arguments,
		Stdin:     o.stdin,
		Stdout:    true,
		Stderr:    !o.tty,
		TTY:       o.tty,
	}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, request.URL().String())
	if err != nil {
		return err
	}
	sizes := &sizeQueue{sizes: o.sizes, next: make(chan struct{}, len(o.sizes)+1)}
	sizes.more()
	streams := remotecommand.StreamOptions{Stdout: printer{"stdout", sizes.more}, Tty: o.tty}
	if o.stdin {
		streams.Stdin = os.Stdin
	}
	if o.tty {
		streams.TerminalSizeQueue = sizes
	} else {
		streams.Stderr = printer{"stderr", nil}
	}
	err = executor.StreamWithContext(ctx, streams)
	var ended exec.CodeExitError
	if err != nil && !errors.As(err, &ended) {
		return err
	}
	printLine(map[string]int{"code": ended.Code})
	return nil
}

// forwardPort makes `count` GETs, `parallel` at a time and each over a TCP connection of its own, through one port-forward.
func forwardPort(ctx context.Context, o *options) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	config, err := o.config()
	if err != nil {
		return err
	}
	target := client.CoreV1().RESTClient().Post().Resource("pods").Name(o.pod).Namespace(o.namespace).SubResource("portforward").URL()
	dialer, err := portforward.NewSPDYOverWebsocketDialer(target, config)
	if err != nil {
		return err
	}
	stop, ready, complaints := make(chan struct{}), make(chan struct{}), &strings.Builder{}
	forwarder, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", o.port)}, stop, ready, io.Discard, complaints)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case err := <-ended:
		return fmt.Errorf("the forward ended before it was ready: %w", err)
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	result := requestMany(ctx, &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", ports[0].Local), Path: o.name}, o.count, o.parallel)
	close(stop)
	if err := <-ended; err != nil && result.Failed == 0 {
		return err
	}
	result.Complaints = complaints.String()
	printLine(result)
	return nil
}

type requests struct {
	Requests     int      `json:"requests"`
	Failed       int      `json:"failed"`
	Bytes        int64    `json:"bytes"`
	Milliseconds int64    `json:"milliseconds"`
	Errors       []string `json:"errors"`
	Complaints   string   `json:"complaints"`
}

func requestMany(ctx context.Context, target *url.URL, count, parallel int) requests {
	// A connection each: a stream of the forward is what is counted.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	started := time.Now()
	result := requests{Requests: count, Errors: []string{}}
	var lock sync.Mutex
	var group sync.WaitGroup
	due := ticks(ctx, count, 0)
	for range parallel {
		group.Go(func() {
			for range due {
				bytes, err := get(ctx, client, target.String())
				lock.Lock()
				result.Bytes += bytes
				if err != nil {
					result.Failed++
					result.Errors = append(result.Errors, err.Error())
				}
				lock.Unlock()
			}
		})
	}
	group.Wait()
	result.Errors = result.Errors[:min(len(result.Errors), 5)]
	result.Milliseconds = time.Since(started).Milliseconds()
	return result
}

func get(ctx context.Context, client *http.Client, target string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	bytes, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return bytes, err
}
