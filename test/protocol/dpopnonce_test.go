package protocol

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// noncesRequired is the setting that demands a nonce of every DPoP proof.
const noncesRequired = `dpop: {nonces: "required"}`

// A client of any profile that picks up nonces gets through the whole flow.
func TestHappyFlowWithNonces(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t, noncesRequired)
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

// callers call each endpoint that takes a DPoP proof.
func callers(t *testing.T, tokens fapitest.TokenResponse) map[string]func(*fapitest.Client) error {
	t.Helper()
	return map[string]func(*fapitest.Client) error{
		fapitest.StepPush: func(client *fapitest.Client) error {
			_, err := client.Push(t.Context(), client.NewAuthorization())
			return err
		},
		fapitest.StepToken: func(client *fapitest.Client) error {
			_, err := client.ClientCredentials(t.Context(), "accounts")
			return err
		},
		fapitest.StepUserinfo: func(client *fapitest.Client) error {
			_, err := client.UserInfo(t.Context(), tokens.AccessToken)
			return err
		},
		fapitest.StepRevoke: func(client *fapitest.Client) error {
			return client.Revoke(t.Context(), "no-token-at-all")
		},
	}
}

// wantNonceDemand demands RFC 9449, 8 of an endpoint of the authorization server,
// and RFC 9449, 9 of the resource. It gives the nonce that is provided.
func wantNonceDemand(t *testing.T, err error) string {
	t.Helper()
	statuses := badRequest
	refusal, _ := errors.AsType[*fapitest.ErrorResponse](err)
	if refusal != nil && refusal.Step == fapitest.StepUserinfo {
		statuses = []int{http.StatusUnauthorized}
		challenges := refusal.Header.Values("WWW-Authenticate")
		if len(challenges) != 1 || !strings.HasPrefix(challenges[0], `DPoP error="use_dpop_nonce"`) {
			t.Errorf("the resource challenges with %q", challenges)
		}
	}
	demand := wantRefusal(t, err, statuses, oauth.UseDPoPNonce)
	if demand.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: the nonce may be cached", demand.Step)
	}
	return wantOneNonce(t, demand.Header)
}

func wantOneNonce(t *testing.T, header http.Header) string {
	t.Helper()
	provided := header.Values("DPoP-Nonce")
	if len(provided) != 1 || provided[0] == "" {
		t.Fatalf("want one DPoP-Nonce, got %q", provided)
	}
	return provided[0]
}

// TestNonceDemanded: every endpoint refuses a proof without a nonce in force, and
// provides the one that it accepts.
func TestNonceDemanded(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t, noncesRequired)
	client := server.Register(t, "dpop-client", keyAndDPoP).Client
	stale := nonceOf(t, client)
	server.Clock.Advance(11 * time.Minute)
	tokens := flow(t, server, client)
	other := fapitest.Prepare(t, noncesRequired)
	other.ForgetSeed(t)
	other.Start(t)
	t.Cleanup(other.Stop)
	foreign := nonceOf(t, other.Register(t, "dpop-client", keyAndDPoP).Client)
	for step, call := range callers(t, tokens) {
		for name, change := range map[string]func(fapitest.Claims){
			"no-nonce":                      nil,
			"empty":                         claim("nonce", ""),
			"forged":                        claim("nonce", strings.Repeat("A", 22)),
			"stale":                         claim("nonce", stale),
			"nonce-of-another-installation": claim("nonce", foreign),
		} {
			t.Run(step+"/"+name, func(t *testing.T) {
				provided := wantNonceDemand(t, call(client.With(fapitest.Misbehave{Proof: change, NoSecondAttempt: true})))
				if provided == stale || provided == foreign {
					t.Errorf("the nonce that is refused is provided again: %s", provided)
				}
				again := client.With(fapitest.Misbehave{Proof: claim("nonce", provided), NoSecondAttempt: true})
				if err := call(again); err != nil {
					t.Errorf("the provided nonce is refused: %v", err)
				}
			})
		}
		t.Run(step+"/not-a-text", func(t *testing.T) {
			err := call(client.With(fapitest.Misbehave{Proof: claim("nonce", 7)}))
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidDPoPProof)
		})
	}
}

// nonceOf asks for a nonce at the token endpoint.
func nonceOf(t *testing.T, client *fapitest.Client) string {
	t.Helper()
	_, err := client.With(fapitest.Misbehave{NoSecondAttempt: true}).ClientCredentials(t.Context(), "accounts")
	return wantNonceDemand(t, err)
}

// TestNonceDemandUsesNothingUp: code, refresh token and proof are good for the
// second attempt; an assertion was used, and the client makes another one.
func TestNonceDemandUsesNothingUp(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t, noncesRequired)
	client := server.Register(t, "dpop-client", keyAndDPoP).Client
	unaware := fapitest.Misbehave{NoSecondAttempt: true}
	authorization, issued := code(t, server, client)
	for range 3 {
		_, err := client.With(unaware).Redeem(t.Context(), authorization, issued)
		wantNonceDemand(t, err)
	}
	tokens, err := client.Redeem(t.Context(), authorization, issued)
	if err != nil {
		t.Fatalf("the code is gone: %v", err)
	}
	_, err = client.With(unaware).Refresh(t.Context(), tokens.RefreshToken, "")
	wantNonceDemand(t, err)
	if _, err := client.Refresh(t.Context(), tokens.RefreshToken, ""); err != nil {
		t.Errorf("the refresh token is gone: %v", err)
	}
	sameID := client.With(fapitest.Misbehave{Proof: claim("jti", "the-same")})
	wantUserInfo(t, sameID, tokens.AccessToken)
	_, err = client.With(fapitest.Misbehave{Proof: claim("jti", "the-same")}).UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidDPoPProof)
	_, err = client.With(fapitest.Misbehave{Assertion: claim("jti", "the-same")}).ClientCredentials(t.Context(), "accounts")
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidClient)
}

// TestNonceComesWithEveryAnswer: a client that keeps up is asked once, and never
// again, however far the clock moves between two requests.
func TestNonceComesWithEveryAnswer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t, noncesRequired)
	client := server.Register(t, "dpop-client", keyAndDPoP).Client
	var requests atomic.Int32
	counting := client.With(fapitest.Misbehave{Header: func(http.Header) { requests.Add(1) }})
	if _, err := counting.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	requests.Store(0)
	const calls = 20
	seen := map[string]bool{}
	for range calls {
		tokens, err := counting.ClientCredentials(t.Context(), "accounts")
		if err != nil {
			t.Fatal(err)
		}
		seen[wantOneNonce(t, tokens.Header)] = true
		server.Clock.Advance(4 * time.Minute)
	}
	if got := requests.Load(); got != calls+1 {
		t.Errorf("%d calls took %d requests, want one more", calls, got)
	}
	if len(seen) < calls/2 {
		t.Errorf("%d nonces in %d windows", len(seen), calls)
	}
	t.Run("refusal", func(t *testing.T) {
		_, err := client.With(fapitest.Misbehave{}).Refresh(t.Context(), "no-token", "")
		refusal := wantRefusal(t, err, badRequest, oauth.InvalidGrant)
		wantOneNonce(t, refusal.Header)
	})
	t.Run("without-proof", func(t *testing.T) {
		_, err := client.With(fapitest.Misbehave{Header: func(header http.Header) { header.Del("DPoP") }}).ClientCredentials(t.Context(), "accounts")
		refusal := wantRefusal(t, err, badRequest, oauth.InvalidDPoPProof)
		if provided := refusal.Header.Values("DPoP-Nonce"); len(provided) != 0 {
			t.Errorf("a nonce for no proof: %q", provided)
		}
	})
}

// TestNonceIsForBrowsersToo: a browser's client may read the nonce (RFC 9449, 8).
func TestNonceIsForBrowsersToo(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example"
	server := fapitest.StartServer(t, noncesRequired)
	profile := keyAndDPoP
	profile.Change = func(metadata *registration.Metadata) { metadata.AllowedOrigins = []string{origin} }
	client := server.Register(t, "browser-client", profile).Client
	inBrowser := fapitest.Misbehave{Header: func(header http.Header) { header.Set("Origin", origin) }, NoSecondAttempt: true}
	_, err := client.With(inBrowser).ClientCredentials(t.Context(), "accounts")
	wantNonceDemand(t, err)
	refusal, _ := errors.AsType[*fapitest.ErrorResponse](err)
	if refusal.Header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(refusal.Header.Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
		t.Errorf("a browser cannot read the nonce: %v", refusal.Header)
	}
}

// TestNoncesOff: nobody is given a nonce, and one that comes is not judged.
func TestNoncesOff(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "dpop-client", keyAndDPoP).Client
	tokens, err := client.With(fapitest.Misbehave{Proof: claim("nonce", "of another server")}).ClientCredentials(t.Context(), "accounts")
	if err != nil {
		t.Fatal(err)
	}
	if provided := tokens.Header.Values("DPoP-Nonce"); len(provided) != 0 {
		t.Errorf("a nonce that nobody demands: %q", provided)
	}
}

// TestNonceIsGoodAtEveryReplica: what one replica provides, another accepts that
// has the same key-encryption key and nothing else in common.
func TestNonceIsGoodAtEveryReplica(t *testing.T) {
	t.Parallel()
	one := fapitest.StartServer(t, noncesRequired)
	other := fapitest.Prepare(t, noncesRequired)
	other.ForgetSeed(t)
	copyFile(t, one.KeyEncryptionKeyFile, other.KeyEncryptionKeyFile)
	other.Start(t)
	t.Cleanup(other.Stop)
	provided := nonceOf(t, one.Register(t, "dpop-client", keyAndDPoP).Client)
	wantNonceAccepted(t, other.Register(t, "dpop-client", keyAndDPoP).Client, provided)
}

// TestNonceOutlivesTheKeyEncryptionKey: a new key is put in front of the old, and
// what clients have in hand stays good.
func TestNonceOutlivesTheKeyEncryptionKey(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t, noncesRequired)
	client := server.Register(t, "dpop-client", keyAndDPoP).Client
	before := nonceOf(t, client)
	server.Stop()
	old, err := os.ReadFile(server.KeyEncryptionKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(server.KeyEncryptionKeyFile, []byte(keys.GenerateKeyEncryptionKey()+"\n"+string(old)), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	t.Cleanup(server.Stop)
	wantNonceAccepted(t, client, before)
	after := nonceOf(t, client)
	if after == before {
		t.Error("the new key makes no nonces")
	}
	wantNonceAccepted(t, client, after)
}

func wantNonceAccepted(t *testing.T, client *fapitest.Client, nonce string) {
	t.Helper()
	presenting := client.With(fapitest.Misbehave{Proof: claim("nonce", nonce), NoSecondAttempt: true})
	if _, err := presenting.ClientCredentials(t.Context(), "accounts"); err != nil {
		t.Errorf("a nonce in force is refused: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
