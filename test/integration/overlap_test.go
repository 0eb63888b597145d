package integration

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// reissueFrom names another issuer, so that what cert-manager has issued is not what the
// spec asks for any more.
func (w *workshop) reissueFrom(t *testing.T, issuer v1alpha1.IssuerReference) {
	t.Helper()
	w.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.MutualTLS.Certificate.IssuerRef = issuer })
}

// A former certificate leaves the registration when its overlap ends, though the next
// one cannot be issued.
func TestAnOverlapEndsWhileTheCertificateCannotBeRenewed(t *testing.T) {
	t.Parallel()
	w, first := openWithCertificate(t, selfSignedSpec)
	second := w.shownAnew(t)
	w.reissueFrom(t, v1alpha1.IssuerReference{Name: "nowhere", Kind: "External", Group: "example.com"})
	if due := w.walk(t, "planner"); due != certificateOverlap {
		t.Errorf("the operator comes back in %v, want %v", due, certificateOverlap)
	}
	requireCertificates(t, "before its end", w.certificatesHeld(t, "planner"), second, first, second)
	requireCertificateStatus(t, w.get(t, "planner"), second, first)

	w.advance(certificateOverlap)
	w.server.faults.set(onWrites(answer(http.StatusServiceUnavailable)))
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Error("the walk succeeded without the server")
	}
	requireCertificates(t, "while the server is away", w.certificatesHeld(t, "planner"), second, first, second)
	requireCertificateStatus(t, w.get(t, "planner"), second, first)
	w.awaitCondition(t, "planner", v1alpha1.ConditionCertificateReady, v1alpha1.ReasonIssuing)

	w.server.faults.set(nil)
	k := &killer{w: w, t: t, after: true, at: 1}
	k.look = func() { k.requireKnown("planner") }
	k.place()
	if !k.run("planner") {
		t.Error("nothing was changed at the end of the overlap")
	}
	requireCertificates(t, "registered, and the operator is killed", w.certificatesHeld(t, "planner"), second, second)
	k.at = 0
	k.run("planner")
	requireCertificates(t, "at its end", w.certificatesHeld(t, "planner"), second, second)
	requireCertificateStatus(t, w.get(t, "planner"), second)
	w.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonIssuing)
	revision := w.server.revision(t)
	if due := w.walk(t, "planner"); due != 0 || w.server.revision(t) != revision {
		t.Errorf("the operator comes back in %v, and registers again: %t", due, w.server.revision(t) != revision)
	}

	w.reissueFrom(t, v1alpha1.IssuerReference{Name: "self-signed"})
	w.walkToReady(t, "planner")
	held := w.certificatesHeld(t, "planner")
	if slices.Contains(held.registered, first) || !slices.Contains(held.registered, held.shown) {
		t.Errorf("issued again: the Secret shows %s, and registered are %q", held.shown, held.registered)
	}
}

// So does a former CA.
func TestAnOverlapOfIssuersEndsWhileTheCertificateCannotBeRenewed(t *testing.T) {
	t.Parallel()
	w, _ := openWithCertificate(t, tlsSpec)
	former := w.thumbprint(t, "client-ca")
	w.changeAuthority(t)
	second := w.reissue(t, "planner-mtls", "planner-mtls")
	w.walk(t, "planner")
	requireCertificateStatus(t, w.get(t, "planner"), second, former)
	w.requireAnchors(t, "before its end", former, w.thumbprint(t, "client-ca"))
	w.reissueFrom(t, v1alpha1.IssuerReference{Name: "nowhere"})
	if due := w.walk(t, "planner"); due != time.Minute {
		t.Errorf("the operator looks for the issuer in %v, want a minute", due)
	}
	w.advance(certificateOverlap)
	w.walk(t, "planner")
	w.requireAnchors(t, "at its end", w.thumbprint(t, "client-ca"))
	w.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonIssuerNotFound)
	requireCertificateStatus(t, w.get(t, "planner"), second)
}

// requireAnchors compares by whom the client's certificates may be signed.
func (w *workshop) requireAnchors(t *testing.T, what string, thumbprints ...string) {
	t.Helper()
	record, err := w.server.client(t, w.namespace+".planner")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for block, rest := pem.Decode([]byte(record.Metadata.TLSClientAuthTrustAnchors)); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, jose.CertificateThumbprint(certificate))
	}
	requireKeys(t, what, got, thumbprints...)
}
