package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
)

// suites are the TLS 1.2 cipher suites that IANA's registry recommends and Go
// has (FAPI 2.0 Security Profile, 5.2.2-1). Go's own default would add CBC suites.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Public is the TLS of the public listener: it never asks for a certificate, so
// that no browser shows a certificate dialog.
func Public(listener config.Listener, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	return serverTLS("public", listener.TLS, now, log)
}

// MTLS is the TLS of the mtls listener. It asks for a certificate and takes any
// or none: self-signed ones are legal (RFC 8705, 2.2), and each client's own
// anchors are applied by the application, which finds the certificate in
// http.Request.TLS.PeerCertificates, on resumed sessions as well. So is it with a
// proxy's (see Proxies).
func MTLS(listener config.MTLSListener, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	settings, err := serverTLS("mtls", listener.TLS, now, log)
	if err != nil {
		return nil, err
	}
	settings.ClientAuth = tls.RequestClientCert
	return settings, nil
}

// Private is the TLS of the private listener: a certificate that a CA of
// ClientCAFile issued for one of AllowedClientSANs, BoundClientSANs or
// AdministratorSANs, checked at every handshake, resumed ones included. Which of
// them a request needs is decided by who serves it.
func Private(listener config.PrivateListener, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	settings, err := serverTLS("private", listener.TLS, now, log)
	if err != nil {
		return nil, err
	}
	authorities, err := newReloaded([]string{listener.ClientCAFile}, parsePool, now, log)
	if err != nil {
		return nil, fmt.Errorf("private listener: %w", err)
	}
	settings.ClientAuth = tls.RequireAndVerifyClientCert
	settings.VerifyConnection = clientGate{slices.Concat(listener.AllowedClientSANs, slices.Collect(maps.Keys(listener.BoundClientSANs)), listener.AdministratorSANs)}.verify
	settings.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := settings.Clone()
		current.ClientCAs = authorities.current()
		return current, nil
	}
	return settings, nil
}

func serverTLS(name string, files config.TLS, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	certificate, err := newReloaded([]string{files.CertificateFile, files.KeyFile}, parseKeyPair, now, log)
	if err != nil {
		return nil, fmt.Errorf("%s listener: %w", name, err)
	}
	return &tls.Config{
		// FAPI 2.0 Security Profile, 5.2.1-2; 1.3 is preferred where the client has it.
		MinVersion:   tls.VersionTLS12,
		CipherSuites: suites,
		NextProtos:   []string{"h2", "http/1.1"},
		Time:         now,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return certificate.current(), nil
		},
	}, nil
}

func parseKeyPair(contents [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

func parsePool(contents [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[0]) {
		return nil, errors.New("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
	}
	return pool, nil
}

// clientGate decides who may use the private listener.
type clientGate struct{ allowed Names }

// verify runs at every handshake, resumed ones included, after crypto/tls has
// checked the chain against the authorities of today.
func (g clientGate) verify(state tls.ConnectionState) error {
	if len(state.VerifiedChains) == 0 {
		return errors.New("the caller shows no certificate of listeners.private.clientCAFile")
	}
	if caller := state.PeerCertificates[0]; !g.allowed.In(caller) {
		return fmt.Errorf("the caller's certificate carries none of listeners.private.allowedClientSANs, boundClientSANs and administratorSANs: %s", strings.Join(names(caller), ", "))
	}
	return nil
}

// Names are DNS names and URIs that certificates are compared with.
type Names []string

// In tells whether the certificate carries one of the names. Whole names are
// compared: DNS names without case, URIs as strings.
func (n Names) In(caller *x509.Certificate) bool {
	for _, allowed := range n {
		for _, name := range caller.DNSNames {
			if strings.EqualFold(name, allowed) {
				return true
			}
		}
		for _, name := range caller.URIs {
			if name.String() == allowed {
				return true
			}
		}
	}
	return false
}

func names(caller *x509.Certificate) []string {
	names := append([]string{}, caller.DNSNames...)
	for _, uri := range caller.URIs {
		names = append(names, uri.String())
	}
	return names
}

// Open listens on the address, with TLS unless settings is nil.
func Open(address string, settings *tls.Config) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if settings == nil {
		return listener, nil
	}
	return tls.NewListener(listener, settings), nil
}
