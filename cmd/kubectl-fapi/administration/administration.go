// Package administration is the client of the authorization server's
// administration API (authserver/endpoint/admin/openapi.yaml): it lists grants
// and ends them, over mutual TLS.
package administration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

const (
	// requestTimeout bounds a call: ending the grants of a busy client takes the
	// server a while. Our own choice.
	requestTimeout = 2 * time.Minute
	// maxAnswerBytes bounds an answer: a page of grants, each with the largest
	// authorization details. Our own choice.
	maxAnswerBytes = 8 << 20
)

// Credentials are an administrator's certificate and key, and the authorities
// that vouch for the server, all in PEM.
type Credentials struct {
	Certificate, Key, Authorities []byte
}

// Client calls one server.
type Client struct {
	http *http.Client
	base string
}

// New makes a client of the server at an https URL. A dial that is not nil is
// another way to the server of that name.
func New(base string, credentials Credentials, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Client, error) {
	parsed, err := url.Parse(base)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || strings.Trim(parsed.Path, "/") != "" {
		return nil, errors.New("the server is named by an https URL without a path, such as https://fapi-operator-private.fapi-system.svc:8445")
	}
	certificate, err := tls.X509KeyPair(credentials.Certificate, credentials.Key)
	if err != nil {
		return nil, fmt.Errorf("the administrator's certificate and key: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(credentials.Authorities) {
		return nil, errors.New("the server's CA: there is no certificate in PEM")
	}
	transport := &http.Transport{
		DialContext:       dial,
		ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{
			MinVersion:   tls.VersionTLS13, // both ends are ours
			Certificates: []tls.Certificate{certificate},
			RootCAs:      authorities,
		},
	}
	return &Client{&http.Client{Transport: transport, Timeout: requestTimeout}, "https://" + parsed.Host + "/administration"}, nil
}

// Close ends the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Grant is what a person granted to a client. None of it is a credential.
type Grant struct {
	ID                   string          `json:"grant_id"`
	ClientID             string          `json:"client_id"`
	Subject              string          `json:"sub"`
	Scope                string          `json:"scope"`
	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`
	CreatedAt            time.Time       `json:"created_at"`
	ExpiresAt            time.Time       `json:"expires_at"`
}

// Filter chooses grants; what is empty chooses all.
type Filter struct{ Subject, ClientID string }

// Grants lists all grants in force that the filter chooses, page by page.
func (c *Client) Grants(ctx context.Context, filter Filter) ([]Grant, error) {
	query := url.Values{}
	if filter.Subject != "" {
		query.Set("sub", filter.Subject)
	}
	if filter.ClientID != "" {
		query.Set("client_id", filter.ClientID)
	}
	grants := []Grant{}
	for {
		var page struct {
			Grants     []Grant `json:"grants"`
			NextCursor string  `json:"next_cursor"`
		}
		if err := c.call(ctx, http.MethodGet, "/grants?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		grants = append(grants, page.Grants...)
		if page.NextCursor == "" {
			return grants, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// Ended counts what a call has ended.
type Ended struct {
	Grants       int `json:"grants_revoked"`
	Sessions     int `json:"sessions_ended"`
	Interactions int `json:"interactions_ended"`
}

// EndGrant ends one grant. Ending what is gone is no error.
func (c *Client) EndGrant(ctx context.Context, grantID string) (Ended, error) {
	return c.end(ctx, "/grants/"+url.PathEscape(grantID))
}

// EndClient ends every grant to a client.
func (c *Client) EndClient(ctx context.Context, clientID string) (Ended, error) {
	return c.end(ctx, "/clients/"+url.PathEscape(clientID)+"/grants")
}

// EndSubject ends every grant of a person, and their logins.
func (c *Client) EndSubject(ctx context.Context, subject string) (Ended, error) {
	return c.end(ctx, "/subjects/"+url.PathEscape(subject)+"/grants")
}

func (c *Client) end(ctx context.Context, path string) (ended Ended, err error) {
	return ended, c.call(ctx, http.MethodDelete, path, &ended)
}

func (c *Client) call(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("reach the authorization server: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the authorization server's answer: %w", err)
	case len(body) > maxAnswerBytes:
		return fmt.Errorf("the authorization server's answer has more than %d bytes", maxAnswerBytes)
	}
	return judge(response, body, into)
}

// judge decodes a success, and turns everything else into an error.
func judge(response *http.Response, body []byte, into any) error {
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	ours := err == nil && mediaType == "application/json"
	if ours && response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, into); err != nil {
			return fmt.Errorf("the authorization server's answer cannot be read: %w", err)
		}
		return nil
	}
	var refusal registration.Refusal
	if !ours || json.Unmarshal(body, &refusal) != nil {
		return fmt.Errorf("the server answered %s, not in the form of the administration API: is it the private listener?", response.Status)
	}
	return fmt.Errorf("the authorization server answered %s: %s: %s", response.Status, refusal.Code, refusal.Description)
}
