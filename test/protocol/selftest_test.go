package protocol

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Whoever asks is told which certificate has arrived, and nothing else.
func TestTheSelfTestTellsWhichCertificateHasArrived(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	stranger := testca.New(t, "somebody else", server.Clock.Now()).Issue(t, testca.Leaf{DNS: []string{"stranger.example"}}).TLS(t)
	for name, test := range map[string]struct {
		certificates []tls.Certificate
		want         map[string]string
	}{
		"a certificate": {[]tls.Certificate{stranger}, map[string]string{"x5t#S256": jose.CertificateThumbprint(stranger.Leaf)}},
		"none":          {nil, map[string]string{}},
	} {
		status, header, answer := selfTest(t, server, http.MethodGet, server.MTLSBaseURL, test.certificates)
		if status != http.StatusOK || header.Get("Cache-Control") != "no-store" || len(answer) != len(test.want) || answer["x5t#S256"] != test.want["x5t#S256"] {
			t.Errorf("%s: status %d, %v: %v, want %v", name, status, header, answer, test.want)
		}
	}
	if status, header, _ := selfTest(t, server, http.MethodPost, server.MTLSBaseURL, nil); status != http.StatusMethodNotAllowed || header.Get("Allow") != http.MethodGet {
		t.Errorf("POST: status %d, %v", status, header)
	}
	if status, _, _ := selfTest(t, server, http.MethodGet, server.Issuer, nil); status != http.StatusNotFound {
		t.Errorf("where nobody is asked for a certificate: status %d", status)
	}
}

func selfTest(t *testing.T, server *fapitest.Server, method, base string, certificates []tls.Certificate) (int, http.Header, map[string]string) {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: server.Authority.Pool(), Time: server.Clock.Now, Certificates: certificates,
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, base+"/self-test", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // Read as far as it matters.
	var answer map[string]string
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode, response.Header, answer
}
