package fapitest

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

// Names in the certificates of callers of the private listener.
const (
	// OperatorSAN may register clients of any installation, EastSAN and WestSAN those
	// of the installations east and west alone.
	OperatorSAN = "urn:example:operator"
	EastSAN     = "urn:example:operator:east"
	WestSAN     = "urn:example:operator:west"
	// AdministratorSAN may list and revoke grants.
	AdministratorSAN = "urn:example:administrator"
)

// PrivateCaller reaches the private listener with a certificate of the name, and
// closes its connections with the test.
func (s *Server) PrivateCaller(t testing.TB, name string) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: s.Authority.Pool(), Time: s.Clock.Now,
		Certificates: []tls.Certificate{s.Authority.Issue(t, testca.Leaf{URIs: []string{name}}).TLS(t)},
	}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Private makes a request to the private listener and gives its status and its
// JSON answer, or the error of a caller that was not let in.
func (s *Server) Private(t testing.TB, caller *http.Client, method, target string) (status int, answer map[string]any, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.PrivateAddress+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := caller.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }() // Reading it to its end is what matters.
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %s: status %d: %v", method, target, response.StatusCode, err)
	}
	return response.StatusCode, answer, nil
}
