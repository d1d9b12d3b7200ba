package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// event is one change of a ConfigMap; Data is a hash of all of the object that a client sees.
type event struct {
	Type            string `json:"type"`
	Name            string `json:"name"`
	ResourceVersion string `json:"resourceVersion"`
	Data            string `json:"data"`
}

// watchConfigMaps prints the next `count` events, and at last how often a watch ended before and was taken up where it was, as a reflector does. It fails where one ends without having told
// anything.
func watchConfigMaps(ctx context.Context, o *options) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	version, seen, ended := o.resourceVersion, 0, 0
	for {
		before := seen
		watcher, err := client.CoreV1().ConfigMaps(o.namespace).Watch(ctx, metav1.ListOptions{
			ResourceVersion: version,
			LabelSelector:   o.selector,
		})
		if err != nil {
			return err
		}
		for got := range watcher.ResultChan() {
			object, isConfigMap := got.Object.(*v1.ConfigMap)
			if !isConfigMap {
				watcher.Stop()
				return fmt.Errorf("event %d: %s: %w", seen, got.Type, apierrors.FromObject(got.Object))
			}
			printLine(describe(string(got.Type), object))
			version = object.ResourceVersion
			if seen++; seen == o.count {
				watcher.Stop()
				printLine(map[string]any{"type": "ended", "times": ended})
				return nil
			}
		}
		if seen == before {
			return fmt.Errorf("the watch ended after %d of %d events", seen, o.count)
		}
		ended++
	}
}

// runInformer prints what a shared informer tells its handlers, until it is stopped or has printed `count` events.
func runInformer(ctx context.Context, o *options) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	seen := 0
	tell := func(kind string, object any) {
		if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = last.Obj
		}
		printLine(describe(kind, object.(*v1.ConfigMap)))
		if seen++; seen == o.count {
			stop()
		}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(o.namespace),
		informers.WithTweakListOptions(func(list *metav1.ListOptions) { list.LabelSelector = o.selector }))
	informer := factory.Core().V1().ConfigMaps().Informer()
	if err := informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		printLine(map[string]string{"type": "watch-error", "message": err.Error()})
	}); err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { tell("add", object) },
		UpdateFunc: func(before, after any) {
			// After a reconnect the informer lists again and reports what did not change, too.
			if before.(*v1.ConfigMap).ResourceVersion != after.(*v1.ConfigMap).ResourceVersion {
				tell("update", after)
			}
		},
		DeleteFunc: func(object any) { tell("delete", object) },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		printLine(map[string]any{"type": "synced", "objects": len(informer.GetStore().List())})
	}
	<-ctx.Done()
	factory.Shutdown()
	return nil
}

func describe(kind string, object *v1.ConfigMap) event {
	// Protobuf has no TypeMeta, so a client that decodes it does not either.
	plain := object.DeepCopy()
	plain.TypeMeta = metav1.TypeMeta{}
	// Marshalling a ConfigMap cannot fail, and maps are written in the order of their keys.
	bytes, _ := json.Marshal(plain)
	sum := sha256.Sum256(bytes)
	return event{kind, object.Name, object.ResourceVersion, hex.EncodeToString(sum[:8])}
}
