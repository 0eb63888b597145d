package faults

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// balancer is a plain load balancer: it gives each connection to the next server
// that takes it, and looks at nothing of what goes through it.
type balancer struct {
	listener net.Listener
	servers  []string
	next     atomic.Uint64
	serving  sync.WaitGroup
}

// balance listens at an address (host:port) until the test ends.
func balance(t *testing.T, address string, servers []string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("start the load balancer: %v", err)
	}
	b := &balancer{listener: listener, servers: servers}
	b.serving.Go(b.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		b.serving.Wait()
	})
}

func (b *balancer) serve() {
	for {
		client, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			b.serving.Go(func() { b.forward(client) })
		}
	}
}

// forward copies both ways until one side ends: a server that is killed ends its
// clients' connections.
func (b *balancer) forward(client net.Conn) {
	defer client.Close()
	server, err := b.dial()
	if err != nil {
		return
	}
	defer server.Close()
	var copying sync.WaitGroup
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // Either side may end at any time.
		_ = to.Close()
		_ = from.Close()
	}
	copying.Go(func() { pipe(server, client) })
	pipe(client, server)
	copying.Wait()
}

func (b *balancer) dial() (net.Conn, error) {
	var failed error
	for range b.servers {
		server, err := net.Dial("tcp", b.servers[b.next.Add(1)%uint64(len(b.servers))])
		if err == nil {
			return server, nil
		}
		failed = err
	}
	return nil, failed
}
