package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// givenPorts were given by FreePort: a program that has not started yet, or has
// stopped, does not show that its port is taken.
var givenPorts sync.Map

// FreePort finds a port on 127.0.0.1 that nothing listens on. It looks below the
// range from which systems take the ports of outgoing connections (32768 on Linux),
// so that it is still free when a slow program binds it, or binds it again.
func FreePort() (int, error) {
	const lowest, highest, attempts = 12000, 32000, 100
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("release port %d: %w", port, err)
		}
		return port, nil
	}
	return 0, errors.New("found no free port on 127.0.0.1")
}
