package protocol

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestIDToken is section 2.10, for every algorithm.
func TestIDToken(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, algorithm := range jose.SignatureAlgorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			client := server.Register(t, "id-client-"+string(algorithm), signingIDTokens(algorithm)).Client
			authorization, issued := code(t, server, client)
			tokens, err := client.Redeem(t.Context(), authorization, issued)
			if err != nil {
				t.Fatal(err)
			}
			wantSignedHeader(t, tokens.IDToken)
			if stated := part(t, tokens.IDToken, 0)["alg"]; stated != string(algorithm) {
				t.Errorf("signed by %v", stated)
			}
			wantIDClaims(t, server, client, tokens, authorization.Nonce)
		})
	}
}

func signingIDTokens(algorithm jose.SignatureAlgorithm) fapitest.Profile {
	return fapitest.Profile{
		AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Algorithm: algorithm,
		Change: func(metadata *registration.Metadata) { metadata.IDTokenSignedResponseAlg = string(algorithm) },
	}
}

// subjects are up to 255 characters of visible ASCII (OpenID Connect Core, 2).
var subjects = regexp.MustCompile(`^[ -~]{1,255}$`)

// wantIDClaims holds OpenID Connect Core, 2: what must be there is right, and
// nothing is told of the person that no scope has asked for.
func wantIDClaims(t *testing.T, server *fapitest.Server, client *fapitest.Client, tokens fapitest.TokenResponse, nonce string) {
	t.Helper()
	claims, now := tokens.IDClaims, server.Clock.Now()
	wantMembers(t, claims, "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "jti", "nbf",
		"at_hash", "c_hash", "s_hash", "txn")
	if claims["iss"] != server.Issuer || claims["aud"] != client.ClientID || claims["nonce"] != nonce {
		t.Errorf("iss %v, aud %v, nonce %v", claims["iss"], claims["aud"], claims["nonce"])
	}
	if subject, _ := claims["sub"].(string); !subjects.MatchString(subject) {
		t.Errorf("sub is %v", claims["sub"])
	}
	if timeOf(claims["iat"]).Sub(now).Abs() > 5*time.Minute || !timeOf(claims["exp"]).After(now) {
		t.Errorf("iat %v, exp %v", claims["iat"], claims["exp"])
	}
	if authenticated := timeOf(claims["auth_time"]); authenticated.After(now.Add(5*time.Minute)) || now.Sub(authenticated) > time.Hour {
		t.Errorf("auth_time is %v", claims["auth_time"])
	}
	if acr, stated := claims["acr"]; stated && isNoText(acr) {
		t.Errorf("acr is %v", acr)
	}
	sum := sha256.Sum256([]byte(tokens.AccessToken))
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if hash, stated := claims["at_hash"]; stated && hash != want {
		t.Errorf("at_hash is %v, want %v", hash, want)
	}
}
