package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// stored is what the server holds of planner.
func (w *workshop) stored(t *testing.T) store.ClientRecord {
	t.Helper()
	record, err := w.server.client(t, w.namespace+".planner")
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// requireRevoked: one registration took the key out and ended what the client had.
func requireRevoked(t *testing.T, before, after store.ClientRecord, kid string) {
	t.Helper()
	if signing, encryption := setKeyIDs(t, after.Metadata.JWKS); slices.Contains(signing, kid) || slices.Contains(encryption, kid) {
		t.Errorf("key %s is still registered", kid)
	}
	if !slices.Equal(after.Metadata.RevokedKeyIDs, append(slices.Clone(before.Metadata.RevokedKeyIDs), kid)) {
		t.Errorf("revoked at the server are %q", after.Metadata.RevokedKeyIDs)
	}
	if after.Revision != before.Revision+1 || after.Epoch != after.Revision {
		t.Errorf("the client went from revision %d to %d, and is in epoch %d", before.Revision, after.Revision, after.Epoch)
	}
}

func TestRevokedKeyLeavesAtOnceAndTheSecretShowsAnother(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	stolen, before := w.keysHeld(t).shown, w.stored(t)

	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, stolen)
	w.walk(t, "planner")
	held := w.keysHeld(t)
	requireRevoked(t, before, w.stored(t), stolen)
	if held.shown == stolen {
		t.Error("the Secret still shows the key")
	}
	requireKeys(t, "registered", held.registered, held.shown)
	requireKeys(t, "shown", held.jwks, held.shown)
	application := w.get(t, "planner")
	requireCondition(t, application, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if status := application.Status.Keys.Managed; !slices.Equal(status.Revoked, []string{stolen}) || status.Former != nil {
		t.Errorf("status %+v", status)
	}

	after := w.stored(t)
	w.walk(t, "planner")
	if again := w.stored(t); again.Revision != after.Revision {
		t.Error("it was revoked once more")
	}
}

// A key that another one has replaced may be the one that was stolen.
func TestRevokedFormerKeyLeavesBeforeItsOverlapIsOver(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	stolen := w.keysHeld(t).shown
	w.advance(keyPeriod)
	w.walk(t, "planner")
	current, before := w.keysHeld(t).shown, w.stored(t)

	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, stolen)
	w.walk(t, "planner")
	requireRevoked(t, before, w.stored(t), stolen)
	held := w.keysHeld(t)
	if held.shown != current {
		t.Error("the key that nobody revoked went too")
	}
	requireKeys(t, "registered", held.registered, current)
	requireKeys(t, "shown", held.jwks, current)
}

// Whoever mistypes a key in an emergency must not believe that it is gone.
func TestRevocationOfAnUnknownKeyIsToldAndRevokesNothing(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	before := w.stored(t)
	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, "mistyped")
	w.walk(t, "planner")
	application := w.get(t, "planner")
	requireCondition(t, application, v1alpha1.ConditionKeysReady, metav1.ConditionFalse, v1alpha1.ReasonUnknownKey)
	requireCondition(t, application, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownKey)
	if message := messageOf(application, v1alpha1.ConditionKeysReady); !strings.Contains(message, "status.keys.keyIDs") {
		t.Errorf("the message does not say what to write: %s", message)
	}
	if after := w.stored(t); after.Revision != before.Revision {
		t.Errorf("the registration changed: %+v", after)
	}
	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, w.keysHeld(t).shown)
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// The annotation stays where Git says; it revokes nothing else later on.
func TestRevocationThatStaysInTheManifestIsDoneOnce(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, w.keysHeld(t).shown)
	w.walk(t, "planner")
	epoch := w.stored(t).Epoch
	for range 3 {
		w.advance(keyPeriod)
		w.walk(t, "planner")
	}
	w.loseStatus(t, "planner")
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if got := w.stored(t).Epoch; got != epoch {
		t.Errorf("tokens ended again: epoch %d, was %d", got, epoch)
	}
}

// A backup that still has the stolen key does not bring it back.
func TestStolenKeyThatComesBackFromABackupIsReplacedAgain(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	stolen, backup := w.keysHeld(t).shown, w.find(t, "planner-keys")
	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, stolen)
	w.walk(t, "planner")
	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, "")

	backup.ResourceVersion, backup.UID = "", ""
	if err := w.kube.Delete(t.Context(), w.find(t, "planner-keys")); err != nil {
		t.Fatal(err)
	}
	if err := w.kube.Create(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	held := w.keysHeld(t)
	if held.shown == stolen || slices.Contains(held.registered, stolen) {
		t.Errorf("the stolen key %s is back: %+v", stolen, held)
	}
}

// The server is away when it matters: nothing is told as done, the next key is
// not shown, and the key leaves as soon as the server answers.
func TestRevocationIsToldOnlyWhenTheServerHasConfirmedIt(t *testing.T) {
	t.Parallel()
	for name, fault := range serverFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openWorkshop(t)
			w.create(t, "planner", dpopSpec)
			w.walk(t, "planner")
			stolen, before := w.keysHeld(t).shown, w.stored(t)
			w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, stolen)
			w.server.faults.set(fault)
			for range 2 {
				if _, err := w.reconcile(t, "planner"); err == nil {
					t.Fatal("the walk succeeded without the server")
				}
				if held := w.keysHeld(t); held.shown != stolen {
					t.Errorf("the Secret shows %s, which the server has not confirmed", held.shown)
				}
				if status := w.get(t, "planner").Status.Keys.Managed; status.Revoked != nil {
					t.Errorf("the status tells of %q as revoked", status.Revoked)
				}
			}
			w.server.faults.set(nil)
			w.advance(time.Second)
			w.walk(t, "planner")
			requireRevoked(t, before, w.stored(t), stolen)
		})
	}
}

// A database that was restored from before the revocation holds the stolen key
// again, until the operator compares.
func TestRevocationIsDoneAgainAtARestoredDatabase(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	stolen, backup := w.keysHeld(t).shown, w.stored(t)
	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, stolen)
	w.walk(t, "planner")

	if _, _, err := w.server.store.PutClient(t.Context(), store.ClientWrite{Owner: backup.Owner, Generation: backup.Generation, Metadata: backup.Metadata, Now: w.now()}); err != nil {
		t.Fatal(err)
	}
	before := w.stored(t)
	w.walk(t, "planner")
	requireRevoked(t, before, w.stored(t), stolen)
}
