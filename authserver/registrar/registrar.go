// Package registrar is the client of the authorization server's private
// registration API. Its errors tell what is final (registration.RejectedError,
// registration.OwnedByAnotherError), what has been proven (registration.ErrNotFound),
// and leave everything else to be tried again.
package registrar

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// requestTimeout bounds a call from dialing to the last byte; our own choice. A
// reconciler that waits longer holds up other clients.
const requestTimeout = 15 * time.Second

// Config says where the private listener is, and who calls. The files are PEM,
// and are read for every new connection: a renewed certificate needs no restart.
type Config struct {
	// BaseURL of the private listener: https, without a path.
	BaseURL string
	// CertificateFile and KeyFile are the caller's certificate and its key.
	CertificateFile string
	KeyFile         string
	// CAFile holds the CA certificates that issue the server's certificate.
	CAFile string
}

// Registrar calls the registration API. It is safe for concurrent use.
type Registrar struct {
	host   string // of the base URL, with its port
	client *http.Client
}

// New checks the configuration and the files that it names. It makes no request.
func New(config Config) (*Registrar, error) {
	base, err := url.Parse(config.BaseURL)
	if err != nil || base.Scheme != "https" || base.Host == "" || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.User != nil {
		return nil, fmt.Errorf("the registration API's base URL %q is not https://host[:port]", config.BaseURL)
	}
	files := files{config: config, serverName: base.Hostname()}
	if _, err := files.read(); err != nil {
		return nil, fmt.Errorf("registration API: %w", err)
	}
	return &Registrar{
		host: base.Host,
		client: &http.Client{
			Transport: newTransport(files),
			Timeout:   requestTimeout,
			// The API never redirects: what does is something else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Register creates the client, or replaces the one that has the same owner. held is
// the revision that the server is taken to hold, registration.NoRevision for none:
// where that is so, one request does it; else the server is asked first.
// Registering the same again changes nothing. It fails with
// *registration.RejectedError, *registration.OwnedByAnotherError,
// registration.ErrOwnedByOtherInstallation, registration.ErrInstallationNotAllowed,
// registration.ErrPreconditionFailed when somebody else wrote at the same time,
// or an error that may pass.
func (g *Registrar) Register(ctx context.Context, clientID string, held int64, request registration.Request) (registration.Record, error) {
	record, err := g.put(ctx, clientID, held, request)
	if !errors.Is(err, registration.ErrPreconditionFailed) {
		return record, err
	}
	found, err := g.Client(ctx, clientID)
	if err != nil && !errors.Is(err, registration.ErrNotFound) {
		return registration.Record{}, err
	}
	return g.put(ctx, clientID, found.Revision, request)
}

// put writes the client in the place of the revision, and of no other.
func (g *Registrar) put(ctx context.Context, clientID string, replaced int64, request registration.Request) (registration.Record, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return registration.Record{}, fmt.Errorf("register client %s: encode the request: %w", clientID, err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if replaced == registration.NoRevision {
		header.Set("If-None-Match", "*")
	} else {
		header.Set("If-Match", strconv.Quote(strconv.FormatInt(replaced, 10)))
	}
	var record registration.Record
	err = g.do(ctx, call{method: http.MethodPut, path: clientPath(clientID), header: header, body: body, clientID: clientID}, &record)
	if err == nil {
		err = about(clientID, record)
	}
	if err != nil {
		return registration.Record{}, fmt.Errorf("register client %s: %w", clientID, err)
	}
	return record, nil
}

// Client reads one client; registration.ErrNotFound when the server proves that
// it keeps none, and only then.
func (g *Registrar) Client(ctx context.Context, clientID string) (registration.Record, error) {
	var record registration.Record
	err := g.do(ctx, call{method: http.MethodGet, path: clientPath(clientID), clientID: clientID}, &record)
	if err == nil {
		err = about(clientID, record)
	}
	if err != nil {
		return registration.Record{}, fmt.Errorf("read client %s: %w", clientID, err)
	}
	return record, nil
}

// List reads one page of at most limit clients, from 1 to 500. The first page
// has no cursor; each page names the next one's.
func (g *Registrar) List(ctx context.Context, cursor string, limit int) (registration.Page, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	var page registration.Page
	if err := g.do(ctx, call{method: http.MethodGet, path: "/clients?" + query.Encode()}, &page); err != nil {
		return registration.Page{}, fmt.Errorf("list clients: %w", err)
	}
	if page.Clients == nil {
		return registration.Page{}, errors.New("list clients: the answer has no clients member")
	}
	return page, nil
}

// Delete removes the client on behalf of its owner. It fails with
// registration.ErrNotFound when the server proves that it keeps none, and with
// *registration.OwnedByAnotherError or registration.ErrOwnedByOtherInstallation;
// otherwise nothing is known and the call is to be repeated.
func (g *Registrar) Delete(ctx context.Context, clientID string, owner registration.Owner) error {
	query := url.Values{"installation": {owner.Installation}, "namespace": {owner.Namespace}, "name": {owner.Name}}
	err := g.do(ctx, call{method: http.MethodDelete, path: clientPath(clientID) + "?" + query.Encode(), clientID: clientID}, nil)
	if err != nil {
		return fmt.Errorf("delete client %s: %w", clientID, err)
	}
	return nil
}

// Server asks what the replica is and serves that answers at the base URL.
func (g *Registrar) Server(ctx context.Context) (registration.Replica, error) {
	return g.ServerAt(ctx, g.host)
}

// ServerAt asks the replica at the address, host:port. What answers there must
// prove to be the private listener of the base URL's host, by the same
// certificate as there.
func (g *Registrar) ServerAt(ctx context.Context, address string) (registration.Replica, error) {
	var replica registration.Replica
	err := g.do(ctx, call{method: http.MethodGet, path: "/server", address: address}, &replica)
	if err == nil && (replica.Issuer == "" || replica.Version == "") {
		err = errors.New("the answer does not tell the issuer and the version")
	}
	if err != nil {
		return registration.Replica{}, fmt.Errorf("ask the replica at %s: %w", address, err)
	}
	return replica, nil
}

func clientPath(clientID string) string { return "/clients/" + url.PathEscape(clientID) }

// about refuses a record of another client, whatever answered with it.
func about(clientID string, record registration.Record) error {
	if record.ClientID != clientID || record.Revision < 1 {
		return errors.New("the answer is not about this client")
	}
	return nil
}

// call is one request of the API.
type call struct {
	method   string
	path     string
	header   http.Header
	body     []byte
	clientID string // empty when the call is not about one client
	address  string // host:port of one replica; empty where any may answer
}

// do makes the call. into is nil where the answer is 204.
func (g *Registrar) do(ctx context.Context, c call, into any) error {
	request, err := http.NewRequestWithContext(ctx, c.method, "https://"+cmp.Or(c.address, g.host)+c.path, bytes.NewReader(c.body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.Host = g.host
	if c.header != nil {
		request.Header = c.header
	}
	// A connection may turn out to be closed, and then all of these requests can be made
	// anew; of those with a body the transport has to be told. It is not sent.
	request.Header["Idempotency-Key"] = nil
	if id := registration.Correlation(ctx); id != "" {
		request.Header.Set(registration.CorrelationHeader, id)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // Read whole, or given up.
	body, err := readBounded(response.Body)
	if err != nil {
		return fmt.Errorf("the server answered %s: %w", response.Status, err)
	}
	return judge(response, body, c.clientID, into)
}
