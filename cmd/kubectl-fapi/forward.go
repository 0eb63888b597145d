package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// forward has the cluster forward connections to a pod behind a Service, as
// kubectl port-forward does, until ctx ends. It gives the address to dial.
func (c *cluster) forward(ctx context.Context, namespace, name string) (address string, err error) {
	pod, port, err := c.podBehind(ctx, namespace, name)
	if err != nil {
		return "", err
	}
	dialer, err := c.podDialer(pod)
	if err != nil {
		return "", err
	}
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreaming(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return "", fmt.Errorf("forward a connection to pod %s: %w", pod.Name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return "", fmt.Errorf("forward a connection to pod %s: %w", pod.Name, errors.Join(err, ctx.Err()))
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return "", fmt.Errorf("forward a connection to pod %s: %w", pod.Name, err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), nil
}

// podBehind is a ready pod of the Service, and its port behind the Service's first one.
func (c *cluster) podBehind(ctx context.Context, namespace, name string) (*corev1.Pod, int32, error) {
	service := &corev1.Service{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, service); err != nil {
		return nil, 0, err
	}
	if len(service.Spec.Selector) == 0 || len(service.Spec.Ports) == 0 {
		return nil, 0, fmt.Errorf("service %s/%s selects no pods, or has no port", namespace, name)
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(service.Spec.Selector)); err != nil {
		return nil, 0, err
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; isReady(pod) {
			port, err := portOf(pod, service.Spec.Ports[0])
			return pod, port, err
		}
	}
	return nil, 0, fmt.Errorf("service %s/%s has no pod that is ready", namespace, name)
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func portOf(pod *corev1.Pod, port corev1.ServicePort) (int32, error) {
	if port.TargetPort.Type == intstr.Int {
		if number := port.TargetPort.IntVal; number != 0 {
			return number, nil
		}
		return port.Port, nil
	}
	for _, container := range pod.Spec.Containers {
		for _, exposed := range container.Ports {
			if exposed.Name == port.TargetPort.StrVal {
				return exposed.ContainerPort, nil
			}
		}
	}
	return 0, fmt.Errorf("pod %s has no port %q", pod.Name, port.TargetPort.StrVal)
}

// podDialer prefers WebSockets, which proxies let through, and falls back on
// SPDY for an API server that knows nothing else.
func (c *cluster) podDialer(pod *corev1.Pod) (httpstream.Dialer, error) {
	kube, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	target := kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(target, c.config)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	plain := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	return portforward.NewFallbackDialerForStreaming(overWebSocket, plain, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}
