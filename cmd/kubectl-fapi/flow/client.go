// Package flow is a FAPI 2.0 client that goes through one flow, step by step: it
// authenticates as a registered client does, and checks what a client has to.
package flow

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

const (
	// requestTimeout bounds a request; our own choice.
	requestTimeout = time.Minute
	// maxAnswerBytes bounds an answer: a key set is the longest. Our own choice.
	maxAnswerBytes = 1 << 20
	// assertionLifetime is how long an assertion or a request object is good, well
	// below FAPI 2.0 Message Signing, 5.3.1-4; our own choice.
	assertionLifetime = time.Minute
)

// Identity is the client, with its private keys.
type Identity struct {
	Issuer     string
	ClientID   string
	AuthMethod string
	// SigningKey signs client assertions and request objects; nil for a client
	// that does neither.
	SigningKey *jose.SigningKey
	// Certificate is presented wherever the client authenticates or its tokens are
	// used; nil for a client that neither authenticates nor binds tokens by it.
	Certificate *tls.Certificate
	// DPoPKey is what access tokens are bound to; nil binds them to the certificate.
	DPoPKey        *jose.SigningKey
	DecryptionKeys []*jose.DecryptionKey
	// SignsRequests makes request objects of authorization requests (RFC 9101).
	SignsRequests bool
	// WantsSignedResponses asks for JARM.
	WantsSignedResponses bool
}

// Client goes through a flow at one server, which Discover finds.
type Client struct {
	Identity
	http      *http.Client
	endpoints registration.Endpoints
	keys      *jose.KeySet
	nonce     string // the latest that the server has provided (RFC 9449, 8)
}

// New makes a client. Roots vouch for the server; nil are the system's.
func New(identity Identity, roots *x509.CertPool) *Client {
	settings := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if identity.Certificate != nil {
		// The server names no authorities, and judges the certificate itself.
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return identity.Certificate, nil }
	}
	return &Client{Identity: identity, http: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: settings, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       requestTimeout,
	}}
}

// Close drops the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// RefusedError is an answer that refuses.
type RefusedError struct {
	Status      int
	Code        oauth.ErrorCode
	Description string
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		text += ": " + string(e.Code)
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

// WrongError is an answer that no client may accept.
type WrongError struct{ text string }

func (e *WrongError) Error() string { return e.text }

func wrong(format string, arguments ...any) error {
	return &WrongError{fmt.Sprintf(format, arguments...)}
}

// Discover reads the server's metadata and keys (OpenID Connect Discovery, 4).
func (c *Client) Discover(ctx context.Context) error {
	var metadata struct {
		Issuer string `json:"issuer"`
		registration.Endpoints
	}
	if err := c.get(ctx, strings.TrimSuffix(c.Issuer, "/")+"/.well-known/openid-configuration", &metadata); err != nil {
		return err
	}
	switch {
	case metadata.Issuer != c.Issuer: // OpenID Connect Discovery, 4.3
		return wrong("the metadata is that of the issuer %q", metadata.Issuer)
	case !metadata.IsComplete():
		return wrong("the metadata does not name every endpoint")
	}
	c.endpoints = metadata.Endpoints
	if c.Certificate != nil {
		c.endpoints = metadata.ForCertificates()
	}
	var keys json.RawMessage
	if err := c.get(ctx, c.endpoints.JWKSURI, &keys); err != nil {
		return fmt.Errorf("the server's keys: %w", err)
	}
	var err error
	c.keys, err = jose.ParseKeySet(keys)
	return err
}

// Endpoints are those that this client uses, once they are discovered.
func (c *Client) Endpoints() registration.Endpoints { return c.endpoints }

func (c *Client) get(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := c.send(request, http.StatusOK)
	if err != nil {
		return err
	}
	return decode(answer.body, into)
}

// answer is one that does not refuse.
type answer struct {
	mediaType string
	body      []byte
}

// send makes a request; an answer with another status than the wanted one is a RefusedError.
func (c *Client) send(request *http.Request, want int) (answer, error) {
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }() // All that counts has been read by then.
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if nonce := response.Header.Get("DPoP-Nonce"); nonce != "" {
		c.nonce = nonce
	}
	if response.StatusCode != want {
		return answer{}, refusal(response, body)
	}
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	return answer{mediaType, body}, nil
}

// refusal reads an error of an endpoint (RFC 6749, 5.2), or of a protected
// resource, which states it in the header (RFC 6750, 3).
func refusal(response *http.Response, body []byte) error {
	var stated struct {
		Code        oauth.ErrorCode `json:"error"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(body, &stated) != nil || stated.Code == "" {
		stated.Description = response.Header.Get("WWW-Authenticate")
	}
	return &RefusedError{response.StatusCode, stated.Code, stated.Description}
}

func decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return wrong("the answer is not the JSON that it should be: %v", err)
	}
	return nil
}

// post sends a form as this client. It makes a second attempt where the server
// demands the nonce that it has just provided (RFC 9449, 8).
func (c *Client) post(ctx context.Context, address string, form url.Values, want int) (answer, error) {
	attempt := func() (answer, error) {
		if err := c.authenticate(form); err != nil {
			return answer{}, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
		if err != nil {
			return answer{}, err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := c.prove(request, ""); err != nil {
			return answer{}, err
		}
		return c.send(request, want)
	}
	return withNonce(attempt)
}

func withNonce(attempt func() (answer, error)) (answer, error) {
	first, err := attempt()
	if refused, isRefused := errors.AsType[*RefusedError](err); isRefused && asksForNonce(refused) {
		return attempt()
	}
	return first, err
}

func asksForNonce(refused *RefusedError) bool {
	return refused.Code == oauth.UseDPoPNonce || strings.Contains(refused.Description, `"`+string(oauth.UseDPoPNonce)+`"`)
}

// authenticate adds what says who the client is: its identifier, and an assertion
// where it does not authenticate by its certificate (RFC 7523, 2.2).
func (c *Client) authenticate(form url.Values) error {
	form.Set(oauth.ParamClientID, c.ClientID)
	if c.AuthMethod != oauth.AuthPrivateKeyJWT {
		return nil
	}
	now := time.Now()
	assertion, err := c.SigningKey.Sign("", map[string]any{
		"iss": c.ClientID, "sub": c.ClientID, "aud": c.Issuer, "jti": oauth.NewSecret().Reveal(),
		"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	})
	form.Set(oauth.ParamClientAssertionType, oauth.ClientAssertionTypeJWT)
	form.Set(oauth.ParamClientAssertion, assertion)
	return err
}

// prove adds a DPoP proof, where tokens are bound to a key (RFC 9449, 4).
func (c *Client) prove(request *http.Request, accessToken string) error {
	if c.DPoPKey == nil {
		return nil
	}
	claims := map[string]any{
		"jti": oauth.NewSecret().Reveal(), "htm": request.Method, "htu": request.URL.String(), "iat": time.Now().Unix(),
	}
	if accessToken != "" {
		claims["ath"] = digest(accessToken)
	}
	if c.nonce != "" {
		claims["nonce"] = c.nonce
	}
	proof, err := c.DPoPKey.SignWithEmbeddedKey(oauth.TypeDPoP, claims)
	request.Header.Set("DPoP", proof)
	return err
}

// digest is the form of code_challenge (RFC 7636, 4.2) and ath (RFC 9449, 4.2).
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// open verifies what the server signed for this client, after decrypting it where
// it is encrypted, and checks issuer, audience and lifetime.
func (c *Client) open(what, compact string, into any) error {
	if strings.Count(compact, ".") == 4 { // RFC 7516, 7.1: five parts
		signed, err := jose.Decrypt(compact, c.DecryptionKeys, jose.KeyManagementAlgorithms(), jose.ContentEncryptions())
		if err != nil {
			return fmt.Errorf("decrypt %s: %w", what, err)
		}
		compact = string(signed)
	}
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		return wrong("%s: %v", what, err)
	}
	verified, err := unverified.Verify(c.keys)
	if err != nil {
		return wrong("%s: %v", what, err)
	}
	if err := c.checkEnvelope(what, verified); err != nil {
		return err
	}
	return verified.Claims(into)
}

func (c *Client) checkEnvelope(what string, verified *jose.VerifiedJWT) error {
	var envelope struct {
		Issuer    string            `json:"iss"`
		Audience  *jose.Audience    `json:"aud"`
		ExpiresAt *jose.NumericDate `json:"exp"`
	}
	if err := verified.Claims(&envelope); err != nil {
		return wrong("%s: %v", what, err)
	}
	switch {
	case envelope.Issuer != c.Issuer:
		return wrong("iss of %s is %q", what, envelope.Issuer)
	case envelope.Audience == nil || !envelope.Audience.Contains(c.ClientID):
		return wrong("%s is not for this client", what)
	case envelope.ExpiresAt != nil && !time.Now().Before(envelope.ExpiresAt.Time()):
		return wrong("%s has expired; compare this machine's clock", what)
	}
	return nil
}
