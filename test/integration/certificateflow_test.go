package integration

import (
	"crypto/tls"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// presenting is an application that has read its certificate now, at the whole server.
func (w *workshop) presenting(t *testing.T, server *fapitest.Server, method string) *fapitest.Client {
	t.Helper()
	secret := w.find(t, "planner-mtls")
	certificate, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	client := &fapitest.Client{
		Identity: fapitest.Identity{
			ClientID: w.namespace + ".planner", RedirectURI: "https://app.example.com/callback", Scope: "openid accounts",
			AuthMethod: method, Certificate: &certificate,
		},
		Issuer: server.Issuer, Roots: server.Authority.Pool(), Now: server.Clock.Now,
	}
	t.Cleanup(client.Close)
	return client
}

// The operator, a real API server, cert-manager and the whole authorization server:
// instances that have read the Secret at different times are served all through a
// renewal with another key, and consents live on, since refresh tokens belong to the
// client (RFC 8705, 7.1).
func TestApplicationIsServedThroughARenewalOfItsSelfSignedCertificate(t *testing.T) {
	t.Parallel()
	w, server := openCounter(t, selfSignedSpec)
	slow := w.presenting(t, server, oauth.AuthSelfSignedTLS)
	granted := consent(t, slow, server)

	w.reissue(t, "planner-mtls", "planner-mtls-staging")
	requireRefreshed(t, "with the certificate that is shown before the operator looks", w.presenting(t, server, oauth.AuthSelfSignedTLS), granted, "")
	w.walk(t, "planner")
	quick := w.presenting(t, server, oauth.AuthSelfSignedTLS)
	requireRefreshed(t, "with the old certificate in the overlap", slow, granted, "")
	requireRefreshed(t, "with the new certificate in the overlap", quick, granted, "")

	w.advance(certificateOverlap)
	w.walk(t, "planner")
	requireRefreshed(t, "with the old certificate after the overlap", slow, granted, oauth.InvalidClient)
	requireRefreshed(t, "with the new certificate after the overlap", quick, granted, "")
}

// The same with a certificate of a CA: a renewal registers nothing, and another CA is
// trusted beside the former one for as long as an instance may present what that one
// signed.
func TestApplicationIsServedThroughAChangeOfItsIssuersCA(t *testing.T) {
	t.Parallel()
	w, server := openCounter(t, tlsSpec)
	slow := w.presenting(t, server, oauth.AuthTLSClient)
	granted := consent(t, slow, server)
	revision := w.get(t, "planner").Status.Registration.Revision
	w.reissue(t, "planner-mtls", "planner-mtls")
	w.walk(t, "planner")
	requireRefreshed(t, "with the renewed certificate", w.presenting(t, server, oauth.AuthTLSClient), granted, "")
	if got := w.get(t, "planner").Status.Registration.Revision; got != revision {
		t.Errorf("a renewal by the same CA registered: revision %d, then %d", revision, got)
	}

	former := w.thumbprint(t, "client-ca")
	w.changeAuthority(t)
	second := w.reissue(t, "planner-mtls", "planner-mtls")
	if due := w.walk(t, "planner"); due != certificateOverlap {
		t.Errorf("the operator comes back in %v, want %v", due, certificateOverlap)
	}
	requireCertificateStatus(t, w.get(t, "planner"), second, former)
	quick := w.presenting(t, server, oauth.AuthTLSClient)
	requireRefreshed(t, "signed by the old CA in the overlap", slow, granted, "")
	requireRefreshed(t, "signed by the new CA in the overlap", quick, granted, "")

	w.advance(certificateOverlap)
	w.walk(t, "planner")
	requireCertificateStatus(t, w.get(t, "planner"), second)
	requireRefreshed(t, "signed by the old CA after the overlap", slow, granted, oauth.InvalidClient)
	requireRefreshed(t, "signed by the new CA after the overlap", quick, granted, "")
}

// openCounter is a workshop whose operator registers at a whole server. Its
// application planner is ready, and gets refresh tokens.
func openCounter(t *testing.T, spec string) (*workshop, *fapitest.Server) {
	t.Helper()
	server := fapitest.StartServer(t)
	server.Clock.Run() // the time at which cert-manager issues
	w := openWorkshop(t)
	w.createIssuers(t)
	w.reconciler.Registrar = server.Registrar
	w.create(t, "planner", merge(t, spec, `{grantTypes: [authorization_code, refresh_token], scopes: [openid, accounts]}`))
	w.walkToReady(t, "planner")
	return w, server
}

// consent is a refresh token for what Alice consents to.
func consent(t *testing.T, client *fapitest.Client, server *fapitest.Server) (refreshToken string) {
	t.Helper()
	_, granted, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	return granted.RefreshToken
}

// changeAuthority gives the issuer client-ca another key and certificate.
func (w *workshop) changeAuthority(t *testing.T) {
	t.Helper()
	before := w.thumbprint(t, "client-ca")
	certificate := w.certificate(t, "client-ca")
	certificate.Spec.PrivateKey.RotationPolicy = cmv1.RotationPolicyAlways
	certificate.Spec.CommonName = strings.ToUpper(certificate.Spec.CommonName)
	if err := w.kube.Update(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
	w.awaitOther(t, "client-ca", before)
}
