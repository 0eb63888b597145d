package controllers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

const (
	// selfTestPath is the endpoint's of the authorization server, below its base URL
	// for clients with a certificate.
	selfTestPath = "/self-test"
	// selfTestPatience bounds a self-test from dialing to the last byte; our own choice.
	selfTestPatience = 10 * time.Second
	// maxSelfTestBytes bounds the answer, which is far shorter; our own choice.
	maxSelfTestBytes = 4 << 10
	// throwAwayLifetime is that of the certificate which a self-test presents, before
	// and after now: clocks differ. Our own choice.
	throwAwayLifetime = time.Hour
)

// PublicPath asks the authorization server the way its clients do.
type PublicPath struct {
	// CAFile holds certificates in PEM of authorities beside the system's which may
	// have issued the server's; empty for none. It is read each time.
	CAFile string
	Now    func() time.Time
}

// selfTestOutcome is what came of a self-test. The message is the same for the same cause.
type selfTestOutcome struct {
	reason  v1alpha1.SelfTestReason
	message string
}

// test presents a certificate that nobody else has at the base URL, and compares
// it with the one that has arrived at the server.
func (p PublicPath) test(ctx context.Context, mtlsBaseURL string) (selfTestOutcome, error) {
	roots, err := p.roots()
	if err != nil {
		return selfTestOutcome{v1alpha1.SelfTestUntrustedCertificate, "It is not known whom to trust: " + err.Error() + "."}, nil
	}
	certificate, err := p.throwAway()
	if err != nil {
		return selfTestOutcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, selfTestPatience)
	defer cancel()
	arrived, err := ask(ctx, mtlsBaseURL, &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots,
		// Whatever authorities the other side names: it is to tell that it got this one.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil },
	})
	if err != nil {
		return notAnswered(err), nil
	}
	return compare(arrived, jose.CertificateThumbprint(certificate.Leaf)), nil
}

// roots are the system's authorities and those of the file.
func (p PublicPath) roots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	if p.CAFile == "" {
		return pool, nil
	}
	text, err := os.ReadFile(p.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of the server's certificate: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the authorities of the server's certificate: %s holds no certificate in PEM", p.CAFile)
	}
	return pool, nil
}

// throwAway makes a certificate, as self_signed_tls_client_auth clients have them
// (RFC 8705, 2.2), whose key never leaves this process.
func (p PublicPath) throwAway() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for the self-test: %w", err)
	}
	now := p.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "fapi-operator self-test"},
		NotBefore:    now.Add(-throwAwayLifetime),
		NotAfter:     now.Add(throwAwayLifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for the self-test: %w", err)
	}
	leaf, err := x509.ParseCertificate(encoded)
	return &tls.Certificate{Certificate: [][]byte{encoded}, PrivateKey: key, Leaf: leaf}, err
}

// unexpectedAnswerError is an answer that is not the endpoint's.
type unexpectedAnswerError struct{ status string }

func (e *unexpectedAnswerError) Error() string { return "the answer is " + e.status }

// ask makes one request over a connection of its own: no proxy of the environment,
// and no redirection, is on a client's way.
func ask(ctx context.Context, mtlsBaseURL string, settings *tls.Config) (oauth.Confirmation, error) {
	transport := &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(mtlsBaseURL, "/")+selfTestPath, nil)
	if err != nil {
		return oauth.Confirmation{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return oauth.Confirmation{}, err
	}
	defer func() { _ = response.Body.Close() }() // Read as far as it matters.
	var arrived oauth.Confirmation
	if response.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(response.Body, maxSelfTestBytes)).Decode(&arrived) != nil {
		return oauth.Confirmation{}, &unexpectedAnswerError{response.Status}
	}
	return arrived, nil
}

const letPass = "Let it pass TLS through (docs/installation.md), or forward the client's certificate (docs/proxies.md)."

func compare(arrived oauth.Confirmation, presented string) selfTestOutcome {
	switch arrived.X5TS256 {
	case presented:
		return selfTestOutcome{v1alpha1.SelfTestCertificateArrived, "The certificate of a client reaches the server."}
	case "":
		return selfTestOutcome{v1alpha1.SelfTestNoCertificateArrived,
			"No certificate reaches the server: something on the way ends TLS. " + letPass}
	}
	return selfTestOutcome{v1alpha1.SelfTestAnotherCertificateArrived,
		"Another certificate reaches the server than the client's: something on the way ends TLS and presents its own. " + letPass}
}

// notAnswered tells how far the request came.
func notAnswered(err error) selfTestOutcome {
	var unexpected *unexpectedAnswerError
	var untrusted *tls.CertificateVerificationError
	var connection *net.OpError
	switch {
	case errors.As(err, &unexpected):
		return selfTestOutcome{v1alpha1.SelfTestUnexpectedAnswer,
			fmt.Sprintf("What answers at %s is not the server: %s. Look where the base URL for clients with a certificate leads.", selfTestPath, unexpected)}
	case errors.As(err, &untrusted):
		return selfTestOutcome{v1alpha1.SelfTestUntrustedCertificate,
			"The server's certificate is not trusted: " + sentence(untrusted.Err) + " Clients may know its authority; the operator does by --self-test-ca-file."}
	// What the other side says while TLS is agreed (RFC 8446, 6) has no type of its own.
	case errors.As(err, &connection) && connection.Op == "remote error":
		return selfTestOutcome{v1alpha1.SelfTestCertificateRefused,
			"A client's certificate is refused on the way: " + connection.Err.Error() + ". The server refuses none before it knows the client, so something else does."}
	}
	return selfTestOutcome{v1alpha1.SelfTestUnreachable, "The server is not reached: " + lasting(err)}
}
