package integration

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// selfSignedSpec is a client whose certificate is registered itself.
var selfSignedSpec = strings.NewReplacer("tls_client_auth", "self_signed_tls_client_auth", "client-ca", "self-signed").Replace(tlsSpec)

const tlsSpec = `
grantTypes: [authorization_code]
redirectURIs: ["https://app.example.com/callback"]
scopes: [openid]
clientAuthentication: {method: tls_client_auth}
mutualTLS: {certificate: {issuerRef: {name: client-ca}}}
`

// createIssuers makes the samples' issuers: self-signed, and client-ca.
func (b *bank) createIssuers(t *testing.T) {
	t.Helper()
	b.Kubectl(t, "apply", "--namespace", b.namespace, "-f", root+"/config/samples/issuer.yaml")
}

func TestMutualTLSClientGetsACertificateAndItsIssuerIsRegistered(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.createIssuers(t)
	b.create(t, "payments", tlsSpec)
	ready := b.awaitReady(t, "payments")
	requireCondition(t, ready, v1alpha1.ConditionCertificateReady, metav1.ConditionTrue, v1alpha1.ReasonIssued)

	record, err := b.server.client(t, b.namespace+".payments")
	if err != nil {
		t.Fatal(err)
	}
	uri := "urn:fapi-operator:" + installation + ":" + b.namespace + ".payments"
	secret := b.secret(t, "payments-mtls")
	if record.Metadata.TLSClientAuthSANURI != uri || record.Metadata.TLSClientAuthTrustAnchors != string(secret.Data[cmmeta.TLSCAKey]) {
		t.Errorf("registered name %q and anchors %q", record.Metadata.TLSClientAuthSANURI, record.Metadata.TLSClientAuthTrustAnchors)
	}
	certificate := b.certificate(t, "payments-mtls")
	if got := certificate.Spec.PrivateKey.RotationPolicy; got != cmv1.RotationPolicyAlways {
		t.Errorf("rotation policy %q, want it stated as Always", got)
	}
	status := ready.Status.Certificate
	if status == nil || status.SecretName != "payments-mtls" || status.Thumbprint == "" || status.SerialNumber == "" || !status.NotAfter.Equal(certificate.Status.NotAfter) {
		t.Errorf("certificate status %+v", status)
	}
}

func (b *bank) certificate(t *testing.T, name string) *cmv1.Certificate {
	t.Helper()
	certificate := &cmv1.Certificate{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, certificate); err != nil {
		t.Fatal(err)
	}
	return certificate
}

// Only the certificate changes: name and issuer, and so the registration, stay.
func TestRenewedCertificateStandsInStatusAndRegistersNothing(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.createIssuers(t)
	b.create(t, "payments", tlsSpec)
	before := b.awaitReady(t, "payments").Status.Certificate
	revision, registered := b.server.revision(t), b.server.faults.count(registerClient)
	b.renew(t, "payments-mtls")
	b.eventually(t, "the renewed certificate stands in status", func(context.Context) error {
		if after := b.get(t, "payments").Status.Certificate; after == nil || after.Thumbprint == before.Thumbprint {
			return errNotYet
		}
		return nil
	})
	b.awaitReady(t, "payments")
	if got := b.server.revision(t); got != revision || b.server.faults.count(registerClient) != registered {
		t.Errorf("the renewal took the store from revision %d to %d, with %d registrations", revision, got, b.server.faults.count(registerClient)-registered)
	}
}

// renew asks cert-manager the way that its command-line tool does.
func (b *bank) renew(t *testing.T, name string) {
	t.Helper()
	b.eventually(t, "the renewal is asked for", func(ctx context.Context) error {
		certificate := b.certificate(t, name)
		certificate.Status.Conditions = append(certificate.Status.Conditions, cmv1.CertificateCondition{
			Type:               cmv1.CertificateConditionIssuing,
			Status:             cmmeta.ConditionTrue,
			Reason:             "ManuallyTriggered",
			LastTransitionTime: &metav1.Time{Time: time.Now()},
		})
		return b.kube.Status().Update(ctx, certificate)
	})
}

func TestIssuerThatIsMissingIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "payments", tlsSpec)
	waiting := b.awaitCondition(t, "payments", v1alpha1.ConditionReady, v1alpha1.ReasonIssuerNotFound)
	requireMessage(t, waiting, "client-ca")
	b.createIssuers(t)
	b.awaitReady(t, "payments")
}

// requireMessage wants the words in what is said of the certificate.
func requireMessage(t *testing.T, application *v1alpha1.FAPIApplication, words string) {
	t.Helper()
	if message := messageOf(application, v1alpha1.ConditionCertificateReady); !strings.Contains(message, words) {
		t.Errorf("the message does not say %q: %s", words, message)
	}
}

// Nobody watches issuers, so that one which is waited for is looked at again.
func TestIssuerThatIsNotReadyIsNamedWithItsReason(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", tlsSpec)
	if again := w.walk(t, "planner"); again != time.Minute {
		t.Errorf("a missing issuer is looked for again in %v, want 1m", again)
	}
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionCertificateReady, metav1.ConditionFalse, v1alpha1.ReasonIssuerNotFound)
	lame := &cmv1.Issuer{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "client-ca"},
		Spec:       cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{CA: &cmv1.CAIssuer{SecretName: "nowhere"}}},
	}
	if err := w.kube.Create(t.Context(), lame); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, "cert-manager has looked at the issuer", func(ctx context.Context) error {
		err := w.kube.Get(ctx, client.ObjectKeyFromObject(lame), lame)
		if err == nil && len(lame.Status.Conditions) == 0 {
			err = errNotYet
		}
		return err
	})
	w.walk(t, "planner")
	waiting := w.get(t, "planner")
	requireCondition(t, waiting, v1alpha1.ConditionCertificateReady, metav1.ConditionFalse, v1alpha1.ReasonIssuerNotReady)
	requireMessage(t, waiting, lame.Status.Conditions[0].Message)
}

// Whoever refuses, and however: cert-manager gives each its own reason.
func TestFailedIssuanceRepeatsCertManagersReason(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for name, refusal := range map[string]cmv1.CertificateRequestCondition{
		"failed":  {Type: cmv1.CertificateRequestConditionReady, Status: cmmeta.ConditionFalse, Reason: cmv1.CertificateRequestReasonFailed},
		"invalid": {Type: cmv1.CertificateRequestConditionInvalidRequest, Status: cmmeta.ConditionTrue, Reason: "InvalidRequest"},
	} {
		refusal.Message = "the authority is on holiday: " + name
		b.create(t, name, strings.Replace(tlsSpec, "name: client-ca", "name: client-ca, kind: CertificateAuthority, group: example.com", 1))
		b.awaitCondition(t, name, v1alpha1.ConditionCertificateReady, v1alpha1.ReasonIssuing)
		b.refuseIssuance(t, name+"-mtls", refusal)
		failed := b.awaitCondition(t, name, v1alpha1.ConditionReady, v1alpha1.ReasonIssuanceFailed)
		requireMessage(t, failed, refusal.Message)
	}
}

// A certificate that is still good stays so, and people hear early that it is not renewed.
func TestRenewalThatFailsIsToldWhileTheCertificateIsGood(t *testing.T) {
	t.Parallel()
	w, _ := openWithCertificate(t, tlsSpec)
	if err := w.kube.Delete(t.Context(), &cmv1.Issuer{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "client-ca"}}); err != nil {
		t.Fatal(err)
	}
	w.renew(t, "planner-mtls")
	w.refuseIssuance(t, "planner-mtls", cmv1.CertificateRequestCondition{
		Type: cmv1.CertificateRequestConditionReady, Status: cmmeta.ConditionFalse, Reason: cmv1.CertificateRequestReasonFailed, Message: "the authority is on holiday",
	})
	w.eventually(t, "the failure is told", func(context.Context) error {
		w.walk(t, "planner")
		if !strings.Contains(messageOf(w.get(t, "planner"), v1alpha1.ConditionCertificateReady), "the authority is on holiday") {
			return errNotYet
		}
		return nil
	})
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// refuseIssuance answers the request that is open as an issuer outside of cert-manager does.
func (b *bank) refuseIssuance(t *testing.T, certificate string, refusal cmv1.CertificateRequestCondition) {
	t.Helper()
	refusal.LastTransitionTime = &metav1.Time{Time: time.Now()}
	b.eventually(t, "the request is refused", func(ctx context.Context) error {
		var requests cmv1.CertificateRequestList
		if err := b.kube.List(ctx, &requests, client.InNamespace(b.namespace)); err != nil {
			return err
		}
		for i := range requests.Items {
			request := &requests.Items[i]
			if request.Annotations[cmv1.CertificateNameKey] != certificate || len(request.Status.Certificate) > 0 {
				continue
			}
			request.Status.Conditions = append(slices.DeleteFunc(request.Status.Conditions, func(condition cmv1.CertificateRequestCondition) bool {
				return condition.Type == refusal.Type
			}), refusal)
			request.Status.FailureTime = refusal.LastTransitionTime
			return b.kube.Status().Update(ctx, request)
		}
		return fmt.Errorf("%d requests, none of them open for %s", len(requests.Items), certificate)
	})
}

func TestSelfSignedCertificateIsRegisteredItself(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.createIssuers(t)
	b.create(t, "payments", selfSignedSpec)
	ready := b.awaitReady(t, "payments")
	record, err := b.server.client(t, b.namespace+".payments")
	if err != nil {
		t.Fatal(err)
	}
	if got := registeredCertificates(t, record.Metadata); len(got) != 1 || got[0] != ready.Status.Certificate.Thumbprint {
		t.Errorf("certificates %q are registered, %s is issued", got, ready.Status.Certificate.Thumbprint)
	}
	certificate := b.certificate(t, "payments-mtls")
	if rotation, secret := certificate.Spec.PrivateKey.RotationPolicy, certificate.Spec.SecretName; rotation != cmv1.RotationPolicyAlways || secret != "payments-mtls-staging" {
		t.Errorf("rotation policy %q and Secret %s of a certificate that the server has to know first", rotation, secret)
	}
	shown, staged := b.secret(t, "payments-mtls"), b.secret(t, "payments-mtls-staging")
	if shown.Type != corev1.SecretTypeTLS || !maps.EqualFunc(shown.Data, staged.Data, bytes.Equal) {
		t.Errorf("Secret of type %s does not hold the certificate that was issued", shown.Type)
	}
	if err := b.kube.Delete(t.Context(), shown); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "the Secret that was deleted is back", func(ctx context.Context) error {
		return b.kube.Get(ctx, client.ObjectKeyFromObject(shown), &corev1.Secret{})
	})
	b.renew(t, "payments-mtls")
	b.awaitEvent(t, "payments", v1alpha1.ReasonCertificateRenewed)
}

// cert-manager takes whatever Secret a Certificate names, so the operator looks first.
func TestCertificateNeverTakesSomebodysSecret(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.createIssuers(t)
	b.Kubectl(t, "create", "secret", "generic", "payments-mtls", "--namespace", b.namespace, "--from-literal=tls.key=theirs")
	before := b.secret(t, "payments-mtls")
	b.create(t, "payments", tlsSpec)
	b.awaitCondition(t, "payments", v1alpha1.ConditionCertificateReady, v1alpha1.ReasonOwnedByAnother)
	if after := b.secret(t, "payments-mtls"); after.ResourceVersion != before.ResourceVersion {
		t.Error("the Secret was overwritten")
	}
}

// Nor one of the application's own that are for something else.
func TestCertificateTakesNoSecretOfManagedKeysOrOfItsOwn(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.createIssuers(t)
	for _, name := range []string{"planner-keys", "planner-next-key", "planner-mtls-staging"} {
		w.create(t, "planner", merge(t, dpopSpec, `mutualTLS: {certificate: {issuerRef: {name: client-ca}, secretName: `+name+`}}`))
		w.walk(t, "planner")
		refused := w.get(t, "planner")
		requireCondition(t, refused, v1alpha1.ConditionCertificateReady, metav1.ConditionFalse, v1alpha1.ReasonOwnedByAnother)
		requireMessage(t, refused, name)
		w.delete(t, "planner")
		w.walk(t, "planner")
	}
}

// What is registered itself is not written into somebody's Secret either, though it is
// not cert-manager that writes it.
func TestSelfSignedCertificateIsShownInNobodysSecret(t *testing.T) {
	t.Parallel()
	w, _ := openWithCertificate(t, selfSignedSpec)
	w.Kubectl(t, "create", "secret", "generic", "theirs", "--namespace", w.namespace, "--from-literal=tls.key=theirs")
	before := w.secret(t, "theirs")
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.MutualTLS.Certificate.SecretName = "theirs" })
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionCertificateReady, metav1.ConditionFalse, v1alpha1.ReasonOwnedByAnother)
	if after := w.secret(t, "theirs"); after.ResourceVersion != before.ResourceVersion {
		t.Error("the Secret was overwritten")
	}
}

func TestCertificateFollowsTheSpec(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.createIssuers(t)
	b.create(t, "app", merge(t, dpopSpec, `mutualTLS: {certificate: {issuerRef: {name: client-ca}, duration: 48h}}`))
	b.awaitReady(t, "app")
	if got := b.certificate(t, "app-mtls").Spec.Duration; got == nil || got.Duration != 48*time.Hour {
		t.Errorf("duration %v, want 48h", got)
	}
	b.change(t, "app", func(a *v1alpha1.FAPIApplication) { a.Spec.MutualTLS.Certificate.Duration = nil })
	b.awaitReady(t, "app")
	if got := b.certificate(t, "app-mtls").Spec.Duration; got != nil {
		t.Errorf("duration %v, want none after it was taken out of the spec", got)
	}
	b.change(t, "app", func(a *v1alpha1.FAPIApplication) { a.Spec.MutualTLS = nil })
	ready := b.awaitReady(t, "app")
	b.Kubectl(t, "wait", "--for=delete", "--namespace", b.namespace, "certificate/app-mtls", "--timeout=60s")
	if ready.Status.Certificate != nil {
		t.Errorf("certificate status %+v of a client without one", ready.Status.Certificate)
	}
}

func TestCertificateOfSomebodyElseIsLeftUntouched(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.createIssuers(t)
	theirs := &cmv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "payments-mtls"},
		Spec:       cmv1.CertificateSpec{SecretName: "theirs", DNSNames: []string{"theirs.example.com"}, IssuerRef: cmmeta.IssuerReference{Name: "client-ca"}},
	}
	if err := b.kube.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	b.create(t, "payments", tlsSpec)
	b.awaitCondition(t, "payments", v1alpha1.ConditionCertificateReady, v1alpha1.ReasonOwnedByAnother)
	if got := b.certificate(t, "payments-mtls").Spec.SecretName; got != "theirs" {
		t.Errorf("their Certificate writes into Secret %s now", got)
	}
	if err := b.kube.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	b.awaitReady(t, "payments")
}

// cert-manager leaves its Secrets behind, and the operator does not.
func TestCertificateAndItsSecretsGoWithTheApplication(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.createIssuers(t)
	w.create(t, "issued", tlsSpec)
	w.create(t, "retained", merge(t, selfSignedSpec, `deletionPolicy: Retain`))
	w.create(t, "kept", merge(t, tlsSpec, `deletionPolicy: Retain`))
	for _, name := range []string{"issued", "retained", "kept"} {
		w.walkToReady(t, name)
	}
	w.Kubectl(t, "delete", "fapiapp/issued", "fapiapp/retained", "--namespace", w.namespace, "--wait=false")
	w.Kubectl(t, "delete", "fapiapp/kept", "--namespace", w.namespace, "--wait=false", "--cascade=orphan")
	for _, name := range []string{"issued", "retained", "kept"} {
		w.walk(t, name)
		w.awaitGone(t, name)
	}
	if w.find(t, "issued-mtls") != nil || w.find(t, "retained-mtls-staging") != nil {
		t.Error("the Secret that cert-manager wrote is left")
	}
	for _, kind := range []string{"certificate/issued-mtls", "certificate/retained-mtls", "secret/retained-mtls"} {
		w.Kubectl(t, "wait", "--for=delete", "--namespace", w.namespace, kind, "--timeout=60s")
	}
	kept := w.thumbprint(t, "kept-mtls")
	if kept == "" || w.certificate(t, "kept-mtls") == nil {
		t.Error("what was to be kept is gone")
	}
	w.create(t, "kept", tlsSpec)
	if again := w.walkToReady(t, "kept"); again.Status.Certificate.Thumbprint != kept {
		t.Errorf("certificate %s was kept, and the application that is back has %s", kept, again.Status.Certificate.Thumbprint)
	}
	w.delete(t, "kept")
	w.walk(t, "kept")
	if w.find(t, "kept-mtls") != nil {
		t.Error("what was kept does not go with the application that is back")
	}
}
