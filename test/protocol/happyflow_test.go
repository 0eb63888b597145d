// Package protocol holds the authorization server to the protocol, over real
// TLS, with a client that can be told to misbehave. Tests bear the names of the
// OpenID Foundation's modules where there is one for the behavior.
package protocol

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
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
	all["private_key_jwt,PS256"] = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, Signed: true, JARM: true, Algorithm: jose.PS256}
	all["private_key_jwt,EdDSA"] = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true, Algorithm: jose.EdDSA}
	return all
}

// A client of any profile gets tokens that only it can use, refreshes them with
// a refresh token that stays, and revokes them.
func TestHappyFlow(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	number := 0
	for name, profile := range profiles() {
		number++
		client := server.Register(t, fmt.Sprintf("bank.app-%d", number), profile)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			happyFlow(t, server, client)
		})
	}
}

func happyFlow(t *testing.T, server *fapitest.Server, client *fapitest.Registered) {
	ctx := t.Context()
	_, tokens, err := client.Flow(ctx, server.Person)
	if err != nil {
		t.Fatalf("the flow: %v", err)
	}
	info, err := client.UserInfo(ctx, tokens.AccessToken)
	if err != nil {
		t.Fatalf("userinfo: %v", err)
	}
	if info["sub"] == "" || info["sub"] == nil {
		t.Errorf("userinfo %v has no sub", info)
	}
	refreshed, err := client.Refresh(ctx, tokens.RefreshToken, "")
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	if refreshed.RefreshToken != tokens.RefreshToken {
		t.Error("the refresh token was rotated (FAPI 2.0 Security Profile, 5.3.2.1-9)")
	}
	if err := client.Revoke(ctx, tokens.RefreshToken); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	requireRefusal(t, ignore(client.UserInfo(ctx, refreshed.AccessToken)), http.StatusUnauthorized, oauth.InvalidToken)
}

// ignore keeps the error of a call whose answer does not matter.
func ignore[T any](_ T, err error) error { return err }

// requireRefusal asks for a JSON refusal with the status and code.
func requireRefusal(t *testing.T, err error, status int, code oauth.ErrorCode) {
	t.Helper()
	refusal, ok := errors.AsType[*fapitest.ErrorResponse](err)
	if !ok || refusal.Status != status || refusal.Code != code {
		t.Errorf("got %v; want a refusal with %d %s", err, status, code)
	}
}
