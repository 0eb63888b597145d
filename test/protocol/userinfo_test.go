package protocol

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestUserinfoSigned is oidcc-userinfo-rs256 with FAPI's algorithms: a client that
// registered one gets a JWT, and every other one JSON.
func TestUserinfoSigned(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, algorithm := range jose.SignatureAlgorithms() {
		profile := keyAndDPoP
		profile.Change = func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(algorithm) }
		client := server.Register(t, "signed."+string(algorithm), profile).Client
		client.Scope, client.WantsSignedUserinfo = "openid profile", true
		if _, userinfo := claimsOf(t, server, client); userinfo["name"] != "Alice Example" {
			t.Errorf("%s: %v", algorithm, userinfo)
		}
	}
	plain := server.Register(t, "plain", keyAndDPoP).Client
	plain.WantsSignedUserinfo = true
	_, tokens, err := plain.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := plain.UserInfo(t.Context(), tokens.AccessToken); err == nil {
		t.Errorf("a client that registered nothing got a JWT: %v", claims)
	}
}

// TestUserinfoEncrypted: signed, then encrypted to a key of the client, which
// alone can read it. Nothing is sent in the clear when the key is gone.
func TestUserinfoEncrypted(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	private, err := jose.GenerateDecryptionKey(jose.ECDHESA256KW)
	if err != nil {
		t.Fatal(err)
	}
	profile := keyAndDPoP
	profile.Change = func(m *registration.Metadata) {
		m.JWKS = withKey(t, m.JWKS, private.Public())
		m.UserinfoEncryptedResponseAlg, m.UserinfoEncryptedResponseEnc = string(jose.ECDHESA256KW), string(jose.A256GCM)
	}
	client := server.Register(t, "bank.encrypting", profile).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	reading := client.With(fapitest.Misbehave{})
	reading.WantsSignedUserinfo = true
	if claims, err := reading.UserInfo(t.Context(), tokens.AccessToken); err == nil {
		t.Errorf("userinfo is readable without the key: %v", claims)
	}
	reading.DecryptionKey = private
	if claims, err := reading.UserInfo(t.Context(), tokens.AccessToken); err != nil || claims["sub"] != tokens.IDClaims["sub"] {
		t.Errorf("userinfo: %v, %v", claims, err)
	}
}

// TestSignedUserinfoIsRefusedInJSON: an error is no JWT.
func TestSignedUserinfoIsRefusedInJSON(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	profile.Change = func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(jose.PS256) }
	client := server.Register(t, "bank.app", profile).Client
	client.WantsSignedUserinfo = true
	_, err := client.UserInfo(t.Context(), "no.access.token")
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
}

// TestSignedUserinfoIsNoIDToken: it has no lifetime, so no reader of ID tokens takes it.
func TestSignedUserinfoIsNoIDToken(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	profile.Change = func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(jose.ES256) }
	client := server.Register(t, "bank.app", profile).Client
	client.WantsSignedUserinfo = true
	_, userinfo := claimsOf(t, server, client.With(fapitest.Misbehave{Parameters: func(form url.Values) {
		form.Set(oauth.ParamClaims, `{"userinfo":{"exp":null,"iat":null,"auth_time":null}}`)
	}}))
	for _, name := range []string{"exp", "iat", "auth_time", "nonce"} {
		if userinfo[name] != nil {
			t.Errorf("signed userinfo has %s", name)
		}
	}
}
