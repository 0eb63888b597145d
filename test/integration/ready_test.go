package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestDPoPClientWithManagedKeyBecomesReady(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	created := b.create(t, "planner", dpopSpec)
	ready := b.awaitReady(t, "planner")

	if diff := cmp.Diff(created.Spec, ready.Spec); diff != "" {
		t.Errorf("the spec was written to (-applied +read back):\n%s", diff)
	}
	clientID := b.namespace + ".planner"
	record, err := b.server.client(t, clientID)
	if err != nil {
		t.Fatal(err)
	}
	if record.Owner != ownerOf(b.namespace, "planner") || !*record.Metadata.DPoPBoundAccessTokens || *record.Metadata.TLSClientCertificateBoundAccessTokens {
		t.Errorf("the store holds owner %v and metadata %+v", record.Owner, record.Metadata)
	}
	key := managedKey(t, b, "planner")
	registered, err := jose.ParseKeySet(record.Metadata.JWKS)
	if err != nil || registered.Len() != 1 || registered.Keys()[0].Thumbprint() != key.Public().Thumbprint() {
		t.Errorf("registered keys %s (%v), want the public half of %v", record.Metadata.JWKS, err, key)
	}
	requireStatus(t, ready, clientID, record.Revision, record.ContentHash, key.KeyID())
}

func requireStatus(t *testing.T, ready *v1alpha1.FAPIApplication, clientID string, revision int64, contentHash, keyID string) {
	t.Helper()
	want := v1alpha1.FAPIApplicationStatus{
		ObservedGeneration: ready.Generation,
		ClientID:           clientID,
		Profile:            "FAPI2 Security Profile",
		Effective: &v1alpha1.EffectiveSettings{
			GrantTypes:                         []string{"authorization_code", "refresh_token"},
			ResponseTypes:                      []string{"code"},
			TokenEndpointAuthMethod:            "private_key_jwt",
			TokenEndpointAuthSigningAlg:        "ES256",
			SenderConstraint:                   v1alpha1.SenderConstraintDPoP,
			AccessTokenLifetime:                &metav1.Duration{Duration: 5 * time.Minute},
			AuthorizationResponseSigningAlg:    "ES256",
			IDTokenSigningAlg:                  "ES256",
			RequirePushedAuthorizationRequests: true,
			PKCEMethod:                         "S256",
			Scopes:                             []string{"openid", "accounts"},
		},
		Keys: &v1alpha1.KeysStatus{Source: v1alpha1.KeySourceManaged, KeyIDs: []string{keyID}, SecretName: "planner-keys",
			Managed: &v1alpha1.ManagedKeysStatus{KeyID: keyID, Algorithm: "ES256", Created: ready.Status.Keys.Managed.Created}},
		Registration: &v1alpha1.RegistrationStatus{Issuer: issuer, Revision: revision, ContentHash: contentHash, LastRegistered: ready.Status.Registration.LastRegistered},
		Conditions:   ready.Status.Conditions,
	}
	if diff := cmp.Diff(want, ready.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	requireCondition(t, ready, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	requireCondition(t, ready, v1alpha1.ConditionKeysReady, metav1.ConditionTrue, v1alpha1.ReasonKeysResolved)
	requireCondition(t, ready, v1alpha1.ConditionCertificateReady, metav1.ConditionTrue, v1alpha1.ReasonNotNeeded)
	requireCondition(t, ready, v1alpha1.ConditionRegistered, metav1.ConditionTrue, v1alpha1.ReasonRegistered)
	requireCondition(t, ready, v1alpha1.ConditionBindingReady, metav1.ConditionTrue, v1alpha1.ReasonNotNeeded)
	if len(ready.Status.Conditions) != 6 {
		t.Errorf("conditions %+v; Stalled and Reconciling are present only while they are true", ready.Status.Conditions)
	}
}

func managedKey(t *testing.T, b *bank, name string) *jose.SigningKey {
	t.Helper()
	secret := b.secret(t, name+"-keys")
	key, err := jose.ParsePrivateSigningKey(secret.Data[v1alpha1.PrivateJWKEntry])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (b *bank) secret(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestManagedKeyIsUsableAsPEMAndNeverOverwritten(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	before := b.secret(t, "planner-keys")
	if !strings.HasPrefix(string(before.Data[v1alpha1.PrivatePEMEntry]), "-----BEGIN PRIVATE KEY-----") {
		t.Errorf("entry %s is no private key in PEM", v1alpha1.PrivatePEMEntry)
	}
	if !json.Valid(before.Data[v1alpha1.PublicJWKSEntry]) || strings.Contains(string(before.Data[v1alpha1.PublicJWKSEntry]), `"d"`) {
		t.Errorf("entry %s is no public JWK Set", v1alpha1.PublicJWKSEntry)
	}

	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Scopes = []string{"openid"} })
	b.awaitReady(t, "planner")
	if after := b.secret(t, "planner-keys"); after.ResourceVersion != before.ResourceVersion {
		t.Error("the Secret of the managed key was written again")
	}
}

// A key that is in use never goes because of another algorithm: a person deletes
// its Secret, or has it rotated.
func TestManagedKeyForAnotherAlgorithmIsMadeWhenItsSecretGoes(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	before := managedKey(t, b, "planner")
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) {
		a.Spec.ClientAuthentication.SigningAlg = "EdDSA"
		a.Spec.Keys.Managed = &v1alpha1.ManagedKeys{SigningAlg: "EdDSA"}
	})
	stalled := b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonInvalidKeys)
	if message := messageOf(stalled, v1alpha1.ConditionKeysReady); !strings.Contains(message, v1alpha1.RotateKeyAnnotation) || !strings.Contains(message, "delete the Secret") {
		t.Errorf("the message does not say what to do: %s", message)
	}
	if managedKey(t, b, "planner").KeyID() != before.KeyID() {
		t.Error("the key was overwritten")
	}
	if err := b.kube.Delete(t.Context(), b.secret(t, "planner-keys")); err != nil {
		t.Fatal(err)
	}
	b.awaitReady(t, "planner")
	if got := managedKey(t, b, "planner"); got.Algorithm() != jose.EdDSA {
		t.Errorf("the new key is for %s", got.Algorithm())
	}
}

func TestSamplesBecomeReadyAndKubectlCanWait(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for _, sample := range []string{"issuer", "private-key-jwt", "tls-client-auth", "dpop", "message-signing"} {
		b.Kubectl(t, "apply", "--namespace", b.namespace, "-f", filepath.Join(root, "config", "samples", sample+".yaml"))
	}
	b.Kubectl(t, "wait", "--namespace", b.namespace, "--for=condition=Ready", "fapiapp", "--all", "--timeout=120s")
	if got := b.get(t, "account-aggregator").Status.Profile; got != "FAPI2 Message Signing" {
		t.Errorf("the Message Signing sample has profile %q", got)
	}
	for _, sample := range []string{"private-key-jwt", "tls-client-auth", "dpop", "message-signing"} {
		if output, err := b.TryKubectl(t, "diff", "--namespace", b.namespace, "-f", filepath.Join(root, "config", "samples", sample+".yaml")); err != nil {
			t.Errorf("a GitOps tool would see a difference: %v\n%s", err, output)
		}
	}
}

func TestEventsTellTheRegistrationAndWhatWasMended(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.create(t, "waiting", strings.Replace(dpopSpec, "{source: Managed}", "{source: SecretRef, secretRef: {name: keys, key: jwks}}", 1))
	b.awaitEvent(t, "waiting", v1alpha1.ReasonReferenceNotFound)
	b.change(t, "waiting", func(a *v1alpha1.FAPIApplication) { a.Spec.Keys = &v1alpha1.Keys{Source: v1alpha1.KeySourceManaged} })
	b.awaitEvent(t, "waiting", v1alpha1.ReasonKeysResolved)
	b.awaitEvent(t, "waiting", v1alpha1.ReasonRegistered)
	b.awaitEvent(t, "planner", v1alpha1.ReasonRegistered)
	if told := b.eventsOf(t, "planner"); len(told) != 1 {
		t.Errorf("an application without trouble has the events %q", told)
	}
}

// eventsOf lists the reasons of an application's events.
func (b *bank) eventsOf(t *testing.T, name string) (reasons []string) {
	t.Helper()
	var events eventsv1.EventList
	if err := b.kube.List(t.Context(), &events, client.InNamespace(b.namespace)); err != nil {
		t.Fatal(err)
	}
	for _, event := range events.Items {
		if event.Regarding.Name == name {
			reasons = append(reasons, event.Reason)
		}
	}
	return reasons
}

func (b *bank) awaitEvent(t *testing.T, name, reason string) {
	t.Helper()
	b.eventually(t, "event "+reason+" of "+name, func(context.Context) error {
		if told := b.eventsOf(t, name); !slices.Contains(told, reason) {
			return fmt.Errorf("its events are %q", told)
		}
		return nil
	})
}

func TestSuspendedClientStaysRegisteredAndIsNotReady(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Suspended = new(true) })
	suspended := b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonSuspended)
	requireCondition(t, suspended, v1alpha1.ConditionRegistered, metav1.ConditionTrue, v1alpha1.ReasonRegistered)
	record, err := b.server.client(t, b.namespace+".planner")
	if err != nil || record.Metadata.Suspended == nil || !*record.Metadata.Suspended {
		t.Errorf("the server holds %+v (%v), want a suspended client", record.Metadata, err)
	}
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Suspended = nil })
	b.awaitReady(t, "planner")
}

func TestOtherServerClassIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "other", `{serverClassName: retail, grantTypes: [password], clientAuthentication: {method: none}}`)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	untouched := v1alpha1.FAPIApplicationStatus{ObservedGeneration: -1}
	if status := b.get(t, "other").Status; !cmp.Equal(status, untouched) {
		t.Errorf("another installation's application has status %+v", status)
	}
}

func TestNamespaceDeletionLeavesNoClient(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.create(t, "second", dpopSpec)
	b.awaitReady(t, "planner")
	b.awaitReady(t, "second")
	// The namespace controller asks again ever less often.
	b.Kubectl(t, "delete", "namespace", b.namespace, "--timeout=3m")
	records, err := b.server.store.ListClients(t.Context(), registration.Installations{Any: true}, "", 10)
	if err != nil || len(records) != 0 {
		t.Errorf("the store still holds %d clients (%v)", len(records), err)
	}
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

var errNotYet = errors.New("not yet")
