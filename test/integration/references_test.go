package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

const keysFromSecret = `keys: {source: SecretRef, secretRef: {name: app-keys, key: jwks.json}}`

func newKey(t *testing.T) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicSet(t *testing.T, key *jose.SigningKey) string {
	t.Helper()
	set, err := json.Marshal(jose.NewKeySet(key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}

// writeSecret writes a Secret with the label that lets the operator read it.
func (b *bank) writeSecret(t *testing.T, name, entry, content string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}, StringData: map[string]string{entry: content}}
	secret.Labels = map[string]string{v1alpha1.ApplicationLabel: ""}
	if err := b.kube.Create(t.Context(), secret); err == nil {
		return
	}
	if err := b.kube.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

func TestKeysOfASecretAreWaitedForAndFollowed(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "app", merge(t, dpopSpec, keysFromSecret))
	waiting := b.awaitCondition(t, "app", v1alpha1.ConditionReady, v1alpha1.ReasonReferenceNotFound)
	if got, want := messageOf(waiting, v1alpha1.ConditionKeysReady), "Secret app-keys is not there; make it with the label fapi-operator.io/application."; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for range 2 {
		key := newKey(t)
		b.writeSecret(t, "app-keys", "jwks.json", publicSet(t, key))
		b.eventually(t, "key "+key.KeyID()+" is registered", func(context.Context) error {
			record, err := b.server.client(t, b.namespace+".app")
			if err == nil && !strings.Contains(string(record.Metadata.JWKS), key.KeyID()) {
				err = fmt.Errorf("the server holds %s", record.Metadata.JWKS)
			}
			return err
		})
		b.awaitReady(t, "app")
	}
}

// Whoever may write a Secret decides whether the operator reads it, at any moment.
func TestASecretIsReadAsLongAsItHasTheLabel(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.writeSecret(t, "app-keys", "jwks.json", publicSet(t, newKey(t)))
	b.labelSecret(t, "app-keys", v1alpha1.ApplicationLabel+"-")
	b.create(t, "app", merge(t, dpopSpec, keysFromSecret))
	waiting := b.awaitCondition(t, "app", v1alpha1.ConditionReady, v1alpha1.ReasonReferenceNotLabeled)
	requireCondition(t, waiting, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonReferenceNotLabeled)
	b.requireNoClient(t, "app")

	_, command, _ := strings.Cut(messageOf(waiting, v1alpha1.ConditionKeysReady), "kubectl ")
	command, _, found := strings.Cut(command, " puts it on.")
	if !found {
		t.Fatalf("the message says no command: %s", messageOf(waiting, v1alpha1.ConditionKeysReady))
	}
	labeled := time.Now()
	b.Kubectl(t, strings.Fields(command)...)
	b.awaitReady(t, "app")
	if took := time.Since(labeled); took > atOnce {
		t.Errorf("the label was seen after %v, want it watched", took)
	}
	b.labelSecret(t, "app-keys", v1alpha1.ApplicationLabel+"-")
	b.awaitCondition(t, "app", v1alpha1.ConditionKeysReady, v1alpha1.ReasonReferenceNotLabeled)
	b.requireClient(t, b.namespace+".app")
}

// atOnce is less than the operator's interval for what it does not watch.
const atOnce = 15 * time.Second

func (b *bank) labelSecret(t *testing.T, name, label string) {
	t.Helper()
	b.Kubectl(t, "label", "secret", name, "--namespace", b.namespace, label)
}

func TestNothingOfASecretWithoutTheLabelIsRead(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.createSecret(t, "app-keys", corev1.SecretTypeOpaque)
	w.create(t, "app", merge(t, dpopSpec, keysFromSecret))
	w.kubeFault = func(_ string, object client.Object, name string, do func() error) error {
		if _, whole := object.(*corev1.Secret); whole {
			t.Errorf("the whole Secret %s was asked for", name)
		}
		return do()
	}
	if again := w.walk(t, "app"); again <= 0 || again > time.Minute {
		t.Errorf("looked at again after %v, want it within a minute: nothing watches the Secret", again)
	}
	requireCondition(t, w.get(t, "app"), v1alpha1.ConditionKeysReady, metav1.ConditionFalse, v1alpha1.ReasonReferenceNotLabeled)
}

// A cluster may be full of Secrets that are none of the operator's business.
func TestSecretsWithoutTheLabelAreNotCached(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for i := range 50 {
		b.createSecret(t, fmt.Sprintf("other-%d", i), corev1.SecretTypeOpaque)
	}
	b.writeSecret(t, "app-keys", "jwks.json", publicSet(t, newKey(t)))
	b.create(t, "app", merge(t, dpopSpec, keysFromSecret))
	b.create(t, "managed", dpopSpec)
	b.awaitReady(t, "app")
	b.awaitReady(t, "managed")
	b.eventually(t, "the cache holds the Secrets with the label alone", func(ctx context.Context) error {
		cached := &metav1.PartialObjectMetadataList{}
		cached.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		if err := b.cache.List(ctx, cached); err != nil {
			return err
		}
		var names []string
		for i := range cached.Items {
			names = append(names, cached.Items[i].Name)
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"app-keys", "managed-keys"}) {
			return fmt.Errorf("it holds %v", names)
		}
		return nil
	})
}

func TestUnfitKeysAreNeitherRegisteredNorShown(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	private, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	ed25519, err := jose.GenerateSigningKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, content, reason, says string }{
		{"a private key", `{"keys":[` + string(private) + `]}`, v1alpha1.ReasonPrivateKeyInJWKS, "replace the key"},
		{"no JSON", "-----BEGIN PUBLIC KEY-----", v1alpha1.ReasonInvalidKeys, "JWK Set"},
		{"a key for another algorithm", publicSet(t, ed25519), v1alpha1.ReasonInvalidKeys, "OIDCC-9"},
		{"an empty set", `{"keys":[]}`, v1alpha1.ReasonInvalidKeys, "OIDCC-9"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := openBank(t)
			b.writeSecret(t, "app-keys", "jwks.json", test.content)
			b.create(t, "app", merge(t, dpopSpec, keysFromSecret))
			stalled := b.awaitCondition(t, "app", v1alpha1.ConditionReady, test.reason)
			requireCondition(t, stalled, v1alpha1.ConditionStalled, metav1.ConditionTrue, test.reason)
			if message := messageOf(stalled, v1alpha1.ConditionKeysReady); !strings.Contains(message, test.says) || strings.Contains(message, test.content) {
				t.Errorf("message %q", message)
			}
			b.requireNoClient(t, "app")
			b.writeSecret(t, "app-keys", "jwks.json", publicSet(t, key))
			b.awaitReady(t, "app")
		})
	}
}

func TestTrustAnchorsOfAConfigMapAreRegistered(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "app", merge(t, dpopSpec, `clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: {configMapRef: {name: anchors, key: ca.crt}}}}`))
	b.awaitCondition(t, "app", v1alpha1.ConditionAccepted, v1alpha1.ReasonReferenceNotFound)
	anchors := string(testca.New(t, "tenant CA", time.Now()).PEM())
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "anchors"}, Data: map[string]string{"ca.crt": anchors}}
	if err := b.kube.Create(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	b.awaitReady(t, "app")
	if record, err := b.server.client(t, b.namespace+".app"); err != nil || record.Metadata.TLSClientAuthTrustAnchors != anchors {
		t.Errorf("the server holds anchors %q (%v)", record.Metadata.TLSClientAuthTrustAnchors, err)
	}
}

func TestKeysOfAConfigMapByValueAndByURIAreRegistered(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	set := publicSet(t, newKey(t))
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "app-keys"}, Data: map[string]string{"jwks.json": set}}
	if err := b.kube.Create(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	b.create(t, "from-config-map", merge(t, dpopSpec, `keys: {source: ConfigMapRef, configMapRef: {name: app-keys, key: jwks.json}}`))
	b.create(t, "by-value", merge(t, dpopSpec, `keys: {source: JWKS, jwks: `+set+`}`))
	b.create(t, "by-uri", merge(t, dpopSpec, `keys: {source: JWKSURI, jwksURI: "https://app.example.com/jwks.json"}`))
	for _, name := range []string{"from-config-map", "by-value", "by-uri"} {
		b.awaitReady(t, name)
	}
	if record, err := b.server.client(t, b.namespace+".by-uri"); err != nil || record.Metadata.JWKSURI != "https://app.example.com/jwks.json" {
		t.Errorf("the server holds %+v (%v)", record.Metadata, err)
	}
}
