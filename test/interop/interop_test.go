package interop

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// result is what flow.mjs tells of one client.
type result struct {
	// Failure is the error that ended the flow; empty when it came to its end.
	Failure             string         `json:"failure"`
	Tokens              tokens         `json:"tokens"`
	UserInfo            map[string]any `json:"userinfo"`
	Refreshed           tokens         `json:"refreshed"`
	UserInfoOfRefreshed map[string]any `json:"userinfoOfRefreshed"`
	ClientCredentials   tokens         `json:"clientCredentials"`
	// Introspected is what introspection tells of the first access token.
	Introspected            map[string]any `json:"introspected"`
	IntrospectedAfterReplay map[string]any `json:"introspectedAfterReplay"`
	// Refused is what the server answered to what it has to refuse.
	Refused map[string]refusal `json:"refused"`
	// Noticed are the library's error codes for forged authorization responses.
	Noticed map[string]string `json:"noticed"`
}

// tokens are a token response, as the library gives it.
type tokens struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token"`
	// Claims are the ID token's, validated by the library.
	Claims map[string]any `json:"claims"`
}

type refusal struct {
	Status int             `json:"status"`
	Error  oauth.ErrorCode `json:"error"`
}

// Certified client libraries get, for every way in which a client may use FAPI,
// tokens that only that client can use, and are refused what nobody may have.
func TestLibraries(t *testing.T) {
	t.Parallel()
	node := findNode(t)
	server := fapitest.StartServer(t)
	server.Clock.Run()
	clients := registerAll(t, server)
	config := writeWorld(t, server, clients)
	for _, library := range []string{"openid-client", "oauth4webapi"} {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			results := runFlow(t, node, library, config)
			for name, client := range clients {
				t.Run(name, func(t *testing.T) { check(t, server, client, results[name]) })
			}
		})
	}
}

// findNode finds the node command, and demands that the libraries are installed.
func findNode(t *testing.T) string {
	t.Helper()
	const advice = "run make test, or, with node 20.19 or newer: npm ci in test/interop"
	if _, err := os.Stat("node_modules/openid-client"); err != nil {
		t.Fatalf("the client libraries are not installed (%v): %s", err, advice)
	}
	if prepared, err := exec.LookPath("node_modules/.bin/node"); err == nil {
		return prepared
	}
	found, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("no node command (%v): %s", err, advice)
	}
	return found
}

// runFlow has the library do the flow of every client.
func runFlow(t *testing.T, node, library, config string) map[string]result {
	t.Helper()
	command := exec.CommandContext(t.Context(), node, "flow.mjs", library, config)
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, problems.String())
	}
	var results map[string]result
	if err := json.Unmarshal(output.Bytes(), &results); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output.String())
	}
	return results
}

// check demands everything of one client's flow.
func check(t *testing.T, server *fapitest.Server, client *fapitest.Registered, got result) {
	t.Helper()
	if got.Failure != "" {
		t.Fatal(got.Failure)
	}
	for name, issued := range map[string]tokens{"code": got.Tokens, "refresh token": got.Refreshed, "client credentials": got.ClientCredentials} {
		t.Run("tokens by "+name, func(t *testing.T) { checkBinding(t, client, issued) })
	}
	checkPerson(t, server, client, got)
	if got.Introspected["active"] != true || got.Introspected["client_id"] != client.ClientID || got.Introspected["cnf"] == nil {
		t.Errorf("of an access token in force is told %v", got.Introspected)
	}
	if got.IntrospectedAfterReplay["active"] != false {
		t.Errorf("after its code was replayed, of an access token is told %v", got.IntrospectedAfterReplay)
	}
	if got.Refreshed.RefreshToken != "" && got.Refreshed.RefreshToken != got.Tokens.RefreshToken {
		t.Error("the refresh token was rotated (FAPI 2.0 Security Profile, 5.3.2.1-9)")
	}
	if diff := cmp.Diff(refusals(client), got.Refused); diff != "" {
		t.Errorf("what the server refused (-want +got):\n%s", diff)
	}
	checkNoticed(t, client, got.Noticed)
}

// checkBinding demands that the access token is bound to the client's key alone.
func checkBinding(t *testing.T, client *fapitest.Registered, issued tokens) {
	t.Helper()
	wantType, wantConfirmation := oauth.TokenTypeBearer, map[string]any{"x5t#S256": client.Confirmation().X5TS256}
	if client.DPoPKey != nil {
		wantType, wantConfirmation = oauth.TokenTypeDPoP, map[string]any{"jkt": client.Confirmation().JKT}
	}
	if !strings.EqualFold(issued.TokenType, wantType) || issued.ExpiresIn <= 0 {
		t.Errorf("token_type is %q and expires_in %d, and not %s for some time", issued.TokenType, issued.ExpiresIn, wantType)
	}
	claims, err := client.AccessTokenClaims(t.Context(), issued.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantConfirmation, claims["cnf"]); diff != "" {
		t.Errorf("cnf of the access token (-want +got):\n%s", diff)
	}
}

// checkPerson demands that ID token and userinfo name the same person, to this client.
func checkPerson(t *testing.T, server *fapitest.Server, client *fapitest.Registered, got result) {
	t.Helper()
	claims := got.Tokens.Claims
	if claims["iss"] != server.Issuer || claims["aud"] != client.ClientID {
		t.Errorf("the ID token is of issuer %v for %v", claims["iss"], claims["aud"])
	}
	subject, _ := claims["sub"].(string)
	if subject == "" || got.UserInfo["sub"] != subject || got.UserInfoOfRefreshed["sub"] != subject {
		t.Errorf("the ID token names %q, userinfo %v, and after a refresh %v", subject, got.UserInfo["sub"], got.UserInfoOfRefreshed["sub"])
	}
	const signedParts, encryptedParts = 3, 5 // RFC 7515, 3.1 and RFC 7516, 3.1
	want := signedParts
	if client.DecryptionKey != nil {
		want = encryptedParts
	}
	if parts := len(strings.Split(got.Tokens.IDToken, ".")); parts != want {
		t.Errorf("the ID token has %d parts and not %d", parts, want)
	}
}

// refusals are what the server has to answer to what it has to refuse.
func refusals(client *fapitest.Registered) map[string]refusal {
	invalidToken := refusal{http.StatusUnauthorized, oauth.InvalidToken}
	invalidGrant := refusal{http.StatusBadRequest, oauth.InvalidGrant}
	return map[string]refusal{
		"userinfo with another key":   invalidToken,
		"userinfo without a key":      invalidToken,
		"token request without a key": withoutKey(client),
		"replayed code":               invalidGrant,
		"userinfo after the replay":   invalidToken,
		"refresh after the replay":    invalidGrant,
		"userinfo after revocation":   invalidToken,
		"refresh after revocation":    invalidGrant,
	}
}

// withoutKey is the answer to a token request without what the token would be bound to.
func withoutKey(client *fapitest.Registered) refusal {
	switch {
	case client.DPoPKey != nil:
		return refusal{http.StatusBadRequest, oauth.InvalidDPoPProof}
	case client.AuthMethod != oauth.AuthPrivateKeyJWT: // The certificate is the client's authentication too.
		return refusal{http.StatusUnauthorized, oauth.InvalidClient}
	}
	return refusal{http.StatusBadRequest, oauth.InvalidRequest}
}

// checkNoticed demands that the library refused each forged response for what it is.
func checkNoticed(t *testing.T, client *fapitest.Registered, noticed map[string]string) {
	t.Helper()
	want := map[string]string{"iss left out": "OAUTH_INVALID_RESPONSE", "iss of another server": "OAUTH_INVALID_RESPONSE"}
	switch {
	case client.DecryptionKey != nil:
		want = map[string]string{"response tampered with": "OAUTH_DECRYPTION_FAILED"}
	case client.WantsJARM:
		want = map[string]string{"response tampered with": "OAUTH_INVALID_RESPONSE"}
	}
	if diff := cmp.Diff(want, noticed); diff != "" {
		t.Errorf("what the library noticed (-want +got):\n%s", diff)
	}
}
