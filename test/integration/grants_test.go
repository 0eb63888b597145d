package integration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

// at are the same people's hands in another namespace.
func (b *bank) at(namespace string) *bank {
	return &bank{Environment: b.Environment, kube: b.kube, namespace: namespace}
}

// grant annotates an object with the namespaces that it is granted to.
func (b *bank) grant(t *testing.T, kind, name, to string) {
	t.Helper()
	b.Kubectl(t, "annotate", "--overwrite", kind, name, "--namespace", b.namespace, v1alpha1.GrantedToAnnotation+"="+to)
}

func keysOf(namespace string) string {
	return `keys: {source: SecretRef, secretRef: {namespace: ` + namespace + `, name: app-keys, key: jwks.json}}`
}

// A grant is seen at once, and so is its end.
func TestReferencesLeaveTheNamespaceAsLongAsTheyAreGranted(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.neighbor = b.Namespace(t)
	b.startOperator(t)
	there := b.at(b.neighbor)
	key := newKey(t)
	there.writeSecret(t, "app-keys", "jwks.json", publicSet(t, key))
	anchors := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.neighbor, Name: "anchors"},
		Data:       map[string]string{"ca.crt": string(testca.New(t, "their CA", time.Now()).PEM())},
	}
	if err := b.kube.Create(t.Context(), anchors); err != nil {
		t.Fatal(err)
	}
	b.create(t, "keyed", merge(t, dpopSpec, keysOf(b.neighbor)))
	b.create(t, "anchored", merge(t, dpopSpec, `clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: {configMapRef: {namespace: `+b.neighbor+`, name: anchors, key: ca.crt}}}}`))
	b.awaitCondition(t, "keyed", v1alpha1.ConditionKeysReady, v1alpha1.ReasonReferenceNotGranted)
	b.awaitCondition(t, "anchored", v1alpha1.ConditionAccepted, v1alpha1.ReasonReferenceNotGranted)

	granted := time.Now()
	there.grant(t, "secret", "app-keys", "elsewhere, "+b.namespace)
	there.grant(t, "configmap", "anchors", "*")
	b.awaitReady(t, "keyed")
	b.awaitReady(t, "anchored")
	if took := time.Since(granted); took > atOnce {
		t.Errorf("the grants were seen after %v, want them watched", took)
	}
	if record, err := b.server.client(t, b.namespace+".keyed"); err != nil || !strings.Contains(string(record.Metadata.JWKS), key.KeyID()) {
		t.Errorf("the server holds %s (%v)", record.Metadata.JWKS, err)
	}
	there.grant(t, "secret", "app-keys", "elsewhere")
	there.grant(t, "configmap", "anchors", "")
	b.awaitCondition(t, "keyed", v1alpha1.ConditionKeysReady, v1alpha1.ReasonReferenceNotGranted)
	b.awaitCondition(t, "anchored", v1alpha1.ConditionAccepted, v1alpha1.ReasonReferenceNotGranted)
}

// Whoever guesses names learns nothing of another namespace: neither what there is,
// nor what somebody else is granted.
func TestARefusedReferenceDoesNotTellWhatIsThere(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	there := w.at(w.Namespace(t))
	w.create(t, "app", merge(t, dpopSpec, keysOf(there.namespace)))
	again := w.walk(t, "app")
	unknown := w.get(t, "app")
	requireCondition(t, unknown, v1alpha1.ConditionKeysReady, metav1.ConditionFalse, v1alpha1.ReasonReferenceNotGranted)
	w.kubeFault = func(_ string, object client.Object, name string, do func() error) error {
		if _, whole := object.(*corev1.Secret); whole {
			t.Errorf("the whole Secret %s was asked for", name)
		}
		return do()
	}
	for _, state := range []struct {
		name string
		make func()
	}{
		{"neither label nor grant", func() { there.createSecret(t, "app-keys", corev1.SecretTypeOpaque) }},
		{"a grant without the label", func() { there.grant(t, "secret", "app-keys", w.namespace) }},
		{"a grant to others", func() {
			there.labelSecret(t, "app-keys", v1alpha1.ApplicationLabel+"=app")
			there.grant(t, "secret", "app-keys", w.namespace+"-2,x"+w.namespace+","+w.namespace+"*")
		}},
	} {
		state.make()
		if next := w.walk(t, "app"); next != again {
			t.Errorf("%s: looked at again after %v, and after %v where there is nothing", state.name, next, again)
		}
		if diff := cmp.Diff(unknown.Status, w.get(t, "app").Status); diff != "" {
			t.Errorf("%s: the status differs from the one where there is nothing:\n%s", state.name, diff)
		}
	}
}

// An operator of listed namespaces says where it may not look.
func TestAReferenceOutOfTheOperatorsReachIsTold(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "app", merge(t, dpopSpec, keysOf("elsewhere")))
	w.loseRightsOn(t, "secrets")
	w.eventually(t, "the message names the namespace", func(context.Context) error {
		w.walk(t, "app")
		refused := w.get(t, "app")
		requireCondition(t, refused, v1alpha1.ConditionKeysReady, metav1.ConditionFalse, v1alpha1.ReasonReferenceNotGranted)
		if message := messageOf(refused, v1alpha1.ConditionKeysReady); !strings.Contains(message, "may not read in namespace elsewhere") {
			return errors.New(message)
		}
		return nil
	})
}
