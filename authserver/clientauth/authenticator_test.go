package clientauth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

const issuer = "https://as.example"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is what an Authenticator asks: clients, their keys, and used values.
type world struct {
	mutex     sync.Mutex
	clients   map[string]*fapi.Client
	published map[string]*jose.KeySet // by client_id, at jwks_uri, once read again
	refreshes int
	used      map[oauth.Digest]bool
	fault     error
}

func (w *world) Client(_ context.Context, clientID string) (*fapi.Client, error) {
	if w.fault != nil {
		return nil, w.fault
	}
	if client, registered := w.clients[clientID]; registered {
		return client, nil
	}
	return nil, store.ErrNotFound
}

func (w *world) ClientKeys(_ context.Context, client *fapi.Client) (*jose.KeySet, error) {
	return client.Keys(), nil
}

func (w *world) RefreshedClientKeys(_ context.Context, client *fapi.Client) (*jose.KeySet, error) {
	w.refreshes++
	if keys, published := w.published[client.ID()]; published {
		return keys, nil
	}
	if client.Keys() == nil {
		return nil, jose.ErrMalformed
	}
	return client.Keys(), nil
}

func (w *world) UseOnce(_ context.Context, _ store.Space, value oauth.Digest, _ time.Time) (bool, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.fault != nil {
		return false, w.fault
	}
	fresh := !w.used[value]
	w.used[value] = true
	return fresh, nil
}

func newWorld(clients ...*fapi.Client) *world {
	w := &world{clients: map[string]*fapi.Client{}, published: map[string]*jose.KeySet{}, used: map[oauth.Digest]bool{}}
	for _, client := range clients {
		w.clients[client.ID()] = client
	}
	return w
}

// registered is the certificate that the clients of these tests registered;
// package mtls tells certificates apart, here it stands for one that it admits.
var registered = &x509.Certificate{Raw: []byte("registered")}

func (w *world) authenticator() *Authenticator {
	return &Authenticator{
		Issuer: issuer, Clients: w, Keys: w, Replay: w, Now: func() time.Time { return noon },
		VerifyCertificate: func(client *fapi.Client, keys *jose.KeySet, presented []*x509.Certificate) *oauth.Error {
			selfSigned := client.AuthMethod() == oauth.AuthSelfSignedTLS
			if client.AuthMethod() != oauth.AuthTLSClient && !selfSigned || presented[0] != registered || selfSigned && keys == nil {
				return oauth.Refuse(oauth.InvalidClient, "RFC8705-2.1.2", "detail for the log")
			}
			return nil
		},
	}
}

func newKey(t testing.TB, algorithm jose.SignatureAlgorithm) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newClient(t testing.TB, id string, keys []*jose.SigningKey, edit func(*registration.Metadata)) *fapi.Client {
	t.Helper()
	metadata := registration.Metadata{
		ClientID: id, TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT, GrantTypes: []string{oauth.GrantClientCredentials}, Scope: "accounts",
	}
	if len(keys) > 0 {
		var public []jose.PublicKey
		for _, key := range keys {
			public = append(public, key.Public())
		}
		var err error
		if metadata.JWKS, err = json.Marshal(jose.NewKeySet(public...)); err != nil {
			t.Fatal(err)
		}
	}
	edit(&metadata)
	client, violations := fapi.AdmitClient(metadata, fapi.Limits{})
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	return client
}

func asRegistered(*registration.Metadata) {}

func byCertificate(m *registration.Metadata) {
	m.TokenEndpointAuthMethod, m.TLSClientAuthSANDNS, m.TLSClientAuthTrustBundle = oauth.AuthTLSClient, "app.example", "ecosystem"
}

func assertionClaims(clientID, id string) map[string]any {
	return map[string]any{
		"iss": clientID, "sub": clientID, "aud": issuer, "jti": id,
		"iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Add(time.Minute).Unix(),
	}
}

func signAssertion(t testing.TB, key *jose.SigningKey, typ string, claims map[string]any) string {
	t.Helper()
	assertion, err := key.Sign(typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return assertion
}

func formWith(assertion string) oauth.Form {
	return oauth.FormOf(map[string]string{
		oauth.ParamClientAssertion: assertion, oauth.ParamClientAssertionType: oauth.ClientAssertionTypeJWT,
	})
}

func authenticate(w *world, form oauth.Form, certificates ...*x509.Certificate) (Caller, *oauth.Error) {
	return w.authenticator().Authenticate(context.Background(), form, certificates, "")
}

func requireRule(t *testing.T, refusal *oauth.Error, rule oauth.RuleID) {
	t.Helper()
	if refusal == nil || refusal.Rule != rule || refusal.Code != oauth.InvalidClient {
		t.Errorf("refused with %v, want invalid_client (%s)", refusal, rule)
	}
}

// requireSameAnswer shows that a stranger cannot tell two refusals apart.
func requireSameAnswer(t *testing.T, a, b *oauth.Error) {
	t.Helper()
	if a == nil || b == nil || a.Code != b.Code || a.Rule != b.Rule || a.Description != b.Description {
		t.Errorf("%v and %v can be told apart", a, b)
	}
	if a.Cause == nil || b.Cause == nil || a.Cause.Error() == b.Cause.Error() {
		t.Errorf("the log cannot tell %v from %v", a, b)
	}
}

func TestClientIsWhomItsAssertionNames(t *testing.T) {
	t.Parallel()
	for _, algorithm := range jose.SignatureAlgorithms() {
		for _, typ := range []string{"", "JWT", "client-authentication+jwt"} {
			key := newKey(t, algorithm)
			client := newClient(t, "team.app", []*jose.SigningKey{key}, func(m *registration.Metadata) { m.TokenEndpointAuthSigningAlg = string(algorithm) })
			caller, refusal := authenticate(newWorld(client), formWith(signAssertion(t, key, typ, assertionClaims("team.app", "1"))))
			if refusal != nil || caller.Client != client || caller.Certificate != nil || caller.CertificateThumbprint() != "" {
				t.Errorf("%s, typ %q: %+v, %v", algorithm, typ, caller, refusal)
			}
		}
	}
}

func TestCertificateComesAlongForBinding(t *testing.T) {
	t.Parallel()
	key, anyCertificate := newKey(t, jose.ES256), &x509.Certificate{Raw: []byte("any")}
	client := newClient(t, "team.app", []*jose.SigningKey{key}, asRegistered)
	caller, refusal := authenticate(newWorld(client), formWith(signAssertion(t, key, "", assertionClaims("team.app", "1"))), anyCertificate)
	if refusal != nil || caller.Certificate != anyCertificate || caller.CertificateThumbprint() != jose.CertificateThumbprint(anyCertificate) {
		t.Errorf("%+v, %v", caller, refusal)
	}
}

func TestAssertionIsRefused(t *testing.T) {
	t.Parallel()
	key, strange, otherAlg := newKey(t, jose.ES256), newKey(t, jose.ES256), newKey(t, jose.EdDSA)
	clients := []*fapi.Client{
		newClient(t, "team.app", []*jose.SigningKey{key, otherAlg}, asRegistered),
		newClient(t, "team.mtls", []*jose.SigningKey{key}, byCertificate),
		newClient(t, "team.bare", nil, byCertificate),
	}
	signed := func(edit func(map[string]any)) string {
		claims := assertionClaims("team.app", "1")
		edit(claims)
		return signAssertion(t, key, "", claims)
	}
	rs256 := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + ".e30.AAAA"
	cases := []struct {
		name, assertion string
		rule            oauth.RuleID
	}{
		{"garbage", "garbage", "RFC7523-2.2"},
		{"jti is a number", signed(func(c map[string]any) { c["jti"] = 1 }), "RFC7523-2.2"},
		{"ensure-signed-client-assertion-with-RS256-fails", rs256, "FAPI2-SP-FINAL-5.4.1-1"},
		{"typ of an access token", signAssertion(t, key, "at+jwt", assertionClaims("team.app", "1")), "RFC8725-3.12"},
		{"ensure-client-assertion-with-no-sub-fails", signed(func(c map[string]any) { delete(c, "sub") }), "RFC7523-3-2"},
		{"no iss", signed(func(c map[string]any) { delete(c, "iss") }), "RFC7523-3-1"},
		{"unknown client", signAssertion(t, key, "", assertionClaims("team.none", "1")), "FAPI2-SP-FINAL-5.3.2.1-6"},
		{"another's key", signAssertion(t, strange, "", assertionClaims("team.app", "1")), "FAPI2-SP-FINAL-5.3.2.1-6"},
		{"client without keys", signAssertion(t, key, "", assertionClaims("team.bare", "1")), "FAPI2-SP-FINAL-5.3.2.1-6"},
		{"client registered for mutual TLS", signAssertion(t, key, "", assertionClaims("team.mtls", "1")), "OIDCR-2"},
		{"another registered key's algorithm", signAssertion(t, otherAlg, "", assertionClaims("team.app", "1")), "OIDCR-2"},
		{"par-test-array-as-audience-fails", signed(func(c map[string]any) { c["aud"] = []string{issuer} }), "FAPI2-SP-FINAL-5.3.2.1-8"},
		{"exp-is-5-minutes-in-past", signed(func(c map[string]any) { c["exp"] = noon.Add(-5 * time.Minute).Unix() }), "RFC7523-3-4"},
		{"nbf over 60 seconds ahead", signed(func(c map[string]any) { c["nbf"] = noon.Add(62 * time.Second).Unix() }), "FAPI2-SP-FINAL-5.3.2.1-13"},
		{"no jti", signed(func(c map[string]any) { delete(c, "jti") }), "OIDCC-9"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(clients...)
			_, refusal := authenticate(w, formWith(c.assertion))
			requireRule(t, refusal, c.rule)
			if len(w.used) > 0 {
				t.Error("a refused assertion uses up no jti")
			}
		})
	}
}

func TestUnknownClientAndBadCredentialsGetOneAnswer(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	w := newWorld(newClient(t, "team.app", []*jose.SigningKey{key}, asRegistered), newClient(t, "team.mtls", nil, byCertificate))
	stranger := newKey(t, jose.ES256)
	_, wrongKey := authenticate(w, formWith(signAssertion(t, stranger, "", assertionClaims("team.app", "1"))))
	_, unknown := authenticate(w, formWith(signAssertion(t, stranger, "", assertionClaims("team.none", "1"))))
	requireSameAnswer(t, wrongKey, unknown)
	_, noKeys := authenticate(w, formWith(signAssertion(t, stranger, "", assertionClaims("team.mtls", "1"))))
	requireSameAnswer(t, noKeys, unknown)

	other := &x509.Certificate{Raw: []byte("other")}
	present := func(clientID string) *oauth.Error {
		_, refusal := authenticate(w, oauth.FormOf(map[string]string{oauth.ParamClientID: clientID}), other)
		return refusal
	}
	requireSameAnswer(t, present("team.mtls"), present("team.none"))
	requireSameAnswer(t, present("team.app"), present("team.none"))
}

func TestClientIDMustNameTheSameClient(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	w := newWorld(newClient(t, "team.app", []*jose.SigningKey{key}, asRegistered))
	for clientID, want := range map[string]oauth.RuleID{"team.app": "", "team.other": "RFC7521-4.2"} {
		_, refusal := authenticate(w, oauth.FormOf(map[string]string{
			oauth.ParamClientAssertion:     signAssertion(t, key, "", assertionClaims("team.app", clientID)),
			oauth.ParamClientAssertionType: oauth.ClientAssertionTypeJWT, oauth.ParamClientID: clientID,
		}))
		if want == "" && refusal != nil {
			t.Error(refusal)
		}
		if want != "" {
			requireRule(t, refusal, want)
		}
	}
}

func TestAssertionIsUsedOnce(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	keys := []*jose.SigningKey{key}
	w := newWorld(newClient(t, "team.app", keys, asRegistered), newClient(t, "team.two", keys, asRegistered))
	form := formWith(signAssertion(t, key, "", assertionClaims("team.app", "same")))
	if _, refusal := authenticate(w, form); refusal != nil {
		t.Fatal(refusal)
	}
	_, refusal := authenticate(w, form)
	requireRule(t, refusal, "RFC7523-3-7")
	if _, refusal := authenticate(w, formWith(signAssertion(t, key, "", assertionClaims("team.two", "same")))); refusal != nil {
		t.Errorf("another client has its own jti values: %v", refusal)
	}
}

func TestNewKeyIsReadFromJWKSURI(t *testing.T) {
	t.Parallel()
	old, next := newKey(t, jose.ES256), newKey(t, jose.ES256)
	w := newWorld(newClient(t, "team.app", []*jose.SigningKey{old}, asRegistered))
	if _, refusal := authenticate(w, formWith(signAssertion(t, old, "", assertionClaims("team.app", "1")))); refusal != nil || w.refreshes != 0 {
		t.Errorf("%v, read again %d times for a known key", refusal, w.refreshes)
	}
	w.published["team.app"] = jose.NewKeySet(old.Public(), next.Public())
	if _, refusal := authenticate(w, formWith(signAssertion(t, next, "", assertionClaims("team.app", "2")))); refusal != nil || w.refreshes != 1 {
		t.Errorf("%v, read again %d times", refusal, w.refreshes)
	}
}

func TestUnreadableKeysAreNotTheAssertionsFault(t *testing.T) {
	t.Parallel()
	w := newWorld(newClient(t, "team.app", nil, func(m *registration.Metadata) { m.JWKSURI = "https://app.example/jwks" }))
	_, refusal := authenticate(w, formWith(signAssertion(t, newKey(t, jose.ES256), "", assertionClaims("team.app", "1"))))
	requireRule(t, refusal, "FAPI2-SP-FINAL-5.3.2.1-6")
}

func TestClientIsWhoseCertificateWasPresented(t *testing.T) {
	t.Parallel()
	form := oauth.FormOf(map[string]string{oauth.ParamClientID: "team.mtls"})
	w := newWorld(newClient(t, "team.mtls", nil, byCertificate))
	caller, refusal := authenticate(w, form, registered)
	if refusal != nil || caller.Client.ID() != "team.mtls" || caller.Certificate != registered {
		t.Errorf("%+v, %v", caller, refusal)
	}
	_, refusal = authenticate(w, form, &x509.Certificate{Raw: []byte("other")}, registered)
	requireRule(t, refusal, "RFC8705-2")
	if refusal == nil || !strings.Contains(refusal.Error(), "RFC8705-2.1.2") || strings.Contains(refusal.Description, "detail") {
		t.Errorf("the detail belongs to the log alone: %v", refusal)
	}
}

func TestNewSelfSignedCertificateIsReadFromJWKSURI(t *testing.T) {
	t.Parallel()
	w := newWorld(newClient(t, "team.self", nil, func(m *registration.Metadata) {
		m.TokenEndpointAuthMethod, m.JWKSURI = oauth.AuthSelfSignedTLS, "https://app.example/jwks"
	}))
	form := oauth.FormOf(map[string]string{oauth.ParamClientID: "team.self"})
	_, refusal := authenticate(w, form, registered)
	requireRule(t, refusal, "RFC8705-2")
	w.published["team.self"] = jose.NewKeySet()
	if _, refusal := authenticate(w, form, registered); refusal != nil {
		t.Error(refusal)
	}
}

func TestPrivateKeyJWTClientCannotUseItsCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(newClient(t, "team.app", []*jose.SigningKey{newKey(t, jose.ES256)}, asRegistered))
	_, refusal := authenticate(w, oauth.FormOf(map[string]string{oauth.ParamClientID: "team.app"}), registered)
	requireRule(t, refusal, "RFC8705-2")
}

func TestSuspendedClientIsRefusedOnceItHasProvenItself(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	suspend := func(m *registration.Metadata) { m.Suspended = new(true) }
	w := newWorld(
		newClient(t, "team.app", []*jose.SigningKey{key}, suspend),
		newClient(t, "team.mtls", nil, func(m *registration.Metadata) { byCertificate(m); suspend(m) }),
	)
	_, refusal := authenticate(w, formWith(signAssertion(t, key, "", assertionClaims("team.app", "1"))))
	requireRule(t, refusal, "LOCAL-CLIENT-SUSPENDED")
	_, refusal = authenticate(w, oauth.FormOf(map[string]string{oauth.ParamClientID: "team.mtls"}), registered)
	requireRule(t, refusal, "LOCAL-CLIENT-SUSPENDED")
	_, refusal = authenticate(w, formWith(signAssertion(t, newKey(t, jose.ES256), "", assertionClaims("team.app", "2"))))
	requireRule(t, refusal, "FAPI2-SP-FINAL-5.3.2.1-6")
}

func TestSharedSecretsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	_, refusal := w.authenticator().Authenticate(context.Background(), oauth.Form{}, nil, "Basic dGVhbTpzZWNyZXQ=")
	requireRule(t, refusal, "FAPI2-SP-FINAL-5.3.2.1-6")
	_, refusal = authenticate(w, oauth.FormOf(map[string]string{oauth.ParamClientID: "team.app", oauth.ParamClientSecret: "s3cret"}))
	requireRule(t, refusal, "FAPI2-SP-FINAL-5.3.2.1-6")
	if strings.Contains(refusal.Error(), "s3cret") {
		t.Error("the secret is echoed")
	}
}

func TestStoreThatFailsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	w := newWorld(newClient(t, "team.app", []*jose.SigningKey{key}, asRegistered))
	w.fault = errors.New("the disk is full")
	forms := []oauth.Form{formWith(signAssertion(t, key, "", assertionClaims("team.app", "1"))), oauth.FormOf(map[string]string{oauth.ParamClientID: "team.app"})}
	for _, form := range forms {
		_, refusal := authenticate(w, form, registered)
		if refusal == nil || refusal.Code != oauth.ServerError || refusal.Description != "" || !errors.Is(refusal, w.fault) {
			t.Errorf("got %v, want server_error that says nothing", refusal)
		}
	}
}

func BenchmarkAuthenticatePrivateKeyJWT(b *testing.B) {
	key := newKey(b, jose.ES256)
	w := newWorld(newClient(b, "team.app", []*jose.SigningKey{key}, asRegistered))
	form := formWith(signAssertion(b, key, "", assertionClaims("team.app", "1")))
	for b.Loop() {
		clear(w.used)
		if _, refusal := authenticate(w, form); refusal != nil {
			b.Fatal(refusal)
		}
	}
}
