package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/controllers"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// askedRegistrar registers at one server, and counts who asks what it is.
type askedRegistrar struct {
	controllers.Registrar
	asked   atomic.Int64
	answers atomic.Pointer[fapitest.Server] // the server that tells of itself
}

func (r *askedRegistrar) Server(ctx context.Context) (registration.Replica, error) {
	r.asked.Add(1)
	return r.answers.Load().Registrar.Server(ctx)
}

func registrarOf(server *fapitest.Server) *askedRegistrar {
	r := &askedRegistrar{Registrar: server.Registrar}
	r.answers.Store(server)
	return r
}

// openBindery is a workshop that registers at the whole server, and knows the
// authority of the server's certificate.
func openBindery(t *testing.T) (*workshop, *fapitest.Server) {
	t.Helper()
	w, server := openWorkshop(t), fapitest.StartServer(t)
	w.reconciler.Registrar = registrarOf(server)
	w.reconciler.ServerCAFile = testca.WriteFile(t, t.TempDir(), "ca.crt", server.Authority.PEM())
	return w, server
}

// readBinding gives nil where there is no such Secret.
func (b *bank) readBinding(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, secret)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return secret
}

func texts(data map[string][]byte) map[string]string {
	read := map[string]string{}
	for name, value := range data {
		read[name] = string(value)
	}
	return read
}

// commonEntries are those of every binding.
func (w *workshop) commonEntries(server *fapitest.Server, base string) map[string]string {
	return map[string]string{
		"type": "oauth2", "provider": "fapi-operator",
		"issuer": server.Issuer, "metadata-url": server.Issuer + "/.well-known/openid-configuration", "jwks-uri": server.Issuer + "/jwks",
		"token-endpoint": base + "/token", "revocation-endpoint": base + "/revoke", "introspection-endpoint": base + "/introspect",
		"client-id": w.namespace + ".planner", "token-endpoint-auth-method": "private_key_jwt", "token-endpoint-auth-signing-alg": "ES256",
		"key-secret": "planner-keys", "key-jwk-entry": "private-jwk.json", "key-pem-entry": "private-key.pem",
		"ca.crt": string(server.Authority.PEM()),
	}
}

// Each client is told what it shall use, and nothing else: one with a certificate
// the aliases of RFC 8705, 5, and one without people no authorization endpoint.
func TestABindingTellsAClientHowToReachTheServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, changes string
		mtls          bool
		own           func(server *fapitest.Server) map[string]string
	}{
		{"DPoP", `binding: {}`, false, func(server *fapitest.Server) map[string]string {
			return map[string]string{
				"sender-constraint": "DPoP", "authorization-endpoint": server.Issuer + "/authorize",
				"pushed-authorization-request-endpoint": server.Issuer + "/par", "userinfo-endpoint": server.Issuer + "/userinfo",
			}
		}},
		{"certificate of its own", `{binding: {}, accessToken: {}}`, true, func(server *fapitest.Server) map[string]string {
			return map[string]string{
				"sender-constraint": "MutualTLS", "authorization-endpoint": server.Issuer + "/authorize",
				"pushed-authorization-request-endpoint": server.MTLSBaseURL + "/par", "userinfo-endpoint": server.MTLSBaseURL + "/userinfo",
			}
		}},
		{"nobody logs in", `{binding: {}, grantTypes: [client_credentials], redirectURIs: [], scopes: [accounts]}`, false, func(*fapitest.Server) map[string]string {
			return map[string]string{"sender-constraint": "DPoP"}
		}},
		{"encrypted responses", `{binding: {}, idToken: {encryptedResponseAlg: ECDH-ES}, scopes: [openid]}`, false, func(server *fapitest.Server) map[string]string {
			return map[string]string{
				"sender-constraint": "DPoP", "authorization-endpoint": server.Issuer + "/authorize",
				"pushed-authorization-request-endpoint": server.Issuer + "/par", "userinfo-endpoint": server.Issuer + "/userinfo",
				"decryption-keys-entry": "decryption-jwks.json",
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, server := openBindery(t)
			w.create(t, "planner", merge(t, dpopSpec, test.changes))
			w.walk(t, "planner")
			base := server.Issuer
			if test.mtls {
				base = server.MTLSBaseURL
			}
			want := w.commonEntries(server, base)
			maps.Copy(want, test.own(server))
			secret := w.secret(t, "planner-binding")
			if diff := cmp.Diff(want, texts(secret.Data)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			ready := w.get(t, "planner")
			requireCondition(t, ready, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			requireCondition(t, ready, v1alpha1.ConditionBindingReady, metav1.ConditionTrue, v1alpha1.ReasonBound)
			if ready.Status.Binding == nil || ready.Status.Binding.Name != "planner-binding" {
				t.Errorf("status.binding is %v", ready.Status.Binding)
			}
			if secret.Type != "servicebinding.io/oauth2" || !metav1.IsControlledBy(secret, ready) {
				t.Errorf("type %s, owners %v", secret.Type, secret.OwnerReferences)
			}
		})
	}
}

func TestABindingTellsWhereTheCertificateIs(t *testing.T) {
	t.Parallel()
	b, server := openBranch(t, fapi.Limits{}), fapitest.StartServer(t)
	b.registrar = registrarOf(server)
	b.startOperator(t)
	b.createIssuers(t)
	b.create(t, "planner", merge(t, dpopSpec, `
binding: {}
accessToken: {}
keys:
clientAuthentication: {method: tls_client_auth}
mutualTLS: {certificate: {issuerRef: {name: client-ca}, secretName: planner-tls}}`))
	b.awaitReady(t, "planner")
	entries := texts(b.secret(t, "planner-binding").Data)
	for name, want := range map[string]string{
		"certificate-secret": "planner-tls", "certificate-entry": "tls.crt", "certificate-key-entry": "tls.key", "key-secret": "",
		"token-endpoint-auth-method": "tls_client_auth", "token-endpoint": server.MTLSBaseURL + "/token", "ca.crt": "",
	} {
		if entries[name] != want {
			t.Errorf("%s is %q, want %q", name, entries[name], want)
		}
	}
}

// What docs/binding.md shows is taken as it stands, and the Deployment finds every
// Secret that it mounts, where the binding says.
func TestTheDocumentedDeploymentMountsABinding(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.registrar = registrarOf(fapitest.StartServer(t))
	b.startOperator(t)
	b.createIssuers(t)
	documents := b.documented(t, "binding.md")
	application, names, deployment := documents[0], documents[1], documents[2]
	if err := b.kube.Create(t.Context(), &unstructured.Unstructured{Object: application}, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		t.Fatal(err)
	}
	b.awaitReady(t, "account-overview")
	if err := b.kube.Create(t.Context(), &unstructured.Unstructured{Object: deployment}, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		t.Fatal(err)
	}
	mounted := &appsv1.Deployment{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.namespace, Name: "account-overview"}, mounted); err != nil {
		t.Fatal(err)
	}
	pod := mounted.Spec.Template.Spec
	entries := texts(b.secret(t, "account-overview-binding").Data)
	var paths []string
	for i, volume := range pod.Volumes {
		b.secret(t, volume.Secret.SecretName)
		paths = append(paths, pod.Containers[0].VolumeMounts[i].MountPath)
	}
	want := []string{pod.Containers[0].Env[0].Value + "/authorization-server", "/secrets/" + entries["key-secret"], "/secrets/" + entries["certificate-secret"]}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("mounted at (-want +got):\n%s", diff)
	}
	if err := b.kube.Patch(t.Context(), b.get(t, "account-overview"), client.RawPatch(types.MergePatchType, encode(t, names))); err != nil {
		t.Fatal(err)
	}
	b.awaitReady(t, "account-overview")
	if renamed := texts(b.secret(t, "account-overview-binding").Data); renamed["token-uri"] != entries["token-endpoint"] || renamed["jwk-set-uri"] != entries["jwks-uri"] {
		t.Errorf("entries are %v", renamed)
	}
}

// documented are the manifests of a document, moved into the bank's namespace.
func (b *bank) documented(t *testing.T, name string) []map[string]any {
	t.Helper()
	var manifests []map[string]any
	for _, part := range strings.Split(string(readFile(t, root, "docs", name)), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		manifest := map[string]any{}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "namespace: retail", "namespace: "+b.namespace)), &manifest); err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, manifest)
	}
	return manifests
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestEntriesOfABindingHaveTheNamesThatTheSpecGives(t *testing.T) {
	t.Parallel()
	w, server := openBindery(t)
	w.create(t, "planner", merge(t, dpopSpec, `binding: {secretName: oauth, entries: {issuer: issuer-uri, token-endpoint: TOKEN_URL, client-id: issuer}}`))
	w.walk(t, "planner")
	want := w.commonEntries(server, server.Issuer)
	entries := texts(w.secret(t, "oauth").Data)
	if entries["issuer-uri"] != want["issuer"] || entries["TOKEN_URL"] != want["token-endpoint"] || entries["issuer"] != want["client-id"] {
		t.Errorf("entries are %v", entries)
	}
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Binding.Entries = nil })
	w.walk(t, "planner")
	entries = texts(w.secret(t, "oauth").Data)
	if _, former := entries["TOKEN_URL"]; former || entries["issuer"] != want["issuer"] || entries["client-id"] != want["client-id"] {
		t.Errorf("entries are %v", entries)
	}
}

// However many applications there are, the server is asked once, and in the steady
// state nothing is written.
func TestSteadyBindingsAskOnceAndWriteNothing(t *testing.T) {
	t.Parallel()
	w, _ := openBindery(t)
	names := []string{"first", "second", "third"}
	for _, name := range names {
		w.create(t, name, merge(t, dpopSpec, `binding: {}`))
		w.walk(t, name)
	}
	w.kubeFault = func(verb string, object client.Object, key string, do func() error) error {
		if verb != "get" && verb != "list" {
			t.Errorf("%s of %T %s", verb, object, key)
		}
		return do()
	}
	for _, name := range names {
		w.walk(t, name)
	}
	if asked := w.reconciler.Registrar.(*askedRegistrar).asked.Load(); asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
}

// What a person changes in the Secret is put right, and one that is deleted is made again.
func TestABindingIsPutRight(t *testing.T) {
	t.Parallel()
	w, _ := openBindery(t)
	w.create(t, "planner", merge(t, dpopSpec, `binding: {}`))
	w.walk(t, "planner")
	whole := w.secret(t, "planner-binding")
	changed := whole.DeepCopy()
	changed.Data["token-endpoint"], changed.Data["theirs"], changed.OwnerReferences = []byte("https://elsewhere.example/token"), []byte("added"), nil
	if err := w.kube.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	put := w.secret(t, "planner-binding")
	if diff := cmp.Diff(texts(whole.Data), texts(put.Data)); diff != "" || !metav1.IsControlledBy(put, w.get(t, "planner")) {
		t.Errorf("owners %v, entries (-want +got):\n%s", put.OwnerReferences, diff)
	}
	if err := w.kube.Delete(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	if w.readBinding(t, "planner-binding") == nil {
		t.Error("the Secret was not made again")
	}
}

// A former Secret goes, whatever the status remembers of it; what else was made for
// the application stays, such as the Secret of a certificate that it has no more.
func TestFormerBindingsGo(t *testing.T) {
	t.Parallel()
	for _, loses := range []bool{false, true} {
		t.Run(fmt.Sprintf("status lost: %v", loses), func(t *testing.T) {
			t.Parallel()
			w, _ := openBindery(t)
			w.create(t, "planner", merge(t, dpopSpec, `binding: {}`))
			w.walk(t, "planner")
			kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "planner-mtls", Labels: w.secret(t, "planner-binding").Labels}}
			if err := w.kube.Create(t.Context(), kept); err != nil {
				t.Fatal(err)
			}
			rebind := func(binding *v1alpha1.Binding) {
				if loses {
					w.loseStatus(t, "planner")
				}
				w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Binding = binding })
				w.walk(t, "planner")
			}
			rebind(&v1alpha1.Binding{SecretName: "oauth"})
			if status := w.get(t, "planner").Status.Binding; w.readBinding(t, "planner-binding") != nil || w.readBinding(t, "oauth") == nil || status == nil || status.Name != "oauth" {
				t.Errorf("after another name, the status has %v", status)
			}
			rebind(nil)
			if status := w.get(t, "planner").Status.Binding; w.readBinding(t, "oauth") != nil || status != nil {
				t.Errorf("after the end, the status has %v", status)
			}
			for _, name := range []string{"planner-keys", "planner-mtls"} {
				if w.readBinding(t, name) == nil {
					t.Errorf("%s went as well", name)
				}
			}
			requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionBindingReady, metav1.ConditionTrue, v1alpha1.ReasonNotNeeded)
		})
	}
}

// A Secret that is somebody else's, or holds the application's key, is never overwritten.
func TestABindingTakesNobodysSecret(t *testing.T) {
	t.Parallel()
	w, _ := openBindery(t)
	theirs := w.createSecret(t, "theirs", corev1.SecretTypeOpaque)
	w.createSecret(t, "their-binding", "servicebinding.io/oauth2")
	w.create(t, "planner", dpopSpec)
	w.walk(t, "planner")
	for _, name := range []string{"theirs", "their-binding", "planner-keys", "planner-next-key"} {
		before := w.readBinding(t, name)
		w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Binding = &v1alpha1.Binding{SecretName: name} })
		w.walk(t, "planner")
		refused := w.get(t, "planner")
		requireCondition(t, refused, v1alpha1.ConditionBindingReady, metav1.ConditionFalse, v1alpha1.ReasonOwnedByAnother)
		requireCondition(t, refused, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOwnedByAnother)
		if after := w.readBinding(t, name); !cmp.Equal(before, after) || refused.Status.Binding != nil {
			t.Errorf("Secret %s was touched, and the status has %v", name, refused.Status.Binding)
		}
	}
	if err := w.kube.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Binding = &v1alpha1.Binding{SecretName: "theirs"} })
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func (b *bank) createSecret(t *testing.T, name string, kind corev1.SecretType) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}, Type: kind, Data: map[string][]byte{"token": []byte("secret")}}
	if err := b.kube.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

// Nor does a certificate take the Secret of a binding: cert-manager would write into it.
func TestACertificateDoesNotTakeABindingsSecret(t *testing.T) {
	t.Parallel()
	w, _ := openBindery(t)
	w.create(t, "planner", merge(t, dpopSpec, `binding: {secretName: shared}`))
	w.walk(t, "planner")
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) {
		a.Spec.MutualTLS = &v1alpha1.MutualTLS{Certificate: v1alpha1.ClientCertificate{IssuerRef: v1alpha1.IssuerReference{Name: "client-ca"}, SecretName: "shared"}}
	})
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionCertificateReady, metav1.ConditionFalse, v1alpha1.ReasonOwnedByAnother)
}

// The status names no Secret that is gone and could not be made again.
func TestABindingThatIsGoneIsNotInTheStatus(t *testing.T) {
	t.Parallel()
	w, _ := openBindery(t)
	w.create(t, "planner", merge(t, dpopSpec, `binding: {}`))
	w.walk(t, "planner")
	if err := w.kube.Delete(t.Context(), w.secret(t, "planner-binding")); err != nil {
		t.Fatal(err)
	}
	w.kubeFault = func(verb string, _ client.Object, _ string, do func() error) error {
		if verb == "create" {
			return errBroken
		}
		return do()
	}
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Error("it is not tried again")
	}
	gone := w.get(t, "planner")
	requireCondition(t, gone, v1alpha1.ConditionBindingReady, metav1.ConditionUnknown, v1alpha1.ReasonPending)
	requireCondition(t, gone, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPending)
	if gone.Status.Binding != nil {
		t.Errorf("status.binding is %v", gone.Status.Binding)
	}
	w.kubeFault = nil
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestABindingWaitsForAFileOfAuthorities(t *testing.T) {
	t.Parallel()
	w, server := openBindery(t)
	if err := os.WriteFile(w.reconciler.ServerCAFile, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.create(t, "planner", merge(t, dpopSpec, `binding: {}`))
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Error("it is not tried again")
	}
	waiting := w.get(t, "planner")
	requireCondition(t, waiting, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidServerCA)
	requireCondition(t, waiting, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonInvalidServerCA)
	if w.readBinding(t, "planner-binding") != nil {
		t.Error("the Secret was made without the authorities")
	}
	if err := os.WriteFile(w.reconciler.ServerCAFile, server.Authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// Whichever call fails, when a binding is made, gets another name, or ends, nobody
// is told that it is there when it is not, and the next walks make it so.
func TestABindingIsTrueWhicheverCallFails(t *testing.T) {
	t.Parallel()
	w, _ := openBindery(t)
	b := &breaker{}
	b.place(w)
	failed := 0
	for at := 1; ; at++ {
		name, before := fmt.Sprintf("planner-%d", at), failed
		w.create(t, name, merge(t, dpopSpec, `binding: {secretName: `+name+`-one}`))
		for step, want := range []string{name + "-one", name + "-two", ""} {
			if step > 0 {
				w.change(t, name, func(a *v1alpha1.FAPIApplication) {
					if a.Spec.Binding = nil; want != "" {
						a.Spec.Binding = &v1alpha1.Binding{SecretName: want}
					}
				})
			}
			b.at, b.calls = at, 0
			if _, err := w.reconcile(t, name); err != nil || b.calls >= at {
				failed++
			}
			w.requireTrueBinding(t, name, want)
			b.at = 0
			w.walk(t, name)
			w.walk(t, name)
			requireCondition(t, w.get(t, name), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			w.requireTrueBinding(t, name, want)
			if left := w.bindingsOf(t, name); len(left) > 1 || len(left) == 1 && left[0] != want || len(left) == 0 && want != "" {
				t.Errorf("call %d of step %d failed: the bindings are %q, want %q", at, step, left, want)
			}
		}
		if failed == before {
			break
		}
	}
	if failed < 12 {
		t.Errorf("only %d calls failed", failed)
	}
}

// requireTrueBinding: an application that is ready has the binding, and a status
// that names a Secret names one that is there.
func (w *workshop) requireTrueBinding(t *testing.T, name, want string) {
	t.Helper()
	application := w.get(t, name)
	status := application.Status
	fresh := status.ObservedGeneration == application.Generation
	if fresh && meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) && want != "" &&
		(status.Binding == nil || status.Binding.Name != want || w.readBinding(t, want) == nil) {
		t.Errorf("%s is ready without its binding: %v", name, status.Binding)
	}
	if fresh && status.Binding != nil && w.readBinding(t, status.Binding.Name) == nil {
		t.Errorf("the status of %s names Secret %s, which is not there", name, status.Binding.Name)
	}
}

func (w *workshop) bindingsOf(t *testing.T, name string) []string {
	t.Helper()
	var secrets corev1.SecretList
	if err := w.kube.List(t.Context(), &secrets, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, secret := range secrets.Items {
		if secret.Type == "servicebinding.io/oauth2" && strings.HasPrefix(secret.Name, name+"-") {
			names = append(names, secret.Name)
		}
	}
	return names
}

// The server comes to publish something else, and clients come to trust somebody
// else: every binding follows, and nothing else happens.
func TestBindingsFollowTheServer(t *testing.T) {
	t.Parallel()
	b, here, there := openBranch(t, fapi.Limits{}), fapitest.StartServer(t), fapitest.StartServer(t)
	asked := registrarOf(here)
	b.registrar, b.resync = asked, time.Second
	b.serverCAFile = testca.WriteFile(t, t.TempDir(), "ca.crt", here.Authority.PEM())
	b.startOperator(t)
	names := []string{"first", "second"}
	for _, name := range names {
		b.create(t, name, merge(t, dpopSpec, `binding: {}`))
		b.awaitReady(t, name)
	}
	b.create(t, "plain", dpopSpec)
	plain := b.awaitReady(t, "plain")
	asked.answers.Store(there)
	if err := os.WriteFile(b.serverCAFile, there.Authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b.eventually(t, "the binding of "+name+" follows", func(context.Context) error {
			entries := texts(b.secret(t, name+"-binding").Data)
			if entries["token-endpoint"] != there.Issuer+"/token" || entries["ca.crt"] != string(there.Authority.PEM()) {
				return fmt.Errorf("entries are %v", entries)
			}
			return nil
		})
	}
	if err := b.kube.Delete(t.Context(), b.secret(t, "first-binding")); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "a Secret that was deleted is made again", func(ctx context.Context) error {
		return b.kube.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: "first-binding"}, &corev1.Secret{})
	})
	if after := b.get(t, "plain"); after.ResourceVersion != plain.ResourceVersion {
		t.Errorf("the application without a binding was written to: %+v", after.Status.Conditions)
	}
	b.delete(t, "first")
	b.awaitGone(t, "first")
	b.eventually(t, "the binding goes with its application", func(ctx context.Context) error {
		err := b.kube.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: "first-binding"}, &corev1.Secret{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errNotYet, err)
	})
}
