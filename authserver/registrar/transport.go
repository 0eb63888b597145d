package registrar

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// dialTimeout bounds connecting and the TLS handshake; our own choice.
	dialTimeout = 5 * time.Second
	// idleTimeout closes a connection that nobody uses, and with it the use of an
	// old certificate. It is shorter than the server's, so that the server never
	// closes first under a request; our own choice.
	idleTimeout = 30 * time.Second
	// maxIdleConnections serves a reconciler's workers without new handshakes; our own choice.
	maxIdleConnections = 16
	// maxHeaderBytes of an answer; our own choice.
	maxHeaderBytes = 16 << 10
)

// newTransport dials mutual TLS straight to the private listener: no proxy of the
// environment stands between.
func newTransport(files files) *http.Transport {
	return &http.Transport{
		DialTLSContext:         files.dial,
		MaxIdleConnsPerHost:    maxIdleConnections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// files are the caller's certificate, its key and the server's CA.
type files struct {
	config Config
	// serverName is the host that every server must prove to be, whatever address it
	// is reached at.
	serverName string
}

func (f files) dial(ctx context.Context, network, address string) (net.Conn, error) {
	settings, err := f.read()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return (&tls.Dialer{Config: settings}).DialContext(ctx, network, address)
}

// read makes the TLS settings of one connection from what the files hold now.
func (f files) read() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(f.config.CertificateFile, f.config.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s and its key %s: %w", f.config.CertificateFile, f.config.KeyFile, err)
	}
	authorities, err := os.ReadFile(f.config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the server's CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("read the server's CA: %s holds no certificate in PEM", f.config.CAFile)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13, // both ends are ours
		Certificates: []tls.Certificate{certificate},
		RootCAs:      pool,
		ServerName:   f.serverName,
	}, nil
}
