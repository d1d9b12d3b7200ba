// Clientgo does with client-go, the library of most Kubernetes clients, what the end-to-end tests ask for: a client
// beside kubectl with informers, protobuf and the streaming executors. Each sub-command prints its results as JSON,
// one value on a line of standard output, and ends with code 1 and one line on standard error if it fails.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// options are the flags of all sub-commands.
type options struct {
	kubeconfig, namespace, protobuf  string
	resourceVersion, selector, label string
	count, rate, port, parallel      int
	name, pod, container             string
	how                              string
	sizes                            sizeList
	tty, stdin                       bool
	arguments                        []string
}

// commands are run with a context that SIGINT and SIGTERM cancel.
var commands = map[string]func(context.Context, *options) error{
	"watch":       watchConfigMaps,
	"informer":    runInformer,
	"apply":       applyConfigMap,
	"churn":       churnConfigMaps,
	"exec":        execInPod,
	"portforward": forwardPort,
	"cancel":      cancelStream,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 || commands[arguments[0]] == nil {
		return fmt.Errorf("usage: clientgo watch|informer|apply|churn|exec|portforward|cancel --kubeconfig FILE …")
	}
	o := &options{}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "path of the kubeconfig")
	flags.StringVar(&o.namespace, "namespace", "default", "namespace of everything that is touched")
	flags.StringVar(&o.protobuf, "content", "json", "json or protobuf")
	flags.StringVar(&o.resourceVersion, "resource-version", "", "where a watch begins")
	flags.StringVar(&o.selector, "selector", "", "label selector")
	flags.StringVar(&o.label, "label", "", "label of the ConfigMaps that churn makes, as key=value")
	flags.IntVar(&o.count, "count", 0, "how many events, changes or requests")
	flags.IntVar(&o.rate, "rate", 0, "changes a second; 0: as fast as they are answered")
	flags.IntVar(&o.parallel, "parallel", 1, "how many at a time")
	flags.IntVar(&o.port, "port", 0, "port of the pod")
	flags.StringVar(&o.name, "name", "", "name of a ConfigMap, or the beginning of many")
	flags.StringVar(&o.pod, "pod", "", "name of a pod")
	flags.StringVar(&o.container, "container", "", "name of a container")
	flags.StringVar(&o.how, "how", "context", "cancel: context, close or reset")
	flags.Var(&o.sizes, "size", "exec: terminal size as ROWSxCOLUMNS; repeat it for a resize")
	flags.BoolVar(&o.tty, "tty", false, "exec: with a terminal")
	flags.BoolVar(&o.stdin, "stdin", false, "exec: hand on standard input")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	o.arguments = flags.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return commands[arguments[0]](ctx, o)
}

// config reads the kubeconfig. The client's own rate limit is off: it would be measured instead of the server.
func (o *options) config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	if o.protobuf == "protobuf" {
		config.ContentType = runtime.ContentTypeProtobuf
		config.AcceptContentTypes = runtime.ContentTypeProtobuf
	}
	return config, nil
}

func (o *options) client() (*kubernetes.Clientset, error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

var printing sync.Mutex

// printLine writes one result.
func printLine(value any) {
	printing.Lock()
	defer printing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fmt.Fprintf(os.Stderr, "standard output: %v\n", err)
		os.Exit(1)
	}
}
