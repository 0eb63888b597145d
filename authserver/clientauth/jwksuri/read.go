package jwksuri

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// errRedirect: a redirect could lead anywhere, and the client can register the address it leads to.
var errRedirect = errors.New("the jwks_uri redirects; register the address that it redirects to")

func refuseRedirect(*http.Request, []*http.Request) error { return errRedirect }

// read fetches and parses one key set. Keys that cannot be used here are left out.
func (s *Source) read(ctx context.Context, uri string) (*jose.KeySet, error) {
	document, err := s.fetch(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("read jwks_uri %s: %w", uri, err)
	}
	keys, _, err := jose.ParseFetchedKeySet(document)
	if err != nil {
		return nil, fmt.Errorf("read jwks_uri %s: %w", uri, err)
	}
	return keys, nil
}

func (s *Source) fetch(ctx context.Context, uri string) ([]byte, error) {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme != "https" || parsed.User != nil {
		return nil, errors.New("not an https address without user information")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with HTTP status %d", response.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, jose.MaxKeySetBytes+1))
	if err == nil && len(document) > jose.MaxKeySetBytes {
		err = fmt.Errorf("it is larger than %d bytes", jose.MaxKeySetBytes)
	}
	return document, err
}
