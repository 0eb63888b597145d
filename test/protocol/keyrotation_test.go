package protocol

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// relyingParty keeps the server's key set for as long as the server lets it, and
// fetches it for no other reason: a key that it does not know is a key it has missed.
type relyingParty struct {
	server *fapitest.Server
	client *fapitest.Client
	keys   *jose.KeySet
	until  time.Time
}

var maxAge = regexp.MustCompile(`max-age=(\d+)`)

func (p *relyingParty) keySet(t *testing.T) *jose.KeySet {
	t.Helper()
	now := p.server.Clock.Now()
	if now.Before(p.until) {
		return p.keys
	}
	response, body := get(t, p.client, p.server.Issuer+"/jwks")
	stated := maxAge.FindStringSubmatch(response.Header.Get("Cache-Control"))
	if stated == nil {
		t.Fatalf("the key set states no age: %v", response.Header)
	}
	seconds, err := strconv.Atoi(stated[1])
	if err != nil {
		t.Fatal(err)
	}
	if p.keys, err = jose.ParseKeySet(body); err != nil {
		t.Fatal(err)
	}
	p.until = now.Add(time.Duration(seconds) * time.Second)
	return p.keys
}

// wantVerified verifies a JWT of the server with the keys at hand.
func (p *relyingParty) wantVerified(t *testing.T, compact string) (kid string) {
	t.Helper()
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unverified.Verify(p.keySet(t)); err != nil {
		t.Fatalf("a relying party misses key %s: %v", unverified.KeyID(), err)
	}
	return unverified.KeyID()
}

// wantUnambiguous demands that a kid names one key (FAPI 2.0 Security Profile,
// 5.4.2-3), and that there is no choice between encryption keys.
func wantUnambiguous(t *testing.T, set *jose.KeySet) {
	t.Helper()
	kids, encryption := map[string]bool{}, map[string]int{}
	for _, key := range set.Keys() {
		if kids[key.KeyID()] || key.KeyID() == "" {
			t.Errorf("two keys have the kid %q", key.KeyID())
		}
		kids[key.KeyID()] = true
		if key.Use() == "enc" {
			encryption[key.Algorithm()]++
		}
	}
	for _, algorithm := range jose.KeyManagementAlgorithms() {
		if encryption[string(algorithm)] != 1 {
			t.Errorf("%d keys are for %s, want 1", encryption[string(algorithm)], algorithm)
		}
	}
}

const month = 30 * 24 * time.Hour

// TestRelyingPartyNeverMissesAKey: over a year of rotations, at every moment
// around a change, with a key set as old as it may be.
func TestRelyingPartyNeverMissesAKey(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	party := &relyingParty{server: server, client: client}
	signers := map[string]bool{}
	made := server.Clock.Now()
	for range 12 {
		// A new key is made a month after the last, takes over an hour later, and the
		// key of before leaves the set a day and an hour after that.
		var earlier string
		for _, moment := range []time.Duration{
			month - time.Minute, month, month + 3*time.Minute, month + 59*time.Minute, month + 61*time.Minute, month + 63*time.Minute,
			month + 26*time.Hour - time.Minute, month + 26*time.Hour + time.Minute,
		} {
			server.Clock.Advance(made.Add(moment).Sub(server.Clock.Now()))
			server.TurnKeys(t)
			tokens, err := client.ClientCredentials(t.Context(), "accounts")
			if err != nil {
				t.Fatal(err)
			}
			signers[party.wantVerified(t, tokens.AccessToken)] = true
			if earlier != "" {
				party.wantVerified(t, earlier)
			}
			earlier = tokens.AccessToken
			wantUnambiguous(t, party.keySet(t))
		}
		tokens := flow(t, server, client)
		party.wantVerified(t, tokens.IDToken)
		made = made.Add(month)
	}
	if len(signers) != 13 {
		t.Errorf("%d keys have signed in a year, want 13", len(signers))
	}
}

// TestTokenOutlivesTheSigner: a token that is signed just before another key
// takes over is good until it expires.
func TestTokenOutlivesTheSigner(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	server.Clock.Advance(month)
	server.TurnKeys(t)
	server.Clock.Advance(59 * time.Minute)
	tokens := flow(t, server, client)
	server.Clock.Advance(4 * time.Minute)
	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	party := &relyingParty{server: server, client: client}
	if party.wantVerified(t, tokens.AccessToken) == party.wantVerified(t, refreshed.AccessToken) {
		t.Fatal("this test shows nothing: no other key has taken over")
	}
	wantUserInfo(t, client, tokens.AccessToken)
	wantUserInfo(t, client, refreshed.AccessToken)
}

// TestRequestObjectOutlivesTheEncryptionKey: what is encrypted to a key that was
// fetched just before another one took over opens for as long as it lives, and so
// does what a client encrypts whose key set is as old as it may be.
func TestRequestObjectOutlivesTheEncryptionKey(t *testing.T) {
	t.Parallel()
	for _, algorithm := range jose.KeyManagementAlgorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			server := fapitest.StartServer(t)
			profile := keyAndDPoP
			profile.Signed = true
			profile.Change = func(m *registration.Metadata) {
				m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc = string(algorithm), string(jose.A256GCM)
			}
			client := server.Register(t, clientIDFor(t), profile)
			server.Clock.Advance(month)
			server.TurnKeys(t)
			server.Clock.Advance(59 * time.Minute)
			before := encryptionKey(t, server, client.Client, algorithm)
			encrypt := encrypted(t, server, client, algorithm, jose.A256GCM)
			hourLong := func(claims fapitest.Claims) { claims["exp"] = claims["nbf"].(int64) + 3600 }
			var kept string
			late := client.With(fapitest.Misbehave{RequestObject: hourLong, SignRequestObject: func(claims fapitest.Claims) (string, error) {
				var err error
				if kept == "" {
					kept, err = encrypt(claims)
				}
				return kept, err
			}})
			push(t, late)
			server.Clock.Advance(4 * time.Minute)
			server.TurnKeys(t)
			if encryptionKey(t, server, client.Client, algorithm).KeyID() == before.KeyID() {
				t.Fatal("this test shows nothing: no other key has taken over")
			}
			push(t, client.With(fapitest.Misbehave{SignRequestObject: encrypt}))
			push(t, client.With(fapitest.Misbehave{SignRequestObject: encrypted(t, server, client, algorithm, jose.A256GCM)}))
			server.Clock.Advance(55 * time.Minute)
			server.TurnKeys(t)
			push(t, late)
			server.Clock.Advance(2 * month)
			server.TurnKeys(t)
			_, err := client.With(fapitest.Misbehave{SignRequestObject: encrypt}).Push(t.Context(), client.NewAuthorization())
			wantRefusal(t, err, badRequest, oauth.InvalidRequestObject)
		})
	}
}

// TestKeysAreMeasured: an administrator sees how old the keys are.
func TestKeysAreMeasured(t *testing.T) {
	t.Parallel()
	server := fapitest.Prepare(t)
	server.ForgetSeed(t)
	server.Start(t)
	t.Cleanup(server.Stop)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	server.Clock.Advance(time.Hour)
	_, metrics := get(t, client, server.HealthURL+"/metrics")
	for _, line := range []string{
		`authserver_server_keys{algorithm="ES256",state="current",use="sig"} 1`,
		`authserver_server_key_age_seconds{algorithm="RSA-OAEP-256",use="enc"} 3600`,
	} {
		if !strings.Contains(string(metrics), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
