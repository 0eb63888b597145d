// Package accounts is a small account-information API: a real resource server
// behind authserver/resource, for tests and for the conformance suite.
package accounts

import (
	"crypto/tls"
	"encoding/json"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/resource"
)

// Path is where the accounts are.
const Path = "/accounts"

// headerInteractionID correlates a request with its answer. FAPI 1 defined it; banks still send it.
const headerInteractionID = "X-Fapi-Interaction-Id"

// Handler serves the accounts to whom the guard admits for the scope values.
func Handler(guard *resource.Guard, scope ...string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(Path, guard.Protect(http.HandlerFunc(list), scope...))
	return mux
}

// list names the accounts of whoever granted the access token.
func list(w http.ResponseWriter, r *http.Request) {
	access, _ := resource.FromContext(r.Context())
	if id := r.Header.Get(headerInteractionID); id != "" {
		w.Header().Set(headerInteractionID, id)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{ // A client that has gone reads no answer.
		"holder":   access.Subject,
		"accounts": []map[string]string{{"iban": "DE02120300000000202051", "currency": "EUR"}},
	})
}

// TLS asks for a client certificate without verifying it in the handshake: the
// access token says which one it must be (RFC 8705, 3). The suites of TLS 1.2 are
// those that FAPI 2.0 Security Profile, 5.2.2-1 leaves.
func TLS(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		},
	}
}
