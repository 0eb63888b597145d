package dpop

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

const tokenEndpoint = "https://as.example/token"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// usedValues is a store.SingleUse in memory.
type usedValues struct {
	mutex sync.Mutex
	used  map[string]time.Time
	fault error
}

func (u *usedValues) UseOnce(_ context.Context, space store.Space, value oauth.Digest, expiresAt time.Time) (bool, error) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.fault != nil {
		return false, u.fault
	}
	key := string(space) + string(value[:])
	if _, replay := u.used[key]; replay {
		return false, nil
	}
	if u.used == nil {
		u.used = map[string]time.Time{}
	}
	u.used[key] = expiresAt
	return true, nil
}

func newKey(t testing.TB, algorithm jose.SignatureAlgorithm) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func claimsNow(id string) map[string]any {
	return map[string]any{"jti": id, "htm": "POST", "htu": tokenEndpoint, "iat": noon.Unix()}
}

func signProof(t testing.TB, key *jose.SigningKey, typ string, claims map[string]any) string {
	t.Helper()
	proof, err := key.SignWithEmbeddedKey(typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func newVerifier() (*Verifier, *usedValues) {
	replay := &usedValues{}
	return &Verifier{Replay: replay, Now: func() time.Time { return noon }}, replay
}

func verify(v *Verifier, proofs ...string) (Proof, *oauth.Error) {
	return v.Verify(context.Background(), proofs, "POST", []string{tokenEndpoint, "https://mtls.as.example/token"}, "", "")
}

func requireRule(t *testing.T, refusal *oauth.Error, rule oauth.RuleID) {
	t.Helper()
	if refusal == nil || refusal.Rule != rule || refusal.Code != oauth.InvalidDPoPProof {
		t.Errorf("refused with %v, want invalid_dpop_proof (%s)", refusal, rule)
	}
}

func TestProofProvesItsKey(t *testing.T) {
	t.Parallel()
	for _, algorithm := range jose.SignatureAlgorithms() {
		verifier, _ := newVerifier()
		key := newKey(t, algorithm)
		proof, refusal := verify(verifier, signProof(t, key, oauth.TypeDPoP, claimsNow("1")))
		if refusal != nil || proof.JKT != key.Public().Thumbprint() {
			t.Errorf("%s: %v, %v", algorithm, proof, refusal)
		}
	}
}

func TestProofIsRefused(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	good := signProof(t, key, oauth.TypeDPoP, claimsNow("1"))
	withoutJWK, err := key.Sign(oauth.TypeDPoP, claimsNow("1"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	other := strings.Split(signProof(t, key, oauth.TypeDPoP, claimsNow("2")), ".")
	edited := func(name string, value any) string {
		claims := claimsNow("1")
		claims[name] = value
		return signProof(t, key, oauth.TypeDPoP, claims)
	}
	header := func(json string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(json)) + "." + parts[1] + "." + parts[2]
	}
	cases := []struct {
		name   string
		proofs []string
		rule   oauth.RuleID
	}{
		{"two headers", []string{good, good}, "RFC9449-4.3-1"},
		{"no header", nil, "RFC9449-4.3-1"},
		{"empty", []string{""}, "RFC9449-4.3-2"},
		{"two proofs in one header", []string{good + ", " + good}, "RFC9449-4.3-2"},
		{"two-part JWT", []string{parts[0] + "." + parts[1]}, "RFC9449-4.3-2"},
		{"longer than is read", []string{good + strings.Repeat("A", fapi.MaxDPoPProofLength)}, "RFC9449-4.3-2"},
		{"jti is a number", []string{edited("jti", 7)}, "RFC9449-4.3-2"},
		{"private key", []string{header(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}}`)}, "RFC9449-4.3-7"},
		{"alg none", []string{header(`{"typ":"dpop+jwt","alg":"none"}`)}, "RFC9449-4.3-5"},
		{"alg RS256", []string{header(`{"typ":"dpop+jwt","alg":"RS256"}`)}, "RFC9449-4.3-5"},
		{"alg HS256", []string{header(`{"typ":"dpop+jwt","alg":"HS256"}`)}, "RFC9449-4.3-5"},
		{"alg missing", []string{header(`{"typ":"dpop+jwt"}`)}, "RFC9449-4.3-5"},
		{"typ missing", []string{signProof(t, key, "", claimsNow("1"))}, "RFC9449-4.3-4"},
		{"typ JWT", []string{signProof(t, key, "JWT", claimsNow("1"))}, "RFC9449-4.3-4"},
		{"jwk missing", []string{withoutJWK}, "RFC9449-4.2"},
		{"bad signature", []string{parts[0] + "." + parts[1] + "." + other[2]}, "RFC9449-4.3-6"},
		{"htm PUT", []string{edited("htm", "PUT")}, "RFC9449-4.3-8"},
		{"htu other", []string{edited("htu", "https://as.example/par")}, "RFC9449-4.3-9"},
		{"iat 1 hour ago", []string{edited("iat", noon.Add(-time.Hour).Unix())}, "RFC9449-4.3-11"},
		{"iat 1 hour ahead", []string{edited("iat", noon.Add(time.Hour).Unix())}, "RFC9449-4.3-11"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			verifier, replay := newVerifier()
			_, refusal := verify(verifier, c.proofs...)
			requireRule(t, refusal, c.rule)
			if len(replay.used) > 0 {
				t.Error("a refused proof uses up no jti")
			}
		})
	}
}

func TestProofIsUsedOnce(t *testing.T) {
	t.Parallel()
	verifier, replay := newVerifier()
	key, otherKey := newKey(t, jose.ES256), newKey(t, jose.ES256)
	first := signProof(t, key, oauth.TypeDPoP, claimsNow("same"))
	if _, refusal := verify(verifier, first); refusal != nil {
		t.Fatal(refusal)
	}
	_, refusal := verify(verifier, first)
	requireRule(t, refusal, "RFC9449-11.1")
	_, refusal = verify(verifier, signProof(t, key, oauth.TypeDPoP, claimsNow("same")))
	requireRule(t, refusal, "RFC9449-11.1")
	if _, refusal := verify(verifier, signProof(t, otherKey, oauth.TypeDPoP, claimsNow("same"))); refusal != nil {
		t.Errorf("another key has its own jti values: %v", refusal)
	}
	for _, forgetAt := range replay.used {
		if !forgetAt.After(noon.Add(fapi.DPoPProofWindow)) {
			t.Errorf("forgotten at %s, while the proof is still young enough", forgetAt)
		}
	}
}

func TestOnlyOneOfManyConcurrentProofsPasses(t *testing.T) {
	t.Parallel()
	verifier, _ := newVerifier()
	proof := signProof(t, newKey(t, jose.ES256), oauth.TypeDPoP, claimsNow("1"))
	var passed sync.Map
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			if _, refusal := verify(verifier, proof); refusal == nil {
				passed.Store(i, true)
			}
		})
	}
	group.Wait()
	count := 0
	passed.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("%d of 16 passed, want 1", count)
	}
}

func TestProofNamesTheAccessToken(t *testing.T) {
	t.Parallel()
	verifier, _ := newVerifier()
	key := newKey(t, jose.ES256)
	digest := sha256.Sum256([]byte("the.access.token"))
	claims := claimsNow("1")
	claims["ath"] = base64.RawURLEncoding.EncodeToString(digest[:])
	present := func(proof, accessToken string) *oauth.Error {
		_, refusal := verifier.Verify(context.Background(), []string{proof}, "POST", []string{tokenEndpoint}, accessToken, "")
		return refusal
	}
	requireRule(t, present(signProof(t, key, oauth.TypeDPoP, claims), "another.access.token"), "RFC9449-4.3-12")
	requireRule(t, present(signProof(t, key, oauth.TypeDPoP, claimsNow("1")), "the.access.token"), "RFC9449-4.3-12")
	if refusal := present(signProof(t, key, oauth.TypeDPoP, claims), "the.access.token"); refusal != nil {
		t.Error(refusal)
	}
}

// Whoever has an access token and not its key makes the store keep nothing.
func TestAProofByAnotherKeyIsNotRemembered(t *testing.T) {
	t.Parallel()
	verifier, replay := newVerifier()
	thief, holder := newKey(t, jose.ES256), newKey(t, jose.ES256)
	digest := sha256.Sum256([]byte("the.access.token"))
	claims := claimsNow("1")
	claims["ath"] = base64.RawURLEncoding.EncodeToString(digest[:])
	present := func(key *jose.SigningKey) (Proof, *oauth.Error) {
		return verifier.Verify(t.Context(), []string{signProof(t, key, oauth.TypeDPoP, claims)}, "POST", []string{tokenEndpoint},
			"the.access.token", holder.Public().Thumbprint())
	}
	for range 3 {
		if proof, refusal := present(thief); refusal != nil || proof.JKT != thief.Public().Thumbprint() || len(replay.used) != 0 {
			t.Fatalf("%v, %v: %d proofs are remembered", proof, refusal, len(replay.used))
		}
	}
	if proof, refusal := present(holder); refusal != nil || proof.JKT != holder.Public().Thumbprint() || len(replay.used) != 1 {
		t.Errorf("%v, %v: %d proofs are remembered", proof, refusal, len(replay.used))
	}
	_, refusal := present(holder)
	requireRule(t, refusal, "RFC9449-11.1")
}

func TestStoreThatFailsLetsNoProofPass(t *testing.T) {
	t.Parallel()
	verifier, replay := newVerifier()
	replay.fault = errors.New("the disk is full")
	_, refusal := verify(verifier, signProof(t, newKey(t, jose.ES256), oauth.TypeDPoP, claimsNow("1")))
	if refusal == nil || refusal.Code != oauth.ServerError || refusal.Description != "" || !errors.Is(refusal, replay.fault) {
		t.Errorf("got %v, want server_error that says nothing", refusal)
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f, jose.ES256)
	good := signProof(f, key, oauth.TypeDPoP, claimsNow("1"))
	for _, seed := range []string{good, "", "a.b.c", good[:len(good)/2], strings.ToUpper(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, proof string) {
		verifier, _ := newVerifier()
		accepted, refusal := verify(verifier, proof)
		if refusal != nil && (refusal.Code != oauth.InvalidDPoPProof || accepted.JKT != "") {
			t.Errorf("%q: %v, %v", proof, accepted, refusal)
		}
		if _, again := verify(verifier, proof); again == nil || (refusal == nil && accepted.JKT == "") {
			t.Errorf("%q: %v, and then %v", proof, accepted, again)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key := newKey(b, jose.ES256)
	proof := signProof(b, key, oauth.TypeDPoP, claimsNow("1"))
	for b.Loop() {
		verifier, _ := newVerifier()
		if _, refusal := verify(verifier, proof); refusal != nil {
			b.Fatal(refusal)
		}
	}
}
