package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports are given below the range from which systems take those of outgoing
// connections (32768 on Linux), so that they are still free when a slow program binds
// them, or binds them again. A block is enough for a test, and there are 200; our own choices.
const (
	lowestPort = 12000
	portBlock  = 100
	portBlocks = 200
)

// ports are those that this process has for itself, and are given once each: a
// program that has not started yet, or has stopped, does not show that its port is taken.
var ports struct {
	sync.Mutex
	next, end int
	// claims hold the first port of each block open, for as long as the process lives:
	// no other test program takes the rest of it.
	claims []net.Listener
}

// FreePort finds a port on 127.0.0.1 that nothing listens on, and that is given to
// nobody else, in this process or another that asks here.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		if ports.next == ports.end {
			if err := claimPorts(); err != nil {
				return 0, err
			}
		}
		port := ports.next
		ports.next++
		listener, err := listenOn(port)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("release port %d: %w", port, err)
		}
		return port, nil
	}
}

// claimPorts claims another block for this process.
func claimPorts() error {
	for _, block := range rand.Perm(portBlocks) {
		first := lowestPort + block*portBlock
		claim, err := listenOn(first)
		if err != nil {
			continue
		}
		ports.claims = append(ports.claims, claim)
		ports.next, ports.end = first+1, first+portBlock
		return nil
	}
	return errors.New("found no free ports on 127.0.0.1")
}

func listenOn(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}
