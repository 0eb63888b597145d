package protocol

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestSecondClient is the second half of happy-flow: a long state, a redirect URI
// with a query, and a key named by dpop_jkt alone.
func TestSecondClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	const redirectURI = "https://second.example/callback?dummy1=lorem&dummy2=ipsum"
	profile.Change = func(metadata *registration.Metadata) { metadata.RedirectURIs = []string{redirectURI} }
	client := server.Register(t, "second-client", profile).Client
	client.RedirectURI = redirectURI
	pushing := client.With(fapitest.Misbehave{
		Header:   func(header http.Header) { header.Del("DPoP") },
		PushForm: setting(oauth.ParamDPoPJKT, client.DPoPKey.Public().Thumbprint()),
	})
	authorization := client.NewAuthorization()
	authorization.State = strings.Repeat("s", 1000)
	if _, err := pushing.Push(t.Context(), authorization); err != nil {
		t.Fatal(err)
	}
	callback, err := client.Authorize(t.Context(), authorization, server.Person)
	if err != nil {
		t.Fatal(err)
	}
	if callback.Query.Get("dummy1") != "lorem" || callback.Query.Get("dummy2") != "ipsum" {
		t.Errorf("the redirect URI's own query is lost: %v", callback.Query)
	}
	if _, err := client.Redeem(t.Context(), authorization, callback.Code); err != nil {
		t.Fatal(err)
	}
}

// TestClientCredentials: a machine's token is bound, has no person and no refresh token.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "machine", keyAndMTLS).Client
	tokens, err := client.ClientCredentials(t.Context(), "accounts")
	if err != nil {
		t.Fatal(err)
	}
	if tokens.RefreshToken != "" || tokens.IDToken != "" {
		t.Error("client credentials gave a refresh token or an ID token")
	}
	wantBound(t, client, tokens.AccessToken)
	claims, err := client.AccessTokenClaims(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if claims["sub"] != client.ClientID {
		t.Errorf("sub is %v and not the client's own", claims["sub"])
	}
	_, err = client.ClientCredentials(t.Context(), "openid")
	wantRefusal(t, err, badRequest, oauth.InvalidScope)
	_, err = client.ClientCredentials(t.Context(), "unregistered")
	wantRefusal(t, err, badRequest, oauth.InvalidScope)
}
