package integration

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

const (
	keyPeriod  = 30 * 24 * time.Hour
	keyOverlap = 24 * time.Hour
)

// rotatingSpec is dpopSpec whose key rotates.
func rotatingSpec(t *testing.T) string {
	t.Helper()
	return merge(t, dpopSpec, `keys: {source: Managed, managed: {rotation: {period: 720h, overlap: 24h}}}`)
}

// keysHeld are the identifiers of what the parties have: the Secret, the server, and
// the place where the next key waits.
type keysHeld struct {
	shown      string   // in the Secret's private key; empty: there is none
	jwks       []string // in the Secret's public set
	decryption []string // in the Secret's set of private keys that are for decryption
	registered []string // at the server, for signatures
	encryption []string // at the server, to encrypt to
	revoked    []string // at the server
	staged     string   // empty: none waits
}

func (w *workshop) keysHeld(t *testing.T) keysHeld {
	t.Helper()
	var held keysHeld
	if secret := w.find(t, "planner-keys"); secret != nil {
		held.shown, held.decryption = privateKeyID(t, secret), decryptionKeyIDs(t, secret)
		held.jwks, _ = setKeyIDs(t, secret.Data[v1alpha1.PublicJWKSEntry])
	}
	if secret := w.find(t, "planner-next-key"); secret != nil {
		held.staged = privateKeyID(t, secret)
	}
	if record, err := w.server.client(t, w.namespace+".planner"); err == nil {
		held.registered, held.encryption = setKeyIDs(t, record.Metadata.JWKS)
		held.revoked = record.Metadata.RevokedKeyIDs
	}
	return held
}

func (b *bank) find(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func privateKeyID(t *testing.T, secret *corev1.Secret) string {
	t.Helper()
	key, err := jose.ParsePrivateSigningKey(secret.Data[v1alpha1.PrivateJWKEntry])
	if err != nil {
		t.Fatal(err)
	}
	return key.KeyID()
}

func setKeyIDs(t *testing.T, raw []byte) (signing, encryption []string) {
	t.Helper()
	set, err := jose.ParseKeySet(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys() {
		if key.Use() == "enc" {
			encryption = append(encryption, key.KeyID())
		} else {
			signing = append(signing, key.KeyID())
		}
	}
	return signing, encryption
}

func decryptionKeyIDs(t *testing.T, secret *corev1.Secret) []string {
	t.Helper()
	var ids []string
	for _, key := range decryptionKeys(t, secret) {
		ids = append(ids, key.KeyID())
	}
	return ids
}

// decryptionKeys reads the entry as an application does.
func decryptionKeys(t *testing.T, secret *corev1.Secret) []*jose.DecryptionKey {
	t.Helper()
	raw, present := secret.Data[v1alpha1.DecryptionJWKSEntry]
	if !present {
		return nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	var keys []*jose.DecryptionKey
	for _, jwk := range set.Keys {
		key, err := jose.ParsePrivateDecryptionKey(jwk)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func requireKeys(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%s: keys %q, want %q", what, got, want)
	}
}

func TestKeyRotatesWithOverlapAndIsSeenInTheStatus(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	next := w.walk(t, "planner")
	first := w.keysHeld(t)
	requireKeys(t, "registered at first", first.registered, first.shown)
	if first.staged != "" {
		t.Errorf("key %s still waits", first.staged)
	}
	if next != keyPeriod {
		t.Errorf("the next walk is in %v, want it when the key is due, in %v", next, keyPeriod)
	}

	w.advance(keyPeriod - time.Second)
	if next := w.walk(t, "planner"); next != time.Second {
		t.Errorf("a second before its time the next walk is in %v", next)
	}
	requireKeys(t, "registered before its time", w.keysHeld(t).registered, first.shown)

	w.advance(time.Second)
	w.walk(t, "planner")
	second := w.keysHeld(t)
	if second.shown == first.shown {
		t.Fatal("the key did not rotate")
	}
	requireKeys(t, "registered in the overlap", second.registered, first.shown, second.shown)
	requireKeys(t, "shown in the overlap", second.jwks, first.shown, second.shown)
	status := w.get(t, "planner").Status.Keys
	want := v1alpha1.FormerKey{KeyID: first.shown, RegisteredUntil: metav1.NewTime(w.now().Add(keyOverlap))}
	if status.Managed == nil || status.Managed.KeyID != second.shown || status.Managed.Algorithm != "ES256" ||
		!status.Managed.Created.Time.Equal(w.now()) || !status.Managed.NextRotation.Time.Equal(w.now().Add(keyPeriod)) ||
		len(status.Managed.Former) != 1 || status.Managed.Former[0].KeyID != want.KeyID || !status.Managed.Former[0].RegisteredUntil.Equal(&want.RegisteredUntil) {
		t.Errorf("status %+v", status.Managed)
	}
	requireKeys(t, "in the status", status.KeyIDs, first.shown, second.shown)

	w.advance(keyOverlap - time.Second)
	w.walk(t, "planner")
	requireKeys(t, "registered to the end of the overlap", w.keysHeld(t).registered, first.shown, second.shown)
	w.advance(time.Second)
	w.walk(t, "planner")
	last := w.keysHeld(t)
	requireKeys(t, "registered after the overlap", last.registered, second.shown)
	requireKeys(t, "shown after the overlap", last.jwks, second.shown)
	if former := w.get(t, "planner").Status.Keys.Managed.Former; former != nil {
		t.Errorf("the status still tells of %v", former)
	}
}

// Applications elsewhere met a server that did not know their key for minutes.
func TestNewKeyIsKnownToTheServerBeforeTheSecretShowsIt(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	shownAtWrite := map[string]string{} // registered keys, and what the Secret showed when they came
	w.server.faults.set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut {
			before := w.keysHeld(t)
			next.ServeHTTP(rw, r)
			shownAtWrite[strings.Join(w.keysHeld(t).registered, " ")] = before.shown
			return
		}
		next.ServeHTTP(rw, r)
	})
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	first := w.keysHeld(t)
	w.advance(keyPeriod)
	w.walk(t, "planner")
	second := w.keysHeld(t)
	want := map[string]string{strings.Join(first.registered, " "): "", strings.Join(second.registered, " "): first.shown}
	if !maps.Equal(shownAtWrite, want) {
		t.Errorf("the Secret showed at each registration: %v, want %v", shownAtWrite, want)
	}
}

// While the server cannot confirm it, the next key is not shown, and is no other
// key at each try.
func TestServerThatIsAwayHoldsUpTheRotationAndBreaksNothing(t *testing.T) {
	t.Parallel()
	for name, fault := range serverFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openWorkshop(t)
			w.create(t, "planner", rotatingSpec(t))
			w.walk(t, "planner")
			first := w.keysHeld(t)
			w.server.faults.set(fault)
			w.advance(keyPeriod)
			var staged string
			for range 3 {
				if _, err := w.reconcile(t, "planner"); err == nil {
					t.Fatal("the walk succeeded without the server")
				}
				held := w.keysHeld(t)
				if held.shown != first.shown || held.staged == "" || staged != "" && held.staged != staged {
					t.Fatalf("the Secret shows %s and %s waits; before it were %s and %s", held.shown, held.staged, first.shown, staged)
				}
				staged = held.staged
			}
			w.server.faults.set(nil)
			w.walk(t, "planner")
			if held := w.keysHeld(t); held.shown != staged || held.staged != "" {
				t.Errorf("the Secret shows %s and %q waits, want %s and none", held.shown, held.staged, staged)
			}
		})
	}
}

func TestWithoutAStatedPeriodNoKeyRotatesByItself(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	first := w.keysHeld(t)
	w.advance(100 * 365 * 24 * time.Hour)
	w.walk(t, "planner")
	if held := w.keysHeld(t); held.shown != first.shown {
		t.Error("the key rotated, and nobody asked for that")
	}
}

func TestEachNewValueOfTheAnnotationRotatesOnce(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.annotate(t, "planner", v1alpha1.RotateKeyAnnotation, "at first")
	w.walk(t, "planner")
	seen := []string{w.keysHeld(t).shown}
	for _, value := range []string{"2030-05-01", "2030-05-01", "again", "again"} {
		w.annotate(t, "planner", v1alpha1.RotateKeyAnnotation, value)
		before := w.get(t, "planner")
		for range 2 {
			w.walk(t, "planner")
		}
		after := w.get(t, "planner")
		if !maps.Equal(before.Annotations, after.Annotations) {
			t.Errorf("annotations were %v and are %v", before.Annotations, after.Annotations)
		}
		if after.Status.Keys.Managed.RotateKey != value {
			t.Errorf("the status tells of value %q, want %q", after.Status.Keys.Managed.RotateKey, value)
		}
		seen = append(seen, w.keysHeld(t).shown)
		w.advance(time.Minute)
	}
	if seen[1] == seen[0] || seen[2] != seen[1] || seen[3] == seen[2] || seen[4] != seen[3] {
		t.Errorf("keys %q, want another one at each new value", seen)
	}
	requireKeys(t, "registered in two overlaps at once", w.keysHeld(t).registered, seen[0], seen[2], seen[4])
}

// The running operator notices the annotations by itself.
func TestAnnotationWakesTheOperator(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	before := managedKey(t, b, "planner")
	b.Kubectl(t, "annotate", "--namespace", b.namespace, "fapiapp/planner", v1alpha1.RotateKeyAnnotation+"=now")
	b.eventually(t, "the key is another", func(context.Context) error {
		if managedKey(t, b, "planner").KeyID() == before.KeyID() {
			return errNotYet
		}
		return nil
	})
	b.awaitEvent(t, "planner", v1alpha1.ReasonKeyRotated)
	revoked := managedKey(t, b, "planner")
	b.Kubectl(t, "annotate", "--namespace", b.namespace, "fapiapp/planner", v1alpha1.RevokeKeyAnnotation+"="+revoked.KeyID())
	b.eventually(t, "the key is another", func(context.Context) error {
		if managedKey(t, b, "planner").KeyID() == revoked.KeyID() {
			return errNotYet
		}
		return nil
	})
	b.awaitEvent(t, "planner", v1alpha1.ReasonKeyRevoked)
	b.awaitReady(t, "planner")
}

// A status that a restored cluster does not have is no reason to rotate again.
func TestLostStatusRotatesNothing(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	w.annotate(t, "planner", v1alpha1.RotateKeyAnnotation, "now")
	w.walk(t, "planner")
	before, status := w.keysHeld(t), w.get(t, "planner").Status
	w.loseStatus(t, "planner")
	w.walk(t, "planner")
	after := w.keysHeld(t)
	if after.shown != before.shown || !slices.Equal(after.registered, before.registered) {
		t.Errorf("keys were %+v and are %+v", before, after)
	}
	if got := w.get(t, "planner").Status.Keys; got.Managed.RotateKey != status.Keys.Managed.RotateKey || !got.Managed.Created.Equal(status.Keys.Managed.Created) {
		t.Errorf("the status of the keys was %+v and is %+v", status.Keys.Managed, got.Managed)
	}
}

// Elsewhere a Secret that could not be read made the operator invent another.
func TestSecretThatCannotBeReadIsWaitedForAndReplacedByNoOther(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"planner-keys", "planner-next-key"} {
		for _, reason := range []error{
			apierrors.NewForbidden(corev1.Resource("secrets"), name, errors.New("no rights")),
			apierrors.NewInternalError(errors.New("etcd is away")),
			apierrors.NewTimeoutError("no answer", 1),
			context.DeadlineExceeded,
		} {
			t.Run(name+"/"+reason.Error(), func(t *testing.T) {
				t.Parallel()
				w := openWorkshop(t)
				w.create(t, "planner", rotatingSpec(t))
				w.walk(t, "planner")
				before := w.keysHeld(t)
				w.advance(keyPeriod)
				w.kubeFault = func(verb string, object client.Object, key string, do func() error) error {
					if _, isSecret := object.(*corev1.Secret); isSecret && verb == "get" && key == name {
						return reason
					}
					return do()
				}
				if _, err := w.reconcile(t, "planner"); err == nil {
					t.Error("the walk succeeded")
				}
				if after := w.keysHeld(t); after.shown != before.shown || after.staged != "" || !slices.Equal(after.registered, before.registered) {
					t.Errorf("keys were %+v and are %+v", before, after)
				}
			})
		}
	}
}

// Whoever deletes the Secret does not want its key any more.
func TestDeletedSecretMeansAnotherKeyAndTheOldOneLeavesAtOnce(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	before := w.keysHeld(t)
	if err := w.kube.Delete(t.Context(), w.find(t, "planner-keys")); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	after := w.keysHeld(t)
	if after.shown == before.shown {
		t.Error("the same key came back")
	}
	requireKeys(t, "registered", after.registered, after.shown)
}

// The algorithm changes with the key, in one registration.
func TestRotationTakesUpAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	for _, alg := range []string{"EdDSA", "PS256", "ES256"} {
		w.change(t, "planner", func(a *v1alpha1.FAPIApplication) {
			a.Spec.ClientAuthentication.SigningAlg = alg
			a.Spec.Keys.Managed = &v1alpha1.ManagedKeys{SigningAlg: alg}
		})
		w.walk(t, "planner")
		requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionKeysReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidKeys)
		w.annotate(t, "planner", v1alpha1.RotateKeyAnnotation, alg)
		w.walk(t, "planner")
		requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		if status := w.get(t, "planner").Status.Keys.Managed; status.Algorithm != alg {
			t.Errorf("the key is for %s, want %s", status.Algorithm, alg)
		}
	}
}

// A next key for an algorithm that the spec asks for no longer makes room.
func TestStagedKeyOfAnotherAlgorithmIsNeverShown(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.server.faults.set(cut)
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Fatal("the walk succeeded without the server")
	}
	unfit := w.keysHeld(t).staged
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) {
		a.Spec.ClientAuthentication.SigningAlg = "EdDSA"
		a.Spec.Keys.Managed = &v1alpha1.ManagedKeys{SigningAlg: "EdDSA"}
	})
	w.server.faults.set(nil)
	w.walk(t, "planner")
	if held := w.keysHeld(t); unfit == "" || held.shown == unfit || held.staged != "" {
		t.Errorf("%q was staged for another algorithm, and keys are %+v", unfit, held)
	}
}

func TestSteadyRotationWritesNothing(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	w.advance(keyPeriod)
	w.walk(t, "planner")
	w.kubeFault = func(verb string, object client.Object, key string, do func() error) error {
		if verb != "get" && verb != "list" {
			t.Errorf("%s of %T %s", verb, object, key)
		}
		return do()
	}
	puts := w.server.faults.count(http.MethodPut)
	for range 3 {
		w.advance(time.Hour)
		w.walk(t, "planner")
	}
	if got := w.server.faults.count(http.MethodPut) - puts; got != 0 {
		t.Errorf("%d registrations while nothing changed", got)
	}
}

// What a person restores of the Secret is enough when it is the private key.
func TestSecretIsPutRightFromItsPrivateKey(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	whole := w.find(t, "planner-keys")
	changed := whole.DeepCopy()
	delete(changed.Data, v1alpha1.PrivatePEMEntry)
	changed.Data[v1alpha1.PublicJWKSEntry] = json.RawMessage(`{"keys":[]}`)
	changed.Data["theirs"] = []byte("kept")
	if err := w.kube.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	got := w.find(t, "planner-keys")
	want := maps.Clone(whole.Data)
	want["theirs"] = []byte("kept")
	if !maps.EqualFunc(got.Data, want, slices.Equal) {
		t.Error("the entries were not put right, or another's entry went")
	}
}
