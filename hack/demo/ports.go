package main

import (
	"fmt"
	"net"
	"strconv"
)

// Ports on the loopback interface. They are the same in every run, so that the
// issuer identifier and the kubeconfig stay as they are.
const (
	apiServerPort   = 9440
	certManagerPort = 9441
	webhookPort     = 9442
	publicPort      = 9443
	mtlsPort        = 9444
	privatePort     = 9445
	healthPort      = 9446
	probePort       = 9447
)

// issuer identifies the server; it is the public listener's address.
var issuer = fmt.Sprintf("https://localhost:%d", publicPort)

// checkPorts fails early, and in words, where a program would fail late.
func (d *demo) checkPorts() error {
	ports := []int{webhookPort, publicPort, mtlsPort, privatePort, healthPort, probePort}
	if d.givenKubeconfig == "" {
		ports = append(ports, apiServerPort, certManagerPort)
	}
	for _, port := range ports {
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return fmt.Errorf("port %d is needed and taken, perhaps by another demo: stop what uses it (ss -ltnp 'sport = :%d' shows what): %w", port, port, err)
		}
		if err := listener.Close(); err != nil {
			return fmt.Errorf("release port %d: %w", port, err)
		}
	}
	return nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
