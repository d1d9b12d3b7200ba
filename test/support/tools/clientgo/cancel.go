package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// connections are those that the client has dialled.
type connections struct {
	lock sync.Mutex
	all  []*net.TCPConn
}

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if tcp, ok := connection.(*net.TCPConn); ok {
		c.lock.Lock()
		c.all = append(c.all, tcp)
		c.lock.Unlock()
	}
	return connection, err
}

// closeAll ends the connections below TLS, as a killed or unplugged client would: with FIN, or with RST.
func (c *connections) closeAll(reset bool) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, connection := range c.all {
		if reset {
			if err := connection.SetLinger(0); err != nil {
				return err
			}
		}
		// One that the transport has closed already is as good.
		_ = connection.Close()
	}
	return nil
}

// cancelStream follows the ConfigMaps of a namespace, or the log of `pod`, and ends that in one of three ways when a
// line arrives on standard input: `context` (the client library cancels), `close` (FIN) or `reset` (RST).
func cancelStream(ctx context.Context, o *options) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	open := &connections{}
	config.Dial = open.dial
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := follow(client, o).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	printLine(map[string]any{"type": "open", "at": time.Now().UTC()})
	received := make(chan int64, 1)
	go func() { received <- count(stream) }()

	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fmt.Errorf("standard input ended before its line: %w", err)
	}
	at := time.Now().UTC()
	switch o.how {
	case "context":
		cancel()
	case "close":
		err = open.closeAll(false)
	case "reset":
		err = open.closeAll(true)
	default:
		err = fmt.Errorf("--how is context, close or reset")
	}
	if err != nil {
		return err
	}
	printLine(map[string]any{"type": "cancelled", "at": at, "bytes": <-received})
	return nil
}

func follow(client *kubernetes.Clientset, o *options) *rest.Request {
	if o.pod != "" {
		return client.CoreV1().Pods(o.namespace).GetLogs(o.pod, &v1.PodLogOptions{Follow: true, Container: o.container})
	}
	request := client.CoreV1().RESTClient().Get().Namespace(o.namespace).Resource("configmaps").Param("watch", "true")
	if o.selector != "" {
		request.Param("labelSelector", o.selector)
	}
	if o.count > 0 {
		request.Param("timeoutSeconds", fmt.Sprint(o.count))
	}
	return request
}

func count(reader io.Reader) int64 {
	bytes, _ := io.Copy(io.Discard, reader)
	return bytes
}
