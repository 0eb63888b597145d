package integration

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// certificateOverlap is how long a former certificate stays registered where the spec
// does not say (docs/certificates.md).
const certificateOverlap = time.Hour

// registeredCertificates are the thumbprints of the certificates in the client's keys.
func registeredCertificates(t *testing.T, metadata registration.Metadata) []string {
	t.Helper()
	keys, err := jose.ParseKeySet(metadata.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	var thumbprints []string
	for _, key := range keys.Keys() {
		for _, certificate := range key.Certificates() {
			thumbprints = append(thumbprints, jose.CertificateThumbprint(certificate))
		}
	}
	return thumbprints
}

// certificatesHeld are the thumbprints of what the parties have.
type certificatesHeld struct {
	shown      string // in the Secret that the application mounts; empty: there is none
	staged     string // in the Secret that cert-manager writes; empty: there is none
	registered []string
}

func (w *workshop) certificatesHeld(t *testing.T, name string) certificatesHeld {
	t.Helper()
	held := certificatesHeld{shown: w.thumbprint(t, name+"-mtls"), staged: w.thumbprint(t, name+"-mtls-staging")}
	if record, err := w.server.client(t, w.namespace+"."+name); err == nil {
		held.registered = registeredCertificates(t, record.Metadata)
	}
	return held
}

// thumbprint is empty where the Secret holds no certificate.
func (b *bank) thumbprint(t *testing.T, secret string) string {
	t.Helper()
	if found := b.find(t, secret); found != nil {
		if block, _ := pem.Decode(found.Data[corev1.TLSCertKey]); block != nil {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			return jose.CertificateThumbprint(certificate)
		}
	}
	return ""
}

func requireCertificates(t *testing.T, what string, got certificatesHeld, shown string, registered ...string) {
	t.Helper()
	if got.shown != shown {
		t.Errorf("%s: the Secret shows certificate %q, want %q", what, got.shown, shown)
	}
	requireKeys(t, what, got.registered, registered...)
}

// walkToReady looks at the application until cert-manager has issued what it asks for.
func (w *workshop) walkToReady(t *testing.T, name string) *v1alpha1.FAPIApplication {
	t.Helper()
	var ready *v1alpha1.FAPIApplication
	w.eventually(t, name+" is ready", func(context.Context) error {
		w.walk(t, name)
		ready = w.get(t, name)
		if !meta.IsStatusConditionTrue(ready.Status.Conditions, v1alpha1.ConditionReady) {
			return errors.New(messageOf(ready, v1alpha1.ConditionReady))
		}
		return nil
	})
	return ready
}

// reissue has cert-manager renew the certificate, and gives the thumbprint of the new
// one in the Secret that it writes.
func (b *bank) reissue(t *testing.T, certificate, secret string) string {
	t.Helper()
	before := b.thumbprint(t, secret)
	b.renew(t, certificate)
	return b.awaitOther(t, secret, before)
}

func (b *bank) awaitOther(t *testing.T, secret, before string) (after string) {
	t.Helper()
	b.eventually(t, "another certificate is in Secret "+secret, func(context.Context) error {
		if after = b.thumbprint(t, secret); after == "" || after == before {
			return errNotYet
		}
		return nil
	})
	return after
}

// openWithCertificate is a workshop whose application planner is ready, and the
// thumbprint of its certificate.
func openWithCertificate(t *testing.T, spec string) (w *workshop, first string) {
	t.Helper()
	w = openWorkshop(t)
	w.createIssuers(t)
	w.create(t, "planner", spec)
	w.walkToReady(t, "planner")
	return w, w.thumbprint(t, "planner-mtls")
}

// shownAnew renews a certificate that is registered itself, and has it shown.
func (w *workshop) shownAnew(t *testing.T) (thumbprint string) {
	t.Helper()
	thumbprint = w.reissue(t, "planner-mtls", "planner-mtls-staging")
	w.walk(t, "planner")
	return thumbprint
}

// A certificate that the server has to know is registered before the application can
// see it, and the former one is known for as long as the application may present it.
func TestSelfSignedCertificateIsRegisteredBeforeItIsShownAndTheFormerOneStaysForAnOverlap(t *testing.T) {
	t.Parallel()
	w, first := openWithCertificate(t, selfSignedSpec)
	requireCertificates(t, "at first", w.certificatesHeld(t, "planner"), first, first)

	second := w.reissue(t, "planner-mtls", "planner-mtls-staging")
	w.server.faults.set(onWrites(answer(http.StatusServiceUnavailable)))
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Error("the walk succeeded without the server")
	}
	requireCertificates(t, "while the server is away", w.certificatesHeld(t, "planner"), first, first)
	requireCertificateStatus(t, w.get(t, "planner"), first)

	w.server.faults.set(nil)
	w.reconciler.Replicas = controllers.NewReplicas(w.kube, nil, types.NamespacedName{Namespace: w.namespace, Name: "nowhere"})
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Error("the walk succeeded though no replica is known to serve the client")
	}
	requireCertificates(t, "while nobody serves it", w.certificatesHeld(t, "planner"), first, first, second)
	requireCertificateStatus(t, w.get(t, "planner"), first)

	w.reconciler.Replicas = nil
	if due := w.walk(t, "planner"); due != certificateOverlap {
		t.Errorf("the operator comes back in %v, want %v", due, certificateOverlap)
	}
	requireCertificates(t, "renewed", w.certificatesHeld(t, "planner"), second, first, second)
	requireCertificateStatus(t, w.get(t, "planner"), second, first)

	w.advance(certificateOverlap - time.Second)
	revision := w.server.revision(t)
	if due := w.walk(t, "planner"); due != time.Second || w.server.revision(t) != revision {
		t.Errorf("the operator comes back in %v, and registered before the end of the overlap: %v", due, w.server.revision(t) != revision)
	}
	w.advance(time.Second)
	w.walk(t, "planner")
	requireCertificates(t, "after the overlap", w.certificatesHeld(t, "planner"), second, second)
	requireCertificateStatus(t, w.get(t, "planner"), second)
}

func requireCertificateStatus(t *testing.T, application *v1alpha1.FAPIApplication, shown string, former ...string) {
	t.Helper()
	status := application.Status.Certificate
	if status == nil || status.Thumbprint != shown || status.SecretName != application.Name+"-mtls" {
		t.Errorf("certificate status %+v, want %s", status, shown)
		return
	}
	var got []string
	for _, certificate := range status.Former {
		got = append(got, certificate.Thumbprint)
	}
	requireKeys(t, "former certificates in status", got, former...)
}

// Several renewals within one overlap, and an overlap that is shortened: that ends the
// time of a certificate that somebody else may have.
func TestAnOverlapThatIsShortenedCountsForFormerCertificatesToo(t *testing.T) {
	t.Parallel()
	w, first := openWithCertificate(t, selfSignedSpec)
	second := w.shownAnew(t)
	third := w.shownAnew(t)
	requireCertificates(t, "renewed twice", w.certificatesHeld(t, "planner"), third, first, second, third)
	requireCertificateStatus(t, w.get(t, "planner"), third, first, second)

	w.overlap(t, "planner", 0)
	w.walkToReady(t, "planner")
	requireCertificates(t, "without an overlap", w.certificatesHeld(t, "planner"), third, third)

	fourth := w.reissue(t, "planner-mtls", "planner-mtls-staging")
	if due := w.walk(t, "planner"); due != time.Second {
		t.Errorf("the operator comes back in %v to end an overlap of nothing, want 1s", due)
	}
	requireCertificates(t, "shown without an overlap", w.certificatesHeld(t, "planner"), fourth, third, fourth)
	w.walk(t, "planner")
	requireCertificates(t, "renewed without an overlap", w.certificatesHeld(t, "planner"), fourth, fourth)
}

func (w *workshop) overlap(t *testing.T, name string, overlap time.Duration) {
	t.Helper()
	w.change(t, name, func(a *v1alpha1.FAPIApplication) {
		a.Spec.MutualTLS.Certificate.Overlap = &metav1.Duration{Duration: overlap}
	})
}

// What the application mounts is shown again, whatever has become of it, and who was
// known stays known.
func TestSecretThatIsLostOrDamagedShowsTheCertificateAgain(t *testing.T) {
	t.Parallel()
	w, first := openWithCertificate(t, selfSignedSpec)
	second := w.shownAnew(t)
	for damage, inflict := range map[string]func(*corev1.Secret) error{
		"deleted": func(secret *corev1.Secret) error { return w.kube.Delete(t.Context(), secret) },
		"overwritten": func(secret *corev1.Secret) error {
			secret.Data[corev1.TLSCertKey] = []byte("rubbish")
			return w.kube.Update(t.Context(), secret)
		},
		"without its key": func(secret *corev1.Secret) error {
			secret.Data[corev1.TLSPrivateKeyKey] = nil
			return w.kube.Update(t.Context(), secret)
		},
		"without its annotations": func(secret *corev1.Secret) error {
			secret.Annotations = nil
			return w.kube.Update(t.Context(), secret)
		},
	} {
		if err := inflict(w.find(t, "planner-mtls")); err != nil {
			t.Fatal(err)
		}
		w.walk(t, "planner")
		requireCertificates(t, damage, w.certificatesHeld(t, "planner"), second, first, second)
		requireCertificateStatus(t, w.get(t, "planner"), second, first)
	}
	w.loseStatus(t, "planner")
	w.walk(t, "planner")
	requireCertificates(t, "without a status", w.certificatesHeld(t, "planner"), second, first, second)
	w.advance(certificateOverlap)
	w.walk(t, "planner")
	requireCertificates(t, "after the overlap", w.certificatesHeld(t, "planner"), second, second)
}

// requireKnown looks whether the server knows the certificate that the application
// sees, and gives it.
func (k *killer) requireKnown(name string) (shown string) {
	held := k.w.certificatesHeld(k.t, name)
	if held.shown != "" && !slices.Contains(held.registered, held.shown) {
		k.t.Errorf("call %d: the Secret shows certificate %s, and registered are %q", k.calls, held.shown, held.registered)
	}
	return held.shown
}

// createAsBefore makes the Certificate that an earlier version made, which let
// cert-manager write where the application mounts.
func (w *workshop) createAsBefore(t *testing.T, application *v1alpha1.FAPIApplication) {
	t.Helper()
	labels := map[string]string{"app.kubernetes.io/managed-by": "fapi-operator", "fapi-operator.io/application": application.Name}
	certificate := &cmv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: application.Name + "-mtls", Labels: labels},
		Spec: cmv1.CertificateSpec{
			SecretName:     application.Name + "-mtls",
			SecretTemplate: &cmv1.CertificateSecretTemplate{Labels: labels},
			IssuerRef:      cmmeta.IssuerReference{Name: "self-signed", Kind: "Issuer", Group: "cert-manager.io"},
			URIs:           []string{clientmetadata.CertificateURI(installation, w.namespace+"."+application.Name)},
			Usages:         []cmv1.KeyUsage{cmv1.UsageDigitalSignature, cmv1.UsageClientAuth},
			PrivateKey:     &cmv1.CertificatePrivateKey{RotationPolicy: cmv1.RotationPolicyNever, Encoding: cmv1.PKCS8, Algorithm: cmv1.ECDSAKeyAlgorithm, Size: 256},
		},
	}
	if err := controllerutil.SetControllerReference(application, certificate, w.kube.Scheme()); err != nil {
		t.Fatal(err)
	}
	if err := w.kube.Create(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
}

// registerAsBefore registers the certificate that the application mounts.
func (w *workshop) registerAsBefore(t *testing.T, application *v1alpha1.FAPIApplication) {
	t.Helper()
	block, _ := pem.Decode(w.find(t, application.Name+"-mtls").Data[corev1.TLSCertKey])
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.PublicKeyOf(certificate)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.NewKeySet(key))
	if err != nil {
		t.Fatal(err)
	}
	request := registration.Request{
		Owner: ownerOf(w.namespace, application.Name), Generation: application.Generation,
		Metadata: clientmetadata.FromApplication(application, clientmetadata.Resolved{JWKS: set}),
	}
	if _, err := w.reconciler.Registrar.Register(t.Context(), w.namespace+"."+application.Name, registration.NoRevision, request); err != nil {
		t.Fatal(err)
	}
}

// An application whose certificate cert-manager wrote where the application mounts it
// keeps that one until the server knows the next.
func TestApplicationOfAnEarlierVersionKeepsItsCertificateUntilTheNextIsRegistered(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.createIssuers(t)
	application := w.create(t, "planner", selfSignedSpec)
	w.createAsBefore(t, application)
	first := w.awaitOther(t, "planner-mtls", "")
	w.registerAsBefore(t, application)
	k := &killer{w: w, t: t}
	k.look = func() { k.requireKnown("planner") }
	k.place()

	w.walk(t, "planner")
	requireCertificates(t, "before the next is issued", w.certificatesHeld(t, "planner"), first, first)
	ready := w.walkToReady(t, "planner")
	second := w.certificatesHeld(t, "planner").shown
	if second == first {
		t.Error("the certificate behind the key that was kept is still shown")
	}
	requireCertificates(t, "moved", w.certificatesHeld(t, "planner"), second, first, second)
	requireCertificateStatus(t, ready, second, first)
	w.advance(certificateOverlap)
	w.walk(t, "planner")
	requireCertificates(t, "after the overlap", w.certificatesHeld(t, "planner"), second, second)
	w.delete(t, "planner")
	k.look = func() {}
	k.run("planner")
	if w.find(t, "planner-mtls") != nil {
		t.Error("the Secret that an earlier version had cert-manager write is left")
	}
}

// An application of an earlier version whose certificate a CA signs is not registered
// again, and from then on its CA may change.
func TestApplicationOfAnEarlierVersionWithACAsCertificateRegistersNothing(t *testing.T) {
	t.Parallel()
	w, first := openWithCertificate(t, tlsSpec)
	secret := w.secret(t, "planner-mtls")
	state := secret.Annotations[controllers.CertificateStateAnnotation]
	delete(secret.Annotations, controllers.CertificateStateAnnotation)
	if err := w.kube.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	revision := w.server.revision(t)
	w.walk(t, "planner")
	if got := w.secret(t, "planner-mtls").Annotations[controllers.CertificateStateAnnotation]; got != state || state == "" || w.server.revision(t) != revision {
		t.Errorf("the Secret tells of %q, want %q; revision %d became %d", got, state, revision, w.server.revision(t))
	}
	requireCertificateStatus(t, w.get(t, "planner"), first)
}

// The server knows a client by certificates of one kind at a time. What the
// application sees is known to it from the moment on that it has to be.
func TestAnotherMethodTakesNoCertificateForOneOfAnotherKind(t *testing.T) {
	t.Parallel()
	w, first := openWithCertificate(t, tlsSpec)
	selfSigned := w.application("planner", selfSignedSpec).Spec
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec = selfSigned })
	w.walkToReady(t, "planner")
	second := w.certificatesHeld(t, "planner").shown
	requireCertificates(t, "registered itself", w.certificatesHeld(t, "planner"), second, first, second)

	byAuthority := w.application("planner", tlsSpec).Spec
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec = byAuthority })
	third := w.walkToReady(t, "planner").Status.Certificate
	record, err := w.server.client(t, w.namespace+".planner")
	if err != nil {
		t.Fatal(err)
	}
	secret := w.secret(t, "planner-mtls")
	if got := record.Metadata.TLSClientAuthTrustAnchors; got != string(secret.Data[cmmeta.TLSCAKey]) || len(record.Metadata.JWKS) > 0 {
		t.Errorf("registered anchors %q and keys %s, want what ca.crt holds and no key", got, record.Metadata.JWKS)
	}
	if third.Thumbprint != w.thumbprint(t, "planner-mtls") || third.Thumbprint == second || len(third.Former) > 0 {
		t.Errorf("certificate status %+v", third)
	}
}
