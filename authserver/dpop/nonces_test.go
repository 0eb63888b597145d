package dpop

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

var (
	oldSecret = bytes.Repeat([]byte{1}, 32)
	newSecret = bytes.Repeat([]byte{2}, 32)
)

// noncesAt are the nonces of a replica whose clock stands still.
func noncesAt(at time.Time, secrets ...[]byte) *Nonces {
	return &Nonces{Keys: secrets, Lifetime: 5 * time.Minute, Now: func() time.Time { return at }}
}

func TestNonceIsGoodForItsLifetimeAndAtMostTwice(t *testing.T) {
	t.Parallel()
	for _, minted := range []time.Duration{0, time.Second, 4*time.Minute + 59*time.Second} {
		nonce := noncesAt(noon.Add(minted), oldSecret).Fresh()
		for later, want := range map[time.Duration]bool{
			0: true, time.Minute: true, 5 * time.Minute: true, 10 * time.Minute: false, time.Hour: false,
			-fapi.FutureSkew: true, -6 * time.Minute: false,
		} {
			if got := noncesAt(noon.Add(minted+later), oldSecret).accepts(nonce); got != want {
				t.Errorf("minted %s after noon, shown %s later: accepted is %t", minted, later, got)
			}
		}
	}
}

func TestNonceIsWrittenInNQCHAR(t *testing.T) {
	t.Parallel()
	// RFC 6749, A: NQCHAR; here the URL-safe alphabet alone.
	written := regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
	seen := map[string]bool{}
	for i := range 1000 {
		nonce := noncesAt(noon.Add(time.Duration(i)*5*time.Minute), oldSecret).Fresh()
		if !written.MatchString(nonce) || seen[nonce] {
			t.Fatalf("%q is not a nonce, or is an old one", nonce)
		}
		seen[nonce] = true
	}
}

func TestNonceOfAnotherSecretIsRefused(t *testing.T) {
	t.Parallel()
	here := noncesAt(noon, oldSecret)
	good := here.Fresh()
	for name, nonce := range map[string]string{
		"another installation's": noncesAt(noon, newSecret).Fresh(), "empty": "", "shorter": good[:21], "longer": good + "A",
		"changed": "A" + good[1:21] + "B", "in upper case": string(bytes.ToUpper([]byte(good))),
	} {
		if here.accepts(nonce) {
			t.Errorf("%s: %q is accepted beside %q", name, nonce, good)
		}
	}
}

// Each step of a rotation, on every pair of replicas that may stand side by side.
func TestNonceSecretsRotate(t *testing.T) {
	t.Parallel()
	steps := [][][]byte{{oldSecret}, {oldSecret, newSecret}, {newSecret, oldSecret}, {newSecret}}
	for i := range len(steps) - 1 {
		before, after := noncesAt(noon, steps[i]...), noncesAt(noon, steps[i+1]...)
		if !before.accepts(after.Fresh()) || !after.accepts(before.Fresh()) {
			t.Errorf("step %d: replicas do not accept each other's nonces", i)
		}
	}
	if noncesAt(noon, newSecret).accepts(noncesAt(noon, oldSecret).Fresh()) {
		t.Error("a nonce of the secret that is gone is accepted")
	}
}

func TestProofMustHaveANonceInForce(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	nonces := noncesAt(noon, oldSecret)
	attempt := func(nonce any) (*oauth.Error, *usedValues) {
		verifier, replay := newVerifier()
		verifier.Nonces = nonces
		claims := claimsNow("1")
		if nonce != nil {
			claims["nonce"] = nonce
		}
		_, refusal := verify(verifier, signProof(t, key, oauth.TypeDPoP, claims))
		return refusal, replay
	}
	for name, nonce := range map[string]any{
		"none": nil, "empty": "", "forged": "AAAAAAAAAAAAAAAAAAAAAA", "stale": noncesAt(noon.Add(-time.Hour), oldSecret).Fresh(),
	} {
		refusal, replay := attempt(nonce)
		if refusal == nil || refusal.Code != oauth.UseDPoPNonce || refusal.Rule != "RFC9449-4.3-10" {
			t.Errorf("%s: refused with %v, want use_dpop_nonce", name, refusal)
		}
		if len(replay.used) > 0 {
			t.Errorf("%s: the proof is used up", name)
		}
	}
	refusal, _ := attempt(7)
	requireRule(t, refusal, "RFC9449-4.3-2")
	if refusal, _ := attempt(nonces.Fresh()); refusal != nil {
		t.Error(refusal)
	}
}

// A nonce is for all; what is used once is a proof.
func TestOneNonceServesManyProofs(t *testing.T) {
	t.Parallel()
	verifier, _ := newVerifier()
	verifier.Nonces = noncesAt(noon, oldSecret)
	for _, id := range []string{"1", "2"} {
		claims := claimsNow(id)
		claims["nonce"] = verifier.Nonces.Fresh()
		proof := signProof(t, newKey(t, jose.ES256), oauth.TypeDPoP, claims)
		if _, refusal := verify(verifier, proof); refusal != nil {
			t.Error(refusal)
		}
		_, refusal := verify(verifier, proof)
		requireRule(t, refusal, "RFC9449-11.1")
	}
}

// A nonce in force says when a proof was made, whatever the client's clock says
// (RFC 9449, 4.3-11): at a resource, and there it is remembered for as long as the
// nonce is good. The authorization server judges iat as well.
func TestNonceStandsForTheTimeAtAResource(t *testing.T) {
	t.Parallel()
	const accessToken = "an access token"
	nonces := noncesAt(noon, oldSecret)
	for _, made := range []time.Time{noon.Add(-time.Hour), noon.Add(time.Hour)} {
		verifier, replay := newVerifier()
		verifier.Nonces = nonces
		claims := claimsNow("1")
		claims["nonce"], claims["iat"] = nonces.Fresh(), made.Unix()
		_, refusal := verify(verifier, signProof(t, newKey(t, jose.ES256), oauth.TypeDPoP, claims))
		requireRule(t, refusal, "RFC9449-4.3-11")
		hash := sha256.Sum256([]byte(accessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
		proof := signProof(t, newKey(t, jose.ES256), oauth.TypeDPoP, claims)
		for _, rule := range []oauth.RuleID{"", "RFC9449-11.1"} {
			_, refusal := verifier.Verify(t.Context(), []string{proof}, "POST", []string{tokenEndpoint}, accessToken, "")
			if rule == "" && refusal != nil {
				t.Errorf("iat at %s: %v", made, refusal)
			} else if rule != "" {
				requireRule(t, refusal, rule)
			}
		}
		for _, forgotten := range replay.used {
			if forgotten.Before(noon.Add(2 * nonces.Lifetime)) {
				t.Errorf("a proof is forgotten at %s, while its nonce is good", forgotten)
			}
		}
	}
}

func TestANonceThatNobodyAskedForIsIgnored(t *testing.T) {
	t.Parallel()
	verifier, _ := newVerifier()
	claims := claimsNow("1")
	claims["nonce"] = "of another server"
	if _, refusal := verify(verifier, signProof(t, newKey(t, jose.ES256), oauth.TypeDPoP, claims)); refusal != nil {
		t.Error(refusal)
	}
}
