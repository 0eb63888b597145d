package protocol

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// shannonBits is the entropy that the characters of a text show, in bits: the
// suite's measure of what cannot be guessed.
func shannonBits(text string) float64 {
	counts := map[rune]float64{}
	for _, character := range text {
		counts[character]++
	}
	bits := 0.0
	for _, count := range counts {
		bits -= count * math.Log2(count/float64(len(text)))
	}
	return bits
}

// minBits and minLength of whatever must not be guessed: more than 96 bits, and
// at least 16 characters. FAPI 2.0 Security Profile, 5.4.1-4 asks for 128 bits.
const (
	minBits   = 96
	minLength = 16
)

// TestEntropy: codes, tokens and request_uris cannot be guessed, and never come twice.
func TestEntropy(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "entropy-client", keyAndDPoP).Client
	browser := client.NewBrowser()
	defer browser.Close()
	seen := map[string]bool{}
	for range 8 {
		authorization := push(t, client)
		callback, err := client.AuthorizeWith(t.Context(), browser, authorization, server.Person)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
		if err != nil {
			t.Fatal(err)
		}
		for name, secret := range map[string]string{
			"request_uri": authorization.Pushed.RequestURI, "code": callback.Code,
			"access_token": tokens.AccessToken, "refresh_token": tokens.RefreshToken,
		} {
			if bits := shannonBits(secret); bits <= minBits || len(secret) < minLength || seen[secret] {
				t.Errorf("%s of %d characters shows %.0f bits, seen before: %t", name, len(secret), bits, seen[secret])
			}
			seen[secret] = true
		}
	}
}

// observing gives the client's last answer of every step.
func observing(client *fapitest.Client) map[string]fapitest.Answer {
	last := map[string]fapitest.Answer{}
	client.Observe = func(answer fapitest.Answer) { last[answer.Step] = answer }
	return last
}

// TestResponses: each endpoint's answer has its exact status, is JSON that nobody
// caches, and has the members that are defined for it and no other.
func TestResponses(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for name, profile := range map[string]fapitest.Profile{
		"dpop": keyAndDPoP, "mtls": keyAndMTLS, "mtls-alone": {AuthMethod: oauth.AuthTLSClient},
	} {
		client := server.Register(t, name+"-client", profile).Client
		last := observing(client)
		tokens := flow(t, server, client)
		t.Run("pushed-request/"+name, func(t *testing.T) { wantPushedResponse(t, last[fapitest.StepPush]) })
		t.Run("token/"+name, func(t *testing.T) {
			wantTokenResponse(t, last[fapitest.StepToken], tokens.TokenType, "id_token", "refresh_token")
		})
		t.Run("userinfo/"+name, func(t *testing.T) { wantJSONAnswer(t, last[fapitest.StepUserinfo], http.StatusOK) })
		refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Run("refresh/"+name, func(t *testing.T) {
			wantTokenResponse(t, last[fapitest.StepToken], refreshed.TokenType)
		})
		if err := client.Revoke(t.Context(), tokens.RefreshToken); err != nil {
			t.Fatal(err)
		}
		client.Scope = "accounts"
		authorization, issued := code(t, server, client)
		plain, err := client.Redeem(t.Context(), authorization, issued)
		if err != nil {
			t.Fatal(err)
		}
		t.Run("plain-oauth-has-no-id-token/"+name, func(t *testing.T) {
			if members := wantTokenResponse(t, last[fapitest.StepToken], plain.TokenType, "refresh_token"); members["id_token"] != nil {
				t.Error("an ID token without scope openid")
			}
		})
	}
}

func wantJSONAnswer(t *testing.T, answer fapitest.Answer, status int) map[string]any {
	t.Helper()
	if answer.Status != status || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s answers %d as %q", answer.Step, answer.Status, answer.Header.Get("Content-Type"))
	}
	if answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s answers with Cache-Control %q", answer.Step, answer.Header.Get("Cache-Control"))
	}
	if date, err := http.ParseTime(answer.Header.Get("Date")); err != nil || time.Since(date).Abs() > 5*time.Minute {
		t.Errorf("%s answers with Date %q", answer.Step, answer.Header.Get("Date"))
	}
	var members map[string]any
	if err := json.Unmarshal(answer.Body, &members); err != nil || members["error"] != nil {
		t.Fatalf("%s answers %s", answer.Step, answer.Body)
	}
	return members
}

// lifetimes that the suite takes for plausible: 5 s to a year.
func wantLifetime(t *testing.T, value any) {
	t.Helper()
	const shortest, longest = 5, 31_536_000
	if seconds, isNumber := value.(float64); !isNumber || seconds < shortest || seconds >= longest || seconds != math.Trunc(seconds) {
		t.Errorf("expires_in is %v", value)
	}
}

func wantPushedResponse(t *testing.T, answer fapitest.Answer) {
	t.Helper()
	members := wantJSONAnswer(t, answer, http.StatusCreated)
	wantMembers(t, members, "request_uri", "expires_in")
	wantLifetime(t, members["expires_in"])
	requestURI, _ := members["request_uri"].(string)
	if parsed, err := url.Parse(requestURI); err != nil || !parsed.IsAbs() {
		t.Errorf("request_uri is %q", requestURI)
	}
}

// visible is what tokens are made of (RFC 6749, A.12, A.17).
var visible = regexp.MustCompile(`^[ -~]+$`)

func wantTokenResponse(t *testing.T, answer fapitest.Answer, tokenType string, more ...string) map[string]any {
	t.Helper()
	members := wantJSONAnswer(t, answer, http.StatusOK)
	for _, member := range more {
		if members[member] == nil {
			t.Errorf("the token response lacks %s", member)
		}
	}
	wantMembers(t, members, append(more, "access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token")...)
	wantLifetime(t, members["expires_in"])
	if stated, _ := members["token_type"].(string); !strings.EqualFold(stated, tokenType) || stated != "DPoP" && stated != "Bearer" {
		t.Errorf("token_type is %q", stated)
	}
	for _, member := range []string{"access_token", "refresh_token"} {
		if token, _ := members[member].(string); members[member] != nil && !visible.MatchString(token) {
			t.Errorf("%s has characters that no token has", member)
		}
	}
	return members
}

func wantMembers(t *testing.T, members map[string]any, known ...string) {
	t.Helper()
	for member := range maps.Keys(members) {
		if !slices.Contains(known, member) {
			t.Errorf("the answer has the member %s", member)
		}
	}
}
