package token

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

const issuer = "https://as.example"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// server is the server's side: a minter, and the keys with which others verify.
type server struct {
	minter *Minter
	keys   *jose.KeySet
}

func newServer(t *testing.T) server {
	t.Helper()
	signing := map[jose.SignatureAlgorithm]*jose.SigningKey{}
	var public []jose.PublicKey
	for _, algorithm := range jose.SignatureAlgorithms() {
		key, err := jose.GenerateSigningKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		signing[algorithm] = key
		public = append(public, key.Public())
	}
	return server{
		minter: &Minter{
			Issuer: issuer,
			Signer: func(algorithm jose.SignatureAlgorithm) *jose.SigningKey { return signing[algorithm] },
			Now:    func() time.Time { return noon },
		},
		keys: jose.NewKeySet(public...),
	}
}

func (s server) verifierAt(now time.Time) *Verifier {
	return &Verifier{Issuer: issuer, Keys: func() *jose.KeySet { return s.keys }, Now: func() time.Time { return now }}
}

func (s server) claimsOf(t *testing.T, compact string) (jose.Header, map[string]any) {
	t.Helper()
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		t.Fatal(err)
	}
	verified, err := unverified.Verify(s.keys)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(verified.Raw(), &claims); err != nil {
		t.Fatal(err)
	}
	return verified.Header, claims
}

func forPerson() AccessToken {
	return AccessToken{
		Subject: PersonSubject("4711"), ClientID: "team.app", Audience: []string{"https://rs.example"},
		Scope: []string{"accounts", "openid"}, ExpiresAt: noon.Add(5 * time.Minute), AuthTime: noon.Add(-time.Minute),
		ACR: "urn:example:loa:2", Confirmation: oauth.Confirmation{JKT: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, GrantID: "grant-1",
		AuthorizationDetails: json.RawMessage(`[{"type":"payment","amount":"12.50"}]`),
	}
}

func TestAccessTokenSaysWhatRFC9068Demands(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	compact, content, err := s.minter.AccessToken(forPerson())
	if err != nil {
		t.Fatal(err)
	}
	header, claims := s.claimsOf(t, compact)
	if header.Type() != "at+jwt" || header.Algorithm() != jose.ES256 || header.KeyID() == "" {
		t.Errorf("header %+v", header)
	}
	want := map[string]any{
		"iss": issuer, "sub": "~4711", "aud": "https://rs.example", "client_id": "team.app", "jti": content.ID,
		"iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 300), "auth_time": float64(noon.Unix() - 60),
		"scope": "accounts openid", "acr": "urn:example:loa:2", "fapi_operator_grant_id": "grant-1",
		"cnf":                   map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
		"authorization_details": []any{map[string]any{"type": "payment", "amount": "12.50"}}, // RFC 9396, 9.1
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	verified, err := s.verifierAt(noon).Verify(compact)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content, verified); diff != "" {
		t.Errorf("what is verified is not what was minted (-minted +verified):\n%s", diff)
	}
}

func TestAccessTokenOfClientCredentials(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	compact, _, err := s.minter.AccessToken(AccessToken{
		Subject: "team.app", ClientID: "team.app", Audience: []string{"https://a.example", "https://b.example"},
		ExpiresAt: noon.Add(time.Minute), Confirmation: oauth.Confirmation{X5TS256: "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, claims := s.claimsOf(t, compact)
	for _, absent := range []string{"auth_time", "acr", "scope", "fapi_operator_grant_id", "authorization_details"} {
		if _, present := claims[absent]; present {
			t.Errorf("%s is there: %v", absent, claims[absent])
		}
	}
	if _, err := s.verifierAt(noon).Verify(compact); err != nil {
		t.Error(err)
	}
}

func TestNoAccessTokenWithoutItsInvariants(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	broken := map[string]func(*AccessToken){
		"FAPI2-SP-FINAL-5.3.2.1-4: bound to nothing": func(a *AccessToken) { a.Confirmation = oauth.Confirmation{} },
		"bound twice":                       func(a *AccessToken) { a.Confirmation.X5TS256 = "x" },
		"no audience":                       func(a *AccessToken) { a.Audience = nil },
		"no client":                         func(a *AccessToken) { a.ClientID = "" },
		"already expired":                   func(a *AccessToken) { a.ExpiresAt = noon },
		"a person without a grant":          func(a *AccessToken) { a.GrantID = "" },
		"a client that passes for a person": func(a *AccessToken) { a.Subject = "team.app" },
		"another client's subject":          func(a *AccessToken) { a.Subject, a.GrantID = "other.app", "" },
		"a person without an account":       func(a *AccessToken) { a.Subject = "~" },
	}
	for name, do := range broken {
		content := forPerson()
		do(&content)
		if compact, _, err := s.minter.AccessToken(content); err == nil {
			t.Errorf("%s: minted %s", name, compact)
		}
	}
}

func TestVerifierRefusesWhatIsNotOurAccessToken(t *testing.T) {
	t.Parallel()
	s, stranger := newServer(t), newServer(t)
	good, content, err := s.minter.AccessToken(forPerson())
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := stranger.minter.AccessToken(forPerson())
	if err != nil {
		t.Fatal(err)
	}
	sign := func(typ string, edit func(*accessTokenClaims)) string {
		claims := content.claims()
		edit(&claims)
		compact, err := s.minter.sign(jose.ES256, typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	parts, foreignParts := strings.Split(good, "."), strings.Split(foreign, ".")
	refused := map[string]string{
		"garbage":                 "not a token",
		"another server's key":    foreign,
		"another's signature":     parts[0] + "." + parts[1] + "." + foreignParts[2],
		"an ID token's typ":       sign("JWT", func(*accessTokenClaims) {}),
		"no typ":                  sign("", func(*accessTokenClaims) {}),
		"another issuer":          sign("at+jwt", func(c *accessTokenClaims) { c.Issuer = "https://other.example" }),
		"no confirmation":         sign("at+jwt", func(c *accessTokenClaims) { c.Confirmation = oauth.Confirmation{} }),
		"no exp":                  sign("at+jwt", func(c *accessTokenClaims) { c.ExpiresAt = nil }),
		"no jti":                  sign("at+jwt", func(c *accessTokenClaims) { c.ID = "" }),
		"an impersonating client": sign("at+jwt", func(c *accessTokenClaims) { c.Subject = "team.app" }),
	}
	for name, compact := range refused {
		if token, err := s.verifierAt(noon).Verify(compact); err == nil {
			t.Errorf("%s: verified as %+v", name, token)
		}
	}
	if _, err := s.verifierAt(content.ExpiresAt.Add(-time.Second)).Verify(good); err != nil {
		t.Errorf("a second before exp: %v", err)
	}
	if _, err := s.verifierAt(content.ExpiresAt).Verify(good); !errors.Is(err, ErrExpired) {
		t.Errorf("at exp: %v, want ErrExpired", err)
	}
}

// Another replica may have made the key that signed: the keys are read again, and
// only then is the token refused.
func TestVerifierLooksForAnUnknownKey(t *testing.T) {
	t.Parallel()
	here := newServer(t)
	compact, _, err := here.minter.AccessToken(forPerson())
	if err != nil {
		t.Fatal(err)
	}
	verifier := here.verifierAt(noon)
	verifier.Keys = func() *jose.KeySet { return nil }
	if _, err := verifier.Verify(compact); !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	asked := 0
	verifier.RefreshedKeys = func() *jose.KeySet { asked++; return here.keys }
	if _, err := verifier.Verify(compact); err != nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	verifier.Keys = verifier.RefreshedKeys
	if _, err := verifier.Verify(compact); err != nil || asked != 2 {
		t.Errorf("a known key was asked for again: %d times, %v", asked, err)
	}
}

func TestSubjectsOfPersonsAreNoClientIDs(t *testing.T) {
	t.Parallel()
	if !IsPersonSubject(PersonSubject("4711")) || IsPersonSubject("4711") || IsPersonSubject("team.app") {
		t.Error("persons' subjects start with ~, client identifiers never do")
	}
}

// newClient is a client with its decryption key.
func newClient(t *testing.T, edit func(*registration.Metadata)) (*fapi.Client, *jose.DecryptionKey) {
	t.Helper()
	signing, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	decryption, err := jose.GenerateDecryptionKey(jose.ECDHES)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.NewKeySet(signing.Public(), decryption.Public()))
	if err != nil {
		t.Fatal(err)
	}
	metadata := registration.Metadata{
		ClientID: "team.app", TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT, JWKS: jwks, Scope: "openid accounts",
		GrantTypes: []string{oauth.GrantAuthorizationCode}, RedirectURIs: []string{"https://app.example/callback"},
	}
	edit(&metadata)
	client, violations := fapi.AdmitClient(metadata, fapi.Limits{})
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	return client, decryption
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	content := IDToken{Subject: PersonSubject("4711"), Nonce: strings.Repeat("n", 64), AuthTime: noon.Add(-time.Minute), ACR: "1", AMR: []string{"pwd"}}
	for _, algorithm := range jose.SignatureAlgorithms() {
		client, _ := newClient(t, func(m *registration.Metadata) { m.IDTokenSignedResponseAlg = string(algorithm) })
		compact, err := s.minter.IDToken(client, client.Keys(), content)
		if err != nil {
			t.Fatal(err)
		}
		header, claims := s.claimsOf(t, compact)
		if header.Algorithm() != algorithm {
			t.Errorf("signed with %s, registered %s", header.Algorithm(), algorithm)
		}
		want := map[string]any{
			"iss": issuer, "sub": "~4711", "aud": "team.app", "iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 300),
			"auth_time": float64(noon.Unix() - 60), "nonce": content.Nonce, "acr": "1", "amr": []any{"pwd"},
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
	}
}

func TestIDTokenWithoutNonceHasNone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, _ := newClient(t, func(*registration.Metadata) {})
	compact, err := s.minter.IDToken(client, client.Keys(), IDToken{Subject: "~1", AuthTime: noon})
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := s.claimsOf(t, compact); claims["nonce"] != nil {
		t.Errorf("nonce %v", claims["nonce"])
	}
	if _, err := s.minter.IDToken(client, client.Keys(), IDToken{Subject: "team.app", AuthTime: noon}); err == nil {
		t.Error("an ID token about a client")
	}
}

func TestIDTokenWithClaimsAboutThePerson(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, _ := newClient(t, func(*registration.Metadata) {})
	content := IDToken{Subject: "~1", AuthTime: noon, Person: map[string]any{"name": "Alice", "email_verified": false}}
	compact, err := s.minter.IDToken(client, client.Keys(), content)
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := s.claimsOf(t, compact); claims["name"] != "Alice" || claims["email_verified"] != false || claims["sub"] != "~1" {
		t.Errorf("claims %v", claims)
	}
	for _, own := range []string{"sub", "aud", "exp", "acr", "nonce", "azp"} {
		content.Person = map[string]any{own: "thief"}
		if _, err := s.minter.IDToken(client, client.Keys(), content); err == nil {
			t.Errorf("%s was taken for a claim about the person", own)
		}
	}
}

func TestIDTokenIsEncryptedWhereRegistered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, key := newClient(t, func(m *registration.Metadata) {
		m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc = string(jose.ECDHES), string(jose.A256GCM)
	})
	compact, err := s.minter.IDToken(client, client.Keys(), IDToken{Subject: "~1", AuthTime: noon})
	if err != nil {
		t.Fatal(err)
	}
	nested, err := jose.Decrypt(compact, []*jose.DecryptionKey{key}, []jose.KeyManagementAlgorithm{jose.ECDHES}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := s.claimsOf(t, string(nested)); claims["sub"] != "~1" {
		t.Errorf("claims %v", claims)
	}
	if compact, err := s.minter.IDToken(client, jose.NewKeySet(), IDToken{Subject: "~1", AuthTime: noon}); err == nil {
		t.Errorf("without a key the token is not sent in the clear: %s", compact)
	}
}

func TestAuthorizationResponse(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, _ := newClient(t, func(m *registration.Metadata) { m.AuthorizationSignedResponseAlg = "PS256" })
	compact, err := s.minter.AuthorizationResponse(client, client.Keys(), map[string]string{"code": "c0de", "state": "s-._~"})
	if err != nil {
		t.Fatal(err)
	}
	header, claims := s.claimsOf(t, compact)
	want := map[string]any{"iss": issuer, "aud": "team.app", "exp": float64(noon.Add(fapi.AuthorizationResponseLifetime).Unix()), "code": "c0de", "state": "s-._~"}
	if diff := cmp.Diff(want, claims); diff != "" || header.Algorithm() != jose.PS256 {
		t.Errorf("%s, claims (-want +got):\n%s", header.Algorithm(), diff)
	}
	for _, reserved := range []string{"iss", "aud", "exp"} {
		if _, err := s.minter.AuthorizationResponse(client, client.Keys(), map[string]string{reserved: "x"}); err == nil {
			t.Errorf("a parameter replaced %s", reserved)
		}
	}
}

func TestAuthorizationResponseIsEncryptedWhereRegistered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, key := newClient(t, func(m *registration.Metadata) { m.AuthorizationEncryptedResponseAlg = string(jose.ECDHES) })
	compact, err := s.minter.AuthorizationResponse(client, client.Keys(), map[string]string{"code": "c0de"})
	if err != nil {
		t.Fatal(err)
	}
	nested, err := jose.Decrypt(compact, []*jose.DecryptionKey{key}, jose.KeyManagementAlgorithms(), []jose.ContentEncryption{jose.A128CBCHS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := s.claimsOf(t, string(nested)); claims["code"] != "c0de" {
		t.Errorf("claims %v", claims)
	}
}

func TestMissingSigningKeyIsAnError(t *testing.T) {
	t.Parallel()
	minter := &Minter{Issuer: issuer, Signer: func(jose.SignatureAlgorithm) *jose.SigningKey { return nil }, Now: func() time.Time { return noon }}
	if compact, _, err := minter.AccessToken(forPerson()); err == nil {
		t.Errorf("minted %s", compact)
	}
}

func TestUserinfo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, algorithm := range jose.SignatureAlgorithms() {
		client, _ := newClient(t, func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(algorithm) })
		compact, err := s.minter.Userinfo(client, nil, map[string]any{"sub": "~1", "name": "Alice"})
		if err != nil {
			t.Fatal(err)
		}
		header, claims := s.claimsOf(t, compact)
		want := map[string]any{"iss": issuer, "aud": "team.app", "sub": "~1", "name": "Alice"}
		if diff := cmp.Diff(want, claims); diff != "" || header.Algorithm() != algorithm {
			t.Errorf("signed with %s (-want +got):\n%s", header.Algorithm(), diff)
		}
	}
}

func TestUserinfoIsEncryptedWhereRegistered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, key := newClient(t, func(m *registration.Metadata) { m.UserinfoEncryptedResponseAlg = string(jose.ECDHES) })
	compact, err := s.minter.Userinfo(client, client.Keys(), map[string]any{"sub": "~1"})
	if err != nil {
		t.Fatal(err)
	}
	nested, err := jose.Decrypt(compact, []*jose.DecryptionKey{key}, []jose.KeyManagementAlgorithm{jose.ECDHES}, []jose.ContentEncryption{jose.A128CBCHS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := s.claimsOf(t, string(nested)); claims["sub"] != "~1" {
		t.Errorf("claims %v", claims)
	}
	if compact, err := s.minter.Userinfo(client, jose.NewKeySet(), map[string]any{"sub": "~1"}); err == nil {
		t.Errorf("without a key userinfo is not sent in the clear: %s", compact)
	}
	if _, err := s.minter.Userinfo(client, client.Keys(), map[string]any{"sub": "~1", "aud": "thief"}); err == nil {
		t.Error("a claim took the place of aud")
	}
}
