package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applyv1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
)

// objectsInTurn is over how many ConfigMaps a worker of churn spreads its changes.
const objectsInTurn = 20

// applyConfigMap applies the ConfigMap `name` with the data of the arguments (key=value) under the field manager "clientgo".
func applyConfigMap(ctx context.Context, o *options) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	data := map[string]string{}
	for _, pair := range o.arguments {
		key, value, _ := strings.Cut(pair, "=")
		data[key] = value
	}
	applied, err := client.CoreV1().ConfigMaps(o.namespace).Apply(ctx,
		applyv1.ConfigMap(o.name, o.namespace).WithData(data),
		metav1.ApplyOptions{FieldManager: "clientgo"})
	if err != nil {
		return err
	}
	managers := []string{}
	for _, entry := range applied.ManagedFields {
		managers = append(managers, fmt.Sprintf("%s/%s", entry.Manager, entry.Operation))
	}
	printLine(map[string]any{"name": applied.Name, "data": applied.Data, "managers": managers})
	return nil
}

// churnConfigMaps makes `count` changes in all, by `parallel` workers with ConfigMaps of their own: each is created, updated
// many times, and now and then deleted.
func churnConfigMaps(ctx context.Context, o *options) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	labels := map[string]string{}
	if key, value, found := strings.Cut(o.label, "="); found {
		labels[key] = value
	}
	due := ticks(ctx, o.count, o.rate)
	started := time.Now()
	var group sync.WaitGroup
	failures := make(chan error, o.parallel)
	for worker := range o.parallel {
		group.Go(func() {
			if err := changeInTurn(ctx, client, o.namespace, fmt.Sprintf("%s-%d", o.name, worker), labels, due); err != nil {
				failures <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	printLine(map[string]any{"changes": o.count, "milliseconds": time.Since(started).Milliseconds()})
	return ctx.Err()
}

// ticks hands out `count` numbers, `rate` a second if that is not 0.
func ticks(ctx context.Context, count, rate int) <-chan int {
	due := make(chan int)
	go func() {
		defer close(due)
		started := time.Now()
		for n := range count {
			if rate > 0 {
				time.Sleep(time.Until(started.Add(time.Duration(n) * time.Second / time.Duration(rate))))
			}
			select {
			case due <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	return due
}

func changeInTurn(ctx context.Context, client *kubernetes.Clientset, namespace, prefix string, labels map[string]string, due <-chan int) error {
	configMaps := client.CoreV1().ConfigMaps(namespace)
	exists := [objectsInTurn]int{}
	own := 0
	for n := range due {
		slot := own % objectsInTurn
		own++
		object := &v1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", prefix, slot), Labels: labels},
			Data:       map[string]string{"change": fmt.Sprint(n)},
		}
		var err error
		switch exists[slot] {
		case 0:
			_, err = configMaps.Create(ctx, object, metav1.CreateOptions{})
			exists[slot] = 1
		case 9:
			err = configMaps.Delete(ctx, object.Name, metav1.DeleteOptions{})
			exists[slot] = 0
		default:
			_, err = configMaps.Update(ctx, object, metav1.UpdateOptions{})
			exists[slot]++
		}
		if err != nil {
			return fmt.Errorf("change %d: %w", n, err)
		}
	}
	return nil
}
