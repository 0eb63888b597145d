package protocol

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// proofForgery signs with the client's own DPoP key under a header that change has altered.
func proofForgery(t *testing.T, client *fapitest.Registered, change func(header map[string]any), forgery fapitest.Forgery) func(fapitest.Claims) (string, error) {
	t.Helper()
	forgery.Header = map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": bareJWK(t, client.DPoPKey)}
	if change != nil {
		change(forgery.Header)
	}
	if forgery.Key == nil && forgery.Header["alg"] != "none" {
		forgery.Key = client.ProofSigner
	}
	return forgery.Sign
}

func bareJWK(t *testing.T, key *jose.SigningKey) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(key.Public().JSON(), &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kid", "alg", "use"} {
		delete(members, name)
	}
	return members
}

// privateJWK adds the private member.
func privateJWK(t *testing.T, client *fapitest.Registered) map[string]any {
	t.Helper()
	members := bareJWK(t, client.DPoPKey)
	raw, err := client.ProofSigner.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	members["d"] = base64.RawURLEncoding.EncodeToString(raw)
	return members
}

// brokenProofs are the defects of a DPoP proof that every endpoint refuses.
func brokenProofs(t *testing.T, server *fapitest.Server, client *fapitest.Registered) map[string]fapitest.Misbehave {
	t.Helper()
	rs256 := fapitest.NewSigner(t, jose.PS256)
	rs256Key, err := jose.NewSigningKey(rs256, jose.PS256, "")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]fapitest.Misbehave{
		"two-headers": {Header: func(header http.Header) { header.Add("DPoP", header.Get("DPoP")) }},
		"two-parts":   {SignProof: proofForgery(t, client, nil, fapitest.Forgery{Parts: 2})},
		"garbage":     {Header: func(header http.Header) { header.Set("DPoP", "garbage") }},
		"typ-missing": {SignProof: proofForgery(t, client, func(h map[string]any) { delete(h, "typ") }, fapitest.Forgery{})},
		"typ-wrong":   {SignProof: proofForgery(t, client, func(h map[string]any) { h["typ"] = "JWT" }, fapitest.Forgery{})},
		"alg-missing": {SignProof: proofForgery(t, client, func(h map[string]any) { delete(h, "alg") }, fapitest.Forgery{})},
		"alg-none":    {SignProof: proofForgery(t, client, func(h map[string]any) { h["alg"] = "none" }, fapitest.Forgery{})},
		"alg-RS256": {SignProof: proofForgery(t, client, func(h map[string]any) {
			h["alg"], h["jwk"] = "RS256", bareJWK(t, rs256Key)
		}, fapitest.Forgery{Key: rs256})},
		"jwk-missing":   {SignProof: proofForgery(t, client, func(h map[string]any) { delete(h, "jwk") }, fapitest.Forgery{})},
		"jwk-private":   {SignProof: proofForgery(t, client, func(h map[string]any) { h["jwk"] = privateJWK(t, client) }, fapitest.Forgery{})},
		"jwk-of-other":  {SignProof: proofForgery(t, client, func(h map[string]any) { h["jwk"] = bareJWK(t, fapitest.NewKey(t, jose.ES256)) }, fapitest.Forgery{})},
		"bad-signature": {SignProof: proofForgery(t, client, nil, fapitest.Forgery{Corrupt: true})},
		"jti-missing":   {Proof: withoutClaim("jti")},
		"jti-empty":     {Proof: claim("jti", "")},
		"jti-huge":      {Proof: claim("jti", strings.Repeat("j", 4000))},
		"htm-missing":   {Proof: withoutClaim("htm")},
		"htm-PUT":       {Proof: claim("htm", "PUT")},
		"htu-missing":   {Proof: withoutClaim("htu")},
		"htu-other":     {Proof: claim("htu", "https://elsewhere.example/token")},
		"htu-path":      {Proof: claim("htu", server.Issuer+"/elsewhere")},
		"iat-missing":   {Proof: withoutClaim("iat")},
		"iat-hour-ago":  {Proof: shift(-time.Hour, "iat")},
		"iat-in-hour":   {Proof: shift(time.Hour, "iat")},
		"iat-text":      {Proof: claim("iat", "now")},
	}
}

// nonceSettings are the two ways in which a server treats nonces. What else it
// demands of proofs is the same, but that at a resource a nonce says in place of
// iat when a proof was made (RFC 9449, 4.3-11).
var nonceSettings = map[string]string{"nonces-off": "", "nonces-required": noncesRequired}

// TestDPoPNegative is dpop-negative-tests, at the resource, the token endpoint and PAR.
func TestDPoPNegative(t *testing.T) {
	t.Parallel()
	for name, setting := range nonceSettings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dpopNegative(t, fapitest.StartServer(t, setting), setting == noncesRequired)
		})
	}
}

func dpopNegative(t *testing.T, server *fapitest.Server, nonceSaysWhen bool) {
	t.Helper()
	client := server.Register(t, "dpop-client", keyAndDPoP)
	tokens := flow(t, server, client.Client)
	everywhere := brokenProofs(t, server, client)
	everywhere["jti-reused"] = fapitest.Misbehave{Proof: claim("jti", "the-same")}
	wantUserInfo(t, client.With(fapitest.Misbehave{Proof: claim("jti", "the-same")}), tokens.AccessToken)
	for name, misbehave := range everywhere {
		t.Run(name, func(t *testing.T) {
			misbehaving := client.With(misbehave)
			if nonceSaysWhen && (name == "iat-hour-ago" || name == "iat-in-hour") {
				wantUserInfo(t, misbehaving, tokens.AccessToken)
			} else {
				_, err := misbehaving.UserInfo(t.Context(), tokens.AccessToken)
				wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidDPoPProof, oauth.InvalidToken)
			}
			_, err := misbehaving.ClientCredentials(t.Context(), "accounts")
			wantRefusal(t, err, badRequest, oauth.InvalidDPoPProof)
			_, err = misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
			wantRefusal(t, err, badRequest, oauth.InvalidDPoPProof)
		})
	}
	for name, misbehave := range map[string]fapitest.Misbehave{
		"ath-missing": {Proof: withoutClaim("ath")},
		"ath-wrong":   {Proof: claim("ath", strings.Repeat("A", 43))},
		"other-key":   {SignProof: otherKey(t)},
		"no-proof":    {Header: func(header http.Header) { header.Del("DPoP") }},
		"token-in-query": {
			Endpoint: func(url string) string { return url + "?access_token=" + tokens.AccessToken },
			Header:   func(header http.Header) { header.Del("Authorization") },
		},
		"no-proof-as-Bearer": {Header: func(header http.Header) {
			header.Del("DPoP")
			header.Set("Authorization", "Bearer "+tokens.AccessToken)
		}},
		"as-Bearer": {Header: func(header http.Header) {
			header.Set("Authorization", "Bearer "+tokens.AccessToken)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.With(misbehave).UserInfo(t.Context(), tokens.AccessToken)
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidDPoPProof, oauth.InvalidToken, oauth.InvalidRequest)
		})
	}
}

// TestDPoPAccepted is what the suite sends and demands to pass, at every endpoint.
func TestDPoPAccepted(t *testing.T) {
	t.Parallel()
	for name, setting := range nonceSettings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dpopAccepted(t, fapitest.StartServer(t, setting))
		})
	}
}

func dpopAccepted(t *testing.T, server *fapitest.Server) {
	t.Helper()
	client := server.Register(t, "dpop-client", keyAndDPoP)
	edit := func(change func(htu string) string) func(fapitest.Claims) {
		return func(claims fapitest.Claims) { claims["htu"] = change(claims["htu"].(string)) }
	}
	for module, misbehave := range map[string]fapitest.Misbehave{
		"ensure-dpopproof-with-iat-10seconds-before-succeeds": {Proof: shift(-10*time.Second, "iat")},
		"ensure-dpopproof-with-iat-10seconds-after-succeeds":  {Proof: shift(8*time.Second, "iat")},
		"check-dpop-proof-nbf-exp": {Proof: func(claims fapitest.Claims) {
			claims["nbf"], claims["exp"] = claims["iat"], claims["iat"].(int64)+300
		}},
		"unknown-claim":        {Proof: claim("unknown", []int{1})},
		"unknown-header":       {SignProof: proofForgery(t, client, func(h map[string]any) { h["unknown"] = "x" }, fapitest.Forgery{})},
		"htu-with-query":       {Proof: edit(func(htu string) string { return htu + "?a=b#c" })},
		"htu-without-query":    {Endpoint: func(url string) string { return url + "?a=b" }},
		"htu-in-upper-case":    {Proof: edit(func(htu string) string { return strings.Replace(htu, "https://localhost", "HTTPS://LOCALHOST", 1) })},
		"header-in-upper-case": {Header: func(header http.Header) { header["DPOP"] = header["Dpop"]; delete(header, "Dpop") }},
		"scheme-case-inverted": {Header: swapScheme},
		"htu-names-mtls-alias": {Proof: edit(func(htu string) string { return strings.Replace(htu, server.Issuer, server.MTLSBaseURL, 1) })},
	} {
		t.Run(module, func(t *testing.T) { flow(t, server, client.With(misbehave)) })
	}
}

// TestResourceToleratesHeaders: what banks' clients send beside, and the suite too.
func TestResourceToleratesHeaders(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "dpop-client", keyAndDPoP).Client
	tokens := flow(t, server, client)
	for name, value := range map[string]string{
		"x-fapi-auth-date":           "Tue, 11 Sep 2012 19:43:31 GMT",
		"x-fapi-customer-ip-address": "2001:db8::1893:25c8:1946",
		"x-fapi-interaction-id":      "c770aef3-6784-41f7-8e0e-ff5f97bddb3a",
		"Accept":                     "application/json;charset=UTF-8",
		"Accept-Charset":             "UTF-8",
	} {
		t.Run(name, func(t *testing.T) {
			wantUserInfo(t, client.With(fapitest.Misbehave{Header: func(header http.Header) { header.Set(name, value) }}), tokens.AccessToken)
		})
	}
	response, _ := get(t, client, server.Issuer+"/userinfo")
	sent, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil || time.Since(sent).Abs() > time.Minute {
		t.Errorf("Date is %q", response.Header.Get("Date"))
	}
}

// swapScheme is access-token-type-header-case-sensitivity.
func swapScheme(header http.Header) {
	authorization := header.Get("Authorization")
	swapped := strings.NewReplacer("DPoP ", "dpOp ", "Bearer ", "bEARER ").Replace(authorization)
	if authorization != "" {
		header.Set("Authorization", swapped)
	}
}

// TestResource is section 2.11 for certificate-bound tokens, and tokens that are none.
func TestResource(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "resource-client", keyAndMTLS).Client
	tokens := flow(t, server, client)
	t.Run("access-token-type-header-case-sensitivity", func(t *testing.T) {
		wantUserInfo(t, client.With(fapitest.Misbehave{Header: swapScheme}), tokens.AccessToken)
	})
	for name, test := range map[string]struct {
		misbehave fapitest.Misbehave
		statuses  []int
	}{
		"token-in-query": {fapitest.Misbehave{
			Endpoint: func(url string) string { return url + "?access_token=" + tokens.AccessToken },
			Header:   func(header http.Header) { header.Del("Authorization") },
		}, badRequestUnauthorized},
		"token-in-header-and-query": {fapitest.Misbehave{
			Endpoint: func(url string) string { return url + "?access_token=" + tokens.AccessToken },
		}, badRequestUnauthorized},
		"no-token":   {fapitest.Misbehave{Header: func(header http.Header) { header.Del("Authorization") }}, []int{http.StatusUnauthorized}},
		"two-tokens": {fapitest.Misbehave{Header: func(header http.Header) { header.Add("Authorization", "Bearer x") }}, badRequestUnauthorized},
		"garbage":    {fapitest.Misbehave{Header: func(header http.Header) { header.Set("Authorization", "Bearer garbage") }}, []int{http.StatusUnauthorized}},
		"ID-token-as-access-token": {fapitest.Misbehave{
			Header: func(header http.Header) { header.Set("Authorization", "Bearer "+tokens.IDToken) },
		}, []int{http.StatusUnauthorized}},
		"refresh-token-as-access-token": {fapitest.Misbehave{
			Header: func(header http.Header) { header.Set("Authorization", "Bearer "+tokens.RefreshToken) },
		}, []int{http.StatusUnauthorized}},
		"Basic": {fapitest.Misbehave{Header: func(header http.Header) { header.Set("Authorization", "Basic eDp5") }}, []int{http.StatusUnauthorized}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.With(test.misbehave).UserInfo(t.Context(), tokens.AccessToken)
			wantRefusal(t, err, test.statuses)
		})
	}
	t.Run("without-openid", func(t *testing.T) {
		machine, err := client.ClientCredentials(t.Context(), "accounts")
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.UserInfo(t.Context(), machine.AccessToken)
		wantRefusal(t, err, []int{http.StatusUnauthorized, http.StatusForbidden})
	})
	t.Run("access-token-revoked-alone", func(t *testing.T) {
		if err := client.Revoke(t.Context(), tokens.AccessToken); err != nil {
			t.Fatal(err)
		}
		_, err := client.UserInfo(t.Context(), tokens.AccessToken)
		wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		if _, err := client.Refresh(t.Context(), tokens.RefreshToken, ""); err != nil {
			t.Errorf("revoking an access token has ended the grant: %v", err)
		}
	})
}

// TestAProofByAnotherKeyLeavesNothing: who presents somebody else's access token
// with proofs by a key of his own makes the store keep nothing, whatever the
// token is bound to; the holder's proof is remembered.
func TestAProofByAnotherKeyLeavesNothing(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	thief := fapitest.NewKey(t, jose.ES256)
	byThief := func(claims fapitest.Claims) (string, error) {
		claims["jti"] = "proof"
		return thief.SignWithEmbeddedKey(oauth.TypeDPoP, claims)
	}
	remembered := func(key *jose.SigningKey) bool {
		digest := sha256.Sum256([]byte(key.Public().Thumbprint() + " proof"))
		return bytes.Contains(server.Stored(t), digest[:])
	}
	dpop, mtls := server.Register(t, "bank.dpop", keyAndDPoP).Client, server.Register(t, "bank.mtls", keyAndMTLS).Client
	tokens, bound := flow(t, server, dpop), flow(t, server, mtls)
	_, err := dpop.With(fapitest.Misbehave{SignProof: byThief}).UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	stealing := mtls.With(fapitest.Misbehave{Header: func(header http.Header) {
		digest := sha256.Sum256([]byte(bound.AccessToken))
		proof, err := byThief(fapitest.Claims{
			"htm": http.MethodGet, "htu": server.MTLSBaseURL + "/userinfo", "iat": server.Clock.Now().Unix(),
			"ath": base64.RawURLEncoding.EncodeToString(digest[:]),
		})
		if err != nil {
			t.Error(err)
		}
		header.Set("DPoP", proof)
	}})
	wantUserInfo(t, stealing, bound.AccessToken) // It has the certificate; the proof says nothing more.
	if remembered(thief) {
		t.Error("the store remembers the proof of somebody who holds nothing")
	}
	wantUserInfo(t, dpop.With(fapitest.Misbehave{Proof: claim("jti", "proof")}), tokens.AccessToken)
	if !remembered(dpop.DPoPKey) {
		t.Error("this test looks in the wrong place: the holder's proof is not remembered")
	}
}
