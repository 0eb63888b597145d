package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

const (
	// probeTimeout bounds each request of a probe; our own choice.
	probeTimeout = 10 * time.Second
	// maxProbedBytes bounds an answer; our own choice, far above both documents.
	maxProbedBytes = 1 << 20
)

// target is what a probe asks.
type target struct {
	issuer  string
	connect string
	caFile  string
}

// probe asks a running server what every client asks first: its discovery
// document, which must be the issuer's own, and its keys.
func probe(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	target, err := parseTarget(arguments)
	if err != nil {
		return err
	}
	client, err := target.client()
	if err != nil {
		return err
	}
	keysURI, err := askDiscovery(ctx, client, target.issuer)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if err := askKeys(ctx, client, keysURI); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return tell(output, "%s serves its discovery document and its keys", target.issuer)
}

func parseTarget(arguments []string) (target, error) {
	var t target
	set := newFlags("probe")
	set.SetOutput(io.Discard) // The error says it, and the usage is the program's.
	set.StringVar(&t.issuer, "issuer", "", "the issuer identifier; required")
	set.StringVar(&t.connect, "connect", "", "`HOST:PORT` to connect to instead of the issuer's")
	set.StringVar(&t.caFile, "ca-file", "", "PEM `FILE` of the CAs of its certificate (default: the system's)")
	if err := set.Parse(arguments); err != nil {
		return target{}, fmt.Errorf("probe: %w; authserver --help shows what each command takes", err)
	}
	if t.issuer == "" {
		return target{}, errors.New("probe: --issuer URL is missing: name the issuer of the server's configuration")
	}
	return t, noMore(set.Args())
}

// client verifies the certificate for the issuer's name, wherever it connects to.
func (t target) client() (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.caFile != "" {
		authorities, err := os.ReadFile(t.caFile)
		if err != nil {
			return nil, fmt.Errorf("probe: read the CAs: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("probe: %s holds no certificate in PEM", t.caFile)
		}
	}
	transport := &http.Transport{TLSClientConfig: settings, DialContext: t.dial, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, Timeout: probeTimeout}, nil
}

func (t target) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if t.connect != "" {
		address = t.connect
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// askDiscovery gives the address of the keys. A document of another issuer must
// not be used (OpenID Connect Discovery, 4.3).
func askDiscovery(ctx context.Context, client *http.Client, issuer string) (string, error) {
	text, err := ask(ctx, client, issuer+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", fmt.Errorf("read the discovery document: %w", err)
	}
	if document.Issuer != issuer {
		return "", fmt.Errorf("the discovery document is that of %q; state the issuer exactly as the server's configuration does", document.Issuer)
	}
	return document.JWKSURI, nil
}

func askKeys(ctx context.Context, client *http.Client, address string) error {
	text, err := ask(ctx, client, address)
	if err != nil {
		return err
	}
	set, err := jose.ParseKeySet(text)
	if err != nil {
		return fmt.Errorf("read the keys at %s: %w", address, err)
	}
	if len(set.Keys()) == 0 {
		return fmt.Errorf("%s lists no key", address)
	}
	return nil
}

func ask(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxProbedBytes))
}
