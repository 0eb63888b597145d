package protocol

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// The two clients that most tests use.
var (
	keyAndDPoP = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true}
	keyAndMTLS = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT}
)

var (
	badRequest             = []int{http.StatusBadRequest}
	badRequestUnauthorized = []int{http.StatusBadRequest, http.StatusUnauthorized}
)

// wantRefusal demands one of the statuses with one of the error codes.
func wantRefusal(t *testing.T, err error, statuses []int, codes ...oauth.ErrorCode) fapitest.ErrorResponse {
	t.Helper()
	refusal, ok := errors.AsType[*fapitest.ErrorResponse](err)
	if !ok {
		t.Fatalf("want a refusal with %v %v, got: %v", statuses, codes, err)
	}
	if !slices.Contains(statuses, refusal.Status) || len(codes) > 0 && !slices.Contains(codes, refusal.Code) {
		t.Fatalf("want %v with one of %v, got: %v", statuses, codes, refusal)
	}
	return *refusal
}

// wantErrorPage demands a page, and never a redirect to the client.
func wantErrorPage(t *testing.T, err error) {
	t.Helper()
	shown, ok := errors.AsType[*fapitest.PageError](err)
	if !ok {
		t.Fatalf("want an error page, got: %v", err)
	}
	if shown.Page.Status < 400 || !shown.Page.Has("error") {
		t.Fatalf("want an error page, got: %v", shown)
	}
}

// push pushes a request that must be accepted.
func push(t *testing.T, client *fapitest.Client) *fapitest.Authorization {
	t.Helper()
	authorization := client.NewAuthorization()
	if _, err := client.Push(t.Context(), authorization); err != nil {
		t.Fatal(err)
	}
	return authorization
}

// code gets a code that must be issued.
func code(t *testing.T, server *fapitest.Server, client *fapitest.Client) (*fapitest.Authorization, string) {
	t.Helper()
	authorization := push(t, client)
	callback, err := client.Authorize(t.Context(), authorization, server.Person)
	if err != nil {
		t.Fatal(err)
	}
	return authorization, callback.Code
}

// flow does the whole dance, which must succeed to the resource.
func flow(t *testing.T, server *fapitest.Server, client *fapitest.Client) fapitest.TokenResponse {
	t.Helper()
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, client, tokens.AccessToken)
	return tokens
}

func wantUserInfo(t *testing.T, client *fapitest.Client, accessToken string) {
	t.Helper()
	claims, err := client.UserInfo(t.Context(), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	if subject, _ := claims["sub"].(string); subject == "" || subject[0] != '~' {
		t.Fatalf("userinfo names no person: %v", claims)
	}
}
