package fapitest

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
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Client is a FAPI client of one authorization server. Set its fields before it
// is used first; Misbehave and Identity may change between steps.
type Client struct {
	Identity
	// Issuer is the server's issuer identifier: all else is discovered.
	Issuer string
	// Roots vouch for the server's certificates.
	Roots *x509.CertPool
	Now   func() time.Time
	// Misbehave is how the client departs from what is right.
	Misbehave Misbehave
	// Judge looks at every refusal, beyond what a client can see of it; its error
	// takes the refusal's place. Nil believes them all.
	Judge func(Refusal) error
	// Observe sees every answer as it came, before it is judged; nil looks away.
	Observe func(Answer)
	// Dial connects; nil connects to the address as it is.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu         sync.Mutex
	metadata   *Metadata
	keys       *jose.KeySet
	transports map[*tls.Certificate]*http.Client
	nonces     map[string]string
	// others are what With has made.
	others []*Client
}

// call is one request to an endpoint that authenticates a client or a token.
type call struct {
	step   string // the endpoint's metadata member
	method string
	url    string
	form   url.Values
	header http.Header
	// mutual presents the certificate.
	mutual bool
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
	// path was asked, with secrets of which nothing may show.
	path string
	sent []string
}

// Answer is an answer as it came.
type Answer struct {
	// Step is the endpoint, as its metadata member.
	Step string
	// Path is the endpoint's.
	Path   string
	Status int
	Header http.Header
	Body   []byte
}

// send makes the request and reads the answer, whatever it is.
func (c *Client) send(ctx context.Context, request call) (answer, error) {
	target := request.url
	if c.Misbehave.Endpoint != nil && request.step != StepDiscovery && request.step != StepJWKS {
		target = c.Misbehave.Endpoint(target)
	}
	var body io.Reader
	if request.form != nil {
		body = strings.NewReader(request.form.Encode())
	}
	message, err := http.NewRequestWithContext(ctx, request.method, target, body)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", request.step, err)
	}
	if request.header != nil {
		message.Header = request.header
	}
	if request.form != nil {
		message.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if message.Header.Get("Accept") == "" {
		message.Header.Set("Accept", "application/json")
	}
	apply(c.Misbehave.Header, message.Header)
	return c.exchange(request, message)
}

func (c *Client) exchange(request call, message *http.Request) (answer, error) {
	response, err := c.HTTP(request.mutual).Do(message)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", request.step, err)
	}
	defer func() { _ = response.Body.Close() }() // All that counts has been read by then.
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s: read the answer: %w", request.step, err)
	}
	if c.Observe != nil {
		c.Observe(Answer{Step: request.step, Path: message.URL.Path, Status: response.StatusCode, Header: response.Header, Body: text})
	}
	return answer{
		status: response.StatusCode, header: response.Header, body: text,
		path: message.URL.Path, sent: secretsOf(request, message.Header),
	}, c.keepNonce(request, response)
}

// callJSON makes the request and decodes an answer with the wanted status;
// anything else becomes an *ErrorResponse.
func (c *Client) callJSON(ctx context.Context, request call, status int, into any) error {
	_, err := c.callWithHeader(ctx, request, status, into)
	return err
}

// callWithHeader also gives the answer's header.
func (c *Client) callWithHeader(ctx context.Context, request call, status int, into any) (http.Header, error) {
	response, err := c.send(ctx, request)
	if err != nil {
		return nil, err
	}
	if response.status != status {
		return response.header, c.judged(readError(request.step, response))
	}
	if err := json.Unmarshal(response.body, into); err != nil {
		return response.header, mustBeRefused("%s answers what is not JSON: %v", request.step, err)
	}
	return response.header, nil
}

// refusalError is a refusal, as an error.
type refusalError interface {
	error
	refusal() Refusal
}

// judged lets Judge look at an error that is a refusal.
func (c *Client) judged(err error) error {
	refusal, isRefusal := errors.AsType[refusalError](err)
	if !isRefusal || c.Judge == nil {
		return err
	}
	if wrong := c.Judge(refusal.refusal()); wrong != nil {
		return wrong
	}
	return err
}

// With is the same client with other behavior, and connections of its own.
func (c *Client) With(misbehave Misbehave) *Client {
	other := &Client{
		Identity: c.Identity, Issuer: c.Issuer, Roots: c.Roots, Now: c.Now,
		Judge: c.Judge, Observe: c.Observe, Dial: c.Dial, Misbehave: misbehave,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = append(c.others, other)
	return other
}

// HTTP gives the HTTP client that presents the certificate (mutual), or none.
// It follows no redirects.
func (c *Client) HTTP(mutual bool) *http.Client {
	certificate := c.Certificate
	switch {
	case !mutual || c.Misbehave.WithoutCertificate:
		certificate = nil
	case c.Misbehave.Certificate != nil:
		certificate = c.Misbehave.Certificate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.transports[certificate]; known != nil {
		return known
	}
	if c.transports == nil {
		c.transports = map[*tls.Certificate]*http.Client{}
	}
	made := c.newTransport(certificate)
	c.transports[certificate] = made
	return made
}

func (c *Client) newTransport(certificate *tls.Certificate) *http.Client {
	settings := &tls.Config{RootCAs: c.Roots, Time: c.Now, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		// Whatever authorities the server names: it names none, and decides itself.
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, DialContext: c.Dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}
}

// Close drops the idle connections, and those of the clients that With has made:
// a server that is stopped waits for clients that keep theirs.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.others {
		other.Close()
	}
	for _, transport := range c.transports {
		transport.CloseIdleConnections()
	}
}

// authenticate adds to a form what says who the client is.
func (c *Client) authenticate(form url.Values) error {
	form.Set(oauth.ParamClientID, c.ClientID)
	if c.authenticatesByTLS() {
		return nil
	}
	assertion, err := c.assertion()
	if err != nil {
		return fmt.Errorf("make a client assertion: %w", err)
	}
	form.Set(oauth.ParamClientAssertionType, oauth.ClientAssertionTypeJWT)
	form.Set(oauth.ParamClientAssertion, assertion)
	return nil
}

// assertionLifetime is a minute, as RFC 7523 clients commonly do.
const assertionLifetime = time.Minute

func (c *Client) assertion() (string, error) {
	now := c.Now()
	claims := Claims{
		"iss": c.ClientID, "sub": c.ClientID, "aud": c.Issuer, "jti": oauth.NewSecret().Reveal(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	}
	apply(c.Misbehave.Assertion, claims)
	if c.Misbehave.SignAssertion != nil {
		return c.Misbehave.SignAssertion(claims)
	}
	return c.SigningKey.Sign("", claims)
}

// proofHeader makes a DPoP proof for the request (RFC 9449, 4.2); an empty
// header for a client that binds its tokens to a certificate.
func (c *Client) proofHeader(method, target, accessToken string) (http.Header, error) {
	header := http.Header{}
	if c.DPoPKey == nil {
		return header, nil
	}
	claims := Claims{"jti": oauth.NewSecret().Reveal(), "htm": method, "htu": target, "iat": c.Now().Unix()}
	if accessToken != "" {
		claims["ath"] = base64URLSHA256(accessToken)
	}
	if nonce := c.nonce(target); nonce != "" {
		claims["nonce"] = nonce
	}
	apply(c.Misbehave.Proof, claims)
	proof, err := c.signProof(claims)
	if err != nil {
		return nil, fmt.Errorf("make a DPoP proof: %w", err)
	}
	header.Set("DPoP", proof)
	return header, nil
}

func (c *Client) signProof(claims Claims) (string, error) {
	if c.Misbehave.SignProof != nil {
		return c.Misbehave.SignProof(claims)
	}
	return c.DPoPKey.SignWithEmbeddedKey(oauth.TypeDPoP, claims)
}
