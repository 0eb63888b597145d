package protocol

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// profiles are all the ways in which a client may authenticate, bind its tokens,
// send its requests and get its responses.
func profiles() map[string]fapitest.Profile {
	all := map[string]fapitest.Profile{}
	for _, method := range []string{oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLS} {
		for _, dpop := range []bool{false, true} {
			for _, signed := range []bool{false, true} {
				for _, jarm := range []bool{false, true} {
					name := fmt.Sprintf("%s,dpop=%t,signed=%t,jarm=%t", method, dpop, signed, jarm)
					all[name] = fapitest.Profile{AuthMethod: method, DPoP: dpop, Signed: signed, JARM: jarm}
				}
			}
		}
	}
	for _, algorithm := range []jose.SignatureAlgorithm{jose.PS256, jose.EdDSA} {
		all["private_key_jwt,"+string(algorithm)] = fapitest.Profile{
			AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true, JARM: true, Algorithm: algorithm,
			Change: func(metadata *registration.Metadata) {
				metadata.IDTokenSignedResponseAlg = string(algorithm)
				metadata.AuthorizationSignedResponseAlg = string(algorithm)
			},
		}
	}
	return all
}

// A client of any profile gets tokens that only it can use, refreshes them with
// a refresh token that stays, and revokes them: happy-flow and refresh-token.
func TestHappyFlow(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	number := 0
	for name, profile := range profiles() {
		number++
		client := server.Register(t, fmt.Sprintf("bank.app-%d", number), profile)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			happyFlow(t, server, client.Client)
		})
	}
}

func happyFlow(t *testing.T, server *fapitest.Server, client *fapitest.Client) {
	t.Helper()
	tokens := flow(t, server, client)
	wantBound(t, client, tokens.AccessToken)
	wantIDToken(t, tokens)
	wantStolenTokenRefused(t, client, tokens.AccessToken)
	refreshed := wantRefresh(t, client, tokens)
	if err := client.Revoke(t.Context(), tokens.RefreshToken); err != nil {
		t.Fatal(err)
	}
	_, err := client.UserInfo(t.Context(), refreshed.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
}

// wantBound demands that the access token carries the sender's key, and no other.
func wantBound(t *testing.T, client *fapitest.Client, accessToken string) {
	t.Helper()
	claims, err := client.AccessTokenClaims(t.Context(), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"x5t#S256": client.Confirmation().X5TS256}
	if client.DPoPKey != nil {
		want = map[string]any{"jkt": client.Confirmation().JKT}
	}
	if diff := cmp.Diff(want, claims["cnf"]); diff != "" {
		t.Errorf("cnf of the access token (-want +got):\n%s", diff)
	}
	if claims["client_id"] != client.ClientID || claims["aud"] != any(fapitest.DefaultResource) && fmt.Sprint(claims["aud"]) != fmt.Sprint([]any{fapitest.DefaultResource, client.Issuer}) {
		t.Errorf("the access token is for client %v and audience %v", claims["client_id"], claims["aud"])
	}
}

func wantIDToken(t *testing.T, tokens fapitest.TokenResponse) {
	t.Helper()
	if tokens.IDClaims == nil {
		t.Fatal("scope openid was granted, and there is no ID token")
	}
	for _, claim := range []string{"auth_time", "exp", "iat", "sub"} {
		if tokens.IDClaims[claim] == nil {
			t.Errorf("the ID token has no %s", claim)
		}
	}
}

// wantStolenTokenRefused shows the token without what it is bound to, and with another's.
func wantStolenTokenRefused(t *testing.T, client *fapitest.Client, accessToken string) {
	t.Helper()
	thieves := map[string]fapitest.Misbehave{
		"without certificate": {WithoutCertificate: true},
	}
	if client.DPoPKey != nil {
		thieves = map[string]fapitest.Misbehave{
			"without proof":    {Header: func(header http.Header) { header.Del("DPoP") }},
			"with another key": {SignProof: otherKey(t)},
			"as Bearer": {Header: func(header http.Header) {
				header.Del("DPoP")
				header.Set("Authorization", "Bearer "+accessToken)
			}},
		}
	} else {
		other := fapitest.SelfSigned(t, "thief", fapitest.NewSigner(t, jose.ES256), client.Now())
		thieves["with another certificate"] = fapitest.Misbehave{Certificate: &other}
	}
	for name, misbehave := range thieves {
		_, err := client.With(misbehave).UserInfo(t.Context(), accessToken)
		if refusal := wantRefusal(t, err, []int{http.StatusUnauthorized}); refusal.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: the refusal has no WWW-Authenticate", name)
		}
	}
}

// otherKey signs proofs with a key that nobody has seen.
func otherKey(t *testing.T) func(fapitest.Claims) (string, error) {
	t.Helper()
	key := fapitest.NewKey(t, jose.ES256)
	return func(claims fapitest.Claims) (string, error) {
		return key.SignWithEmbeddedKey(oauth.TypeDPoP, claims)
	}
}

// wantRefresh refreshes twice: the token does not rotate, and a new DPoP key may come.
func wantRefresh(t *testing.T, client *fapitest.Client, tokens fapitest.TokenResponse) fapitest.TokenResponse {
	t.Helper()
	again := client.With(fapitest.Misbehave{})
	if again.DPoPKey != nil {
		again.DPoPKey = fapitest.NewKey(t, jose.ES256)
	}
	for _, scope := range []string{client.Scope, ""} {
		refreshed, err := again.Refresh(t.Context(), tokens.RefreshToken, scope)
		if err != nil {
			t.Fatal(err)
		}
		if refreshed.RefreshToken != "" && refreshed.RefreshToken != tokens.RefreshToken {
			t.Error("the refresh token was rotated (FAPI 2.0 Security Profile, 5.3.2.1-9)")
		}
		wantUserInfo(t, again, refreshed.AccessToken)
		wantBound(t, again, refreshed.AccessToken)
	}
	wantUserInfo(t, client, tokens.AccessToken)
	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	return refreshed
}
