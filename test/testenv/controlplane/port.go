package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// freePort finds a port on 127.0.0.1 that nothing listens on. It looks below
// the range from which systems take the ports of outgoing connections (32768
// on Linux), so that the port is still free when a slow program binds it.
func freePort() (int, error) {
	const lowest, highest, attempts = 20000, 32000, 100
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
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
