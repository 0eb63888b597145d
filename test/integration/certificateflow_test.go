package integration

import (
	"context"
	"crypto/tls"
	"strings"
	"sync"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// presenting is an application that has read its certificate now, at the whole server.
func (b *bank) presenting(t *testing.T, server *fapitest.Server, method string) *fapitest.Client {
	t.Helper()
	certificate, err := b.shownCertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := &fapitest.Client{
		Identity: fapitest.Identity{
			ClientID: b.namespace + ".planner", RedirectURI: "https://app.example.com/callback", Scope: "openid accounts",
			AuthMethod: method, Certificate: certificate,
		},
		Issuer: server.Issuer, Roots: server.Authority.Pool(), Now: server.Clock.Now,
	}
	t.Cleanup(client.Close)
	return client
}

// shownCertificate is what the application reads.
func (b *bank) shownCertificate(ctx context.Context) (*tls.Certificate, error) {
	secret := &corev1.Secret{}
	if err := b.kube.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: "planner-mtls"}, secret); err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	return &certificate, err
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

// renewals is how often each certificate is renewed under load.
const renewals = 2

// The running operator, cert-manager and the whole server: an instance that reads the
// Secret before each request, and one that never reads it again, are served all the time.
func TestRenewalsUnderLoadLoseNoRequest(t *testing.T) {
	t.Parallel()
	for method, test := range map[string]struct{ spec, issued string }{
		oauth.AuthTLSClient:     {tlsSpec, "planner-mtls"},
		oauth.AuthSelfSignedTLS: {selfSignedSpec, "planner-mtls-staging"},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			server := fapitest.StartServer(t)
			server.Clock.Run()
			b := openBranch(t, fapi.Limits{})
			b.registrar = server.Registrar
			b.startOperator(t)
			b.createIssuers(t)
			b.create(t, "planner", refreshing(t, test.spec))
			b.awaitReady(t, "planner")
			slow := b.presenting(t, server, method)
			refreshToken := consent(t, slow, server)

			load := b.load(t, slow, refreshToken)
			for range renewals {
				before := b.thumbprint(t, "planner-mtls")
				b.reissue(t, "planner-mtls", test.issued)
				b.awaitOther(t, "planner-mtls", before)
			}
			served := load()
			t.Logf("%d requests in %d renewals", served, renewals)
			if served < 2*renewals {
				t.Error("so few requests say nothing")
			}
		})
	}
}

// load has both instances ask for tokens, in turn, until it is told to end; it tells
// how many requests were served.
func (b *bank) load(t *testing.T, slow *fapitest.Client, refreshToken string) (end func() (served int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun := context.WithoutCancel(ctx) // what has begun is finished
	ended := make(chan int)
	go func() {
		served := 0
		for ; ctx.Err() == nil; served++ {
			if _, err := slow.Refresh(begun, refreshToken, ""); err != nil {
				t.Errorf("the instance that never reads again: %v", err)
			}
			if err := b.refreshAnew(begun, slow, refreshToken); err != nil {
				t.Errorf("the instance that reads again: %v", err)
			}
		}
		ended <- 2 * served
	}()
	end = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { end() })
	return end
}

// refreshAnew presents the certificate that the Secret shows now.
func (b *bank) refreshAnew(ctx context.Context, instance *fapitest.Client, refreshToken string) error {
	certificate, err := b.shownCertificate(ctx)
	if err != nil {
		return err
	}
	again := instance.With(instance.Misbehave)
	again.Certificate = certificate
	defer again.Close()
	_, err = again.Refresh(ctx, refreshToken, "")
	return err
}

// refreshing lets the client have refresh tokens.
func refreshing(t *testing.T, spec string) string {
	t.Helper()
	return merge(t, spec, `{grantTypes: [authorization_code, refresh_token], scopes: [openid, accounts]}`)
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
	w.create(t, "planner", refreshing(t, spec))
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
