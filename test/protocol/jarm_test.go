package protocol

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// part reads a part of a JWT whose signature the client has verified: 0 is the
// header, 1 are the claims.
func part(t *testing.T, compact string, number int) map[string]any {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("a JWT of %d parts", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[number])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// wantSignedHeader: what the server signs names a permitted algorithm and a key.
func wantSignedHeader(t *testing.T, compact string) {
	t.Helper()
	header := part(t, compact, 0)
	kid, _ := header["kid"].(string)
	if algorithm, _ := header["alg"].(string); kid == "" || !slices.Contains([]string{"PS256", "ES256", "EdDSA"}, algorithm) {
		t.Errorf("the header is %v", header)
	}
}

// suiteState and suiteNonce are the suite's longest: every unreserved character
// at the end (RFC 3986, 2.3).
var (
	suiteState = strings.Repeat("s", 124) + "-._~"
	suiteNonce = strings.Repeat("n", 39) + "-._~"
)

// redirectWithQuery is a redirect URI with a query of its own, registered as the only one.
func redirectWithQuery(profile fapitest.Profile, clientID string) (fapitest.Profile, string) {
	uri := "https://" + clientID + ".example/callback?dummy1=lorem&dummy2=ipsum"
	profile.Change = func(metadata *registration.Metadata) { metadata.RedirectURIs = []string{uri} }
	return profile, uri
}

// TestAuthorizationResponseMembers is section 2.4 and 2.5 on what comes back: the
// answer and nothing else, in the query or in a JWT, for codes and for errors.
func TestAuthorizationResponseMembers(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for mode, jarm := range map[string]bool{"plain": false, "jarm": true} {
		profile := keyAndDPoP
		profile.JARM = jarm
		clientID := mode + "-client"
		profile, redirectURI := redirectWithQuery(profile, clientID)
		client := server.Register(t, clientID, profile).Client
		client.RedirectURI = redirectURI
		denying := server.Person
		denying.Denies = true
		for name, answer := range map[string]struct {
			prompt string
			person fapitest.Person
			want   oauth.ErrorCode
		}{
			"code": {person: server.Person}, "access_denied": {person: denying, want: oauth.AccessDenied},
			"login_required": {prompt: "none", want: oauth.LoginRequired},
		} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				asking := client.With(fapitest.Misbehave{})
				if answer.prompt != "" {
					asking.Misbehave.PushForm = setting(oauth.ParamPrompt, answer.prompt)
				}
				authorization := asking.NewAuthorization()
				authorization.State = suiteState
				if _, err := asking.Push(t.Context(), authorization); err != nil {
					t.Fatal(err)
				}
				callback, err := asking.Authorize(t.Context(), authorization, answer.person)
				if refused, isRefused := errors.AsType[*fapitest.CallbackError](err); isRefused {
					callback = refused.Callback
				} else if err != nil {
					t.Fatal(err)
				}
				if callback.Error != answer.want || callback.State != suiteState {
					t.Errorf("error %q and state %q", callback.Error, callback.State)
				}
				wantResponseMembers(t, server, client, callback)
			})
		}
	}
}

func wantResponseMembers(t *testing.T, server *fapitest.Server, client *fapitest.Client, callback fapitest.Callback) {
	t.Helper()
	members := []string{"code", "state", "iss"}
	if callback.Error != "" {
		members = []string{"error", "error_description", "error_uri", "state", "iss"}
	}
	if !client.WantsJARM {
		wantParameters(t, callback, members...)
		return
	}
	wantParameters(t, callback, "response")
	wantSignedHeader(t, callback.Query.Get("response"))
	wantMembers(t, callback.Response, append(members, "aud", "exp", "iat")...)
	if callback.Response["iss"] != server.Issuer || callback.Response["aud"] != client.ClientID {
		t.Errorf("iss %v and aud %v", callback.Response["iss"], callback.Response["aud"])
	}
	now := server.Clock.Now()
	if left := timeOf(callback.Response["exp"]).Sub(now); left < 10*time.Second || left > 10*time.Minute {
		t.Errorf("the response lives %s", left)
	}
	if issued, stated := callback.Response["iat"]; stated && timeOf(issued).Sub(now).Abs() > 5*time.Minute {
		t.Errorf("iat is %v", issued)
	}
}

// timeOf reads a NumericDate (RFC 7519, 2).
func timeOf(claim any) time.Time {
	seconds, _ := claim.(float64)
	return time.Unix(int64(seconds), 0)
}

// wantParameters: the response's own parameters, once each, beside the redirect URI's.
func wantParameters(t *testing.T, callback fapitest.Callback, known ...string) {
	t.Helper()
	for name, values := range callback.Query {
		if !slices.Contains(append(known, "dummy1", "dummy2"), name) || len(values) != 1 {
			t.Errorf("the response has the parameter %s %d times", name, len(values))
		}
	}
	if callback.Query.Get("dummy1") != "lorem" || callback.Query.Get("dummy2") != "ipsum" {
		t.Errorf("the redirect URI's own query is lost: %v", callback.Query)
	}
}
