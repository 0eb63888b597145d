package resource

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/clientauth/jwksuri"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Our own choices.
const (
	// requestTimeout bounds one request to the authorization server, connection and
	// handshake included.
	requestTimeout = 5 * time.Second
	// maxAnswerBytes is far above the metadata of an issuer and an introspection response.
	maxAnswerBytes = 256 << 10
)

// issuer is an authorization server as it describes itself (RFC 8414).
type issuer struct {
	metadata metadata
	keys     *jwksuri.Source
	now      func() time.Time
}

type metadata struct {
	Issuer                string `json:"issuer"`
	JWKSURI               string `json:"jwks_uri"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	// Aliases are for clients that present a certificate (RFC 8705, 5).
	Aliases struct {
		IntrospectionEndpoint string `json:"introspection_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

// discover reads the metadata at its well-known address, which stands before the
// issuer's path (RFC 8414, 3.1), and demands that it is the issuer's own (3.3).
func discover(ctx context.Context, config Config) (*issuer, error) {
	address, err := url.Parse(config.Issuer)
	if err != nil || address.Scheme != "https" || address.Host == "" {
		return nil, fmt.Errorf("the issuer %q is not an https URL", config.Issuer)
	}
	wellKnown := "https://" + address.Host + "/.well-known/oauth-authorization-server" + address.EscapedPath()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, wellKnown, nil)
	if err != nil {
		return nil, err
	}
	document, err := exchange(newHTTPClient(&tls.Config{RootCAs: config.Roots}), request)
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", config.Issuer, err)
	}
	found := &issuer{now: config.Now}
	if err := json.Unmarshal(document, &found.metadata); err != nil {
		return nil, fmt.Errorf("read the metadata of %s: it is not JSON: %w", config.Issuer, err)
	}
	if found.metadata.Issuer != config.Issuer {
		return nil, fmt.Errorf("%s describes the issuer %q, not %q", wellKnown, found.metadata.Issuer, config.Issuer)
	}
	keysAddress, err := url.Parse(found.metadata.JWKSURI)
	if err != nil || keysAddress.Scheme != "https" {
		return nil, fmt.Errorf("the metadata of %s has no https jwks_uri", config.Issuer)
	}
	found.keys = jwksuri.New(jwksuri.Config{AllowedHosts: []string{strings.ToLower(keysAddress.Hostname())}, RootCAs: config.Roots, Now: config.Now})
	return found, nil
}

// verify is Guard.Verify.
func (i *issuer) verify(ctx context.Context, compact string) (access token.AccessToken, err error) {
	err = i.withKeys(ctx, func(keys *jose.KeySet) error {
		verifier := token.Verifier{Issuer: i.metadata.Issuer, Keys: func() *jose.KeySet { return keys }, Now: i.now}
		access, err = verifier.Verify(compact)
		return err
	})
	return access, err
}

// withKeys verifies something with the issuer's keys. They are read again, at a
// bounded rate, when none of them fits.
func (i *issuer) withKeys(ctx context.Context, verify func(*jose.KeySet) error) error {
	keys, err := i.keys.KeySet(ctx, i.metadata.JWKSURI)
	if err != nil {
		return unavailable("read the issuer's keys", err)
	}
	if err = verify(keys); !errors.Is(err, jose.ErrNoKey) {
		return err
	}
	if keys, err = i.keys.RefreshedKeySet(ctx, i.metadata.JWKSURI); err != nil {
		return unavailable("read the issuer's keys again", err)
	}
	return verify(keys)
}

// unavailable answers a request of which it cannot be found out whether it may be served.
func unavailable(doing string, cause error) *oauth.Error {
	return &oauth.Error{
		Code: oauth.TemporarilyUnavailable, Rule: "FAPI2-SP-FINAL-5.3.4-3",
		Description: "the access token cannot be verified at the moment", Cause: fmt.Errorf("%s: %w", doing, cause),
	}
}

// newHTTPClient follows no redirects: they could lead a credential anywhere.
func newHTTPClient(settings *tls.Config) *http.Client {
	settings.MinVersion = tls.VersionTLS12 // FAPI 2.0 Security Profile, 5.2.1-2
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       requestTimeout,
	}
}

// exchange gives the body of an answer with status 200.
func exchange(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers with HTTP status %d", response.StatusCode)
	}
	return body, err
}
