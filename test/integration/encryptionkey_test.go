package integration

import (
	"net/http"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// encryptedSpec has responses encrypted with two algorithms.
func encryptedSpec(t *testing.T) string {
	t.Helper()
	return merge(t, rotatingSpec(t), `
idToken: {encryptedResponseAlg: ECDH-ES}
authorizationResponse: {encryptedResponseAlg: RSA-OAEP-256}
userinfo: {encryptedResponseAlg: ECDH-ES}`)
}

// encrypts makes a response for each algorithm as the server does: to the first
// key of the registration that fits.
func encrypts(t *testing.T, w *workshop) []string {
	t.Helper()
	set, err := jose.ParseKeySet(w.stored(t).Metadata.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	var responses []string
	for _, alg := range []jose.KeyManagementAlgorithm{jose.ECDHES, jose.RSAOAEP256} {
		fitting := slices.DeleteFunc(set.Keys(), func(key jose.PublicKey) bool { return !key.CanEncrypt(alg) })
		if len(fitting) != 1 {
			t.Fatalf("%d keys are registered for %s, want 1", len(fitting), alg)
		}
		response, err := jose.Encrypt([]byte("a response"), "", fitting[0], alg, jose.A256GCM)
		if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, response)
	}
	return responses
}

func requireDecrypts(t *testing.T, what string, secret *corev1.Secret, responses []string) {
	t.Helper()
	for _, response := range responses {
		if _, err := jose.Decrypt(response, decryptionKeys(t, secret), jose.KeyManagementAlgorithms(), jose.ContentEncryptions()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whatever the server encrypts, an application reads it with the Secret as it was
// an overlap before, and as it is an overlap later: it need not be quick.
func TestEncryptedResponsesAreReadThroughARotation(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", encryptedSpec(t))
	w.walk(t, "planner")
	first := w.keysHeld(t)
	if len(first.decryption) != 2 {
		t.Fatalf("the Secret has decryption keys %q, want one for each algorithm", first.decryption)
	}
	w.advance(keyPeriod - 2*keyOverlap)

	const step = 4 * time.Hour
	const lag = int(keyOverlap / step)
	var secrets []*corev1.Secret
	var responses [][]string
	for range int(6 * keyOverlap / step) {
		w.walk(t, "planner")
		secrets, responses = append(secrets, w.find(t, "planner-keys")), append(responses, encrypts(t, w))
		w.advance(step)
	}
	for i := range responses {
		for _, at := range []int{i - lag, i, i + lag - 1} {
			if at >= 0 && at < len(secrets) {
				requireDecrypts(t, "step "+time.Duration(i*int(step)).String()+" with the Secret of "+time.Duration(at*int(step)).String(), secrets[at], responses[i])
			}
		}
	}
	last := w.keysHeld(t)
	if len(last.decryption) != 2 || slices.ContainsFunc(last.decryption, func(kid string) bool { return slices.Contains(first.decryption, kid) }) {
		t.Errorf("the Secret has decryption keys %q after the rotation, had %q", last.decryption, first.decryption)
	}
	requireKeys(t, "encrypted to", last.encryption, last.decryption...)
}

// The operator wakes for each change of an encryption key.
func TestEncryptionKeysChangeWithoutPolling(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.resync = 10 * keyPeriod
	w.reconciler.Resync = w.resync
	w.create(t, "planner", encryptedSpec(t))
	for _, want := range []time.Duration{keyPeriod, keyOverlap, keyOverlap, keyPeriod - 2*keyOverlap} {
		if next := w.walk(t, "planner"); next != want {
			t.Errorf("the next walk is in %v, want %v", next, want)
		}
		w.advance(want)
	}
}

// The server encrypts as soon as it is told so: the application has the key by then.
func TestSpecThatComesToEncryptFindsItsKeyInTheSecret(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	before := w.keysHeld(t)
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) {
		a.Spec.IDToken = &v1alpha1.SignedResponse{EncryptedResponseAlg: "RSA-OAEP-256"}
	})
	var shown []string
	w.server.faults.set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut {
			shown = w.keysHeld(t).decryption
		}
		next.ServeHTTP(rw, r)
	})
	w.walk(t, "planner")
	held := w.keysHeld(t)
	requireKeys(t, "shown when it was registered", shown, held.encryption...)
	if len(held.encryption) != 1 || held.shown != before.shown {
		t.Errorf("keys were %+v and are %+v", before, held)
	}
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.IDToken = nil })
	w.walk(t, "planner")
	requireKeys(t, "kept for what is under way", w.keysHeld(t).decryption, held.decryption...)
	w.advance(keyOverlap)
	w.walk(t, "planner")
	if secret := w.find(t, "planner-keys"); secret.Data[v1alpha1.DecryptionJWKSEntry] != nil {
		t.Error("the Secret still has a key that nothing is encrypted to")
	}
}

// Whoever has one key of the Secret has them all.
func TestRevocationReplacesEncryptionKeysAtOnce(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", encryptedSpec(t))
	w.walk(t, "planner")
	for _, choose := range []func(keysHeld) string{
		func(held keysHeld) string { return held.shown },
		func(held keysHeld) string { return held.encryption[0] },
	} {
		before, record := w.keysHeld(t), w.stored(t)
		w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, choose(before))
		w.walk(t, "planner")
		after := w.keysHeld(t)
		requireRevoked(t, record, w.stored(t), choose(before))
		if after.shown == before.shown {
			t.Error("the signing key stayed")
		}
		for _, kid := range after.encryption {
			if slices.Contains(before.encryption, kid) || !slices.Contains(after.decryption, kid) {
				t.Errorf("the server encrypts to key %s, which it did before or the Secret does not have", kid)
			}
		}
		requireDecrypts(t, "after the revocation", w.find(t, "planner-keys"), encrypts(t, w))
		w.advance(time.Minute)
	}
}
