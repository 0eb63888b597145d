package integration

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/controllers"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// selfTest makes the self-test of the bank's FAPIServer, with the operator's
// rights and no other.
func (b *bank) selfTest(t *testing.T, authority *testca.Authority) *controllers.SelfTest {
	t.Helper()
	kube, err := client.New(b.asOperator(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return &controllers.SelfTest{
		Kube: kube, Uncached: kube, Name: b.namespace,
		Path:  controllers.PublicPath{CAFile: testca.WriteFile(t, t.TempDir(), "ca.crt", authority.PEM()), Now: time.Now},
		Every: time.Minute, Retry: time.Second,
	}
}

// tell makes a FAPIServer that says where clients come.
func (b *bank) tell(t *testing.T, mtlsBaseURL string) {
	t.Helper()
	server := &v1alpha1.FAPIServer{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}
	if err := client.IgnoreAlreadyExists(b.kube.Create(t.Context(), server)); err != nil {
		t.Fatal(err)
	}
	server = b.fapiServer(t)
	server.Status.MTLSBaseURL = mtlsBaseURL
	if err := b.kube.Status().Update(t.Context(), server); err != nil {
		t.Fatal(err)
	}
}

func (b *bank) fapiServer(t *testing.T) *v1alpha1.FAPIServer {
	t.Helper()
	server := &v1alpha1.FAPIServer{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Name: b.namespace}, server); err != nil {
		t.Fatal(err)
	}
	return server
}

// serveTLS serves at localhost with a certificate of the server's authority.
func serveTLS(t *testing.T, server *fapitest.Server, clients tls.ClientAuthType, handler http.Handler) string {
	t.Helper()
	front := httptest.NewUnstartedServer(handler)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{server.Authority.Server(t).TLS(t)}, ClientAuth: clients, ClientCAs: x509.NewCertPool()}
	front.StartTLS()
	t.Cleanup(front.Close)
	return localhost(front.Listener.Addr())
}

func localhost(address net.Addr) string {
	_, port, _ := net.SplitHostPort(address.String())
	return "https://localhost:" + port
}

// nobody gives a URL where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // Nobody is to answer.
	return localhost(listener.Addr())
}

// behindProxy is a server that believes the proxy before it.
func behindProxy(t *testing.T) (*fapitest.Server, *fapitest.Proxy) {
	t.Helper()
	proxies := testca.New(t, "proxies", time.Now())
	server := fapitest.StartServerBehindProxy(t, mtls.HeaderClientCert, proxies)
	own := proxies.Issue(t, testca.Leaf{URIs: []string{fapitest.ProxySAN}}).TLS(t)
	return server, server.StartProxy(t, &fapitest.Proxy{Header: mtls.HeaderClientCert, Certificate: &own})
}

func TestTheSelfTestTellsWhetherACertificateReachesTheServer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	b := openBranch(t, fapi.Limits{})
	test, strange := b.selfTest(t, server.Authority), b.selfTest(t, testca.New(t, "another authority", time.Now()))
	astray := b.selfTest(t, server.Authority)
	astray.Path.CAFile += ".absent"
	proxys := server.Authority.Issue(t, testca.Leaf{DNS: []string{"proxy.example"}}).TLS(t)
	ends, presents := server.StartProxy(t, &fapitest.Proxy{Header: mtls.HeaderClientCert}), server.StartProxy(t, &fapitest.Proxy{Header: mtls.HeaderClientCert, Certificate: &proxys})
	believer, forwards := behindProxy(t)
	pass, fail := v1alpha1.SelfTestPassed, v1alpha1.SelfTestFailed
	for _, path := range []struct {
		where  string
		by     *controllers.SelfTest
		url    string
		result v1alpha1.SelfTestResult
		reason v1alpha1.SelfTestReason
	}{
		{"straight to the server", test, server.MTLSBaseURL, pass, v1alpha1.SelfTestCertificateArrived},
		{"behind a proxy that is believed", b.selfTest(t, believer.Authority), forwards.URL(), pass, v1alpha1.SelfTestCertificateArrived},
		{"behind a proxy that ends TLS", test, ends.URL(), fail, v1alpha1.SelfTestNoCertificateArrived},
		{"behind a proxy with a certificate of its own", test, presents.URL(), fail, v1alpha1.SelfTestAnotherCertificateArrived},
		{"behind a proxy that judges certificates", test, serveTLS(t, server, tls.RequireAndVerifyClientCert, http.NotFoundHandler()), fail, v1alpha1.SelfTestCertificateRefused},
		{"at the listener for browsers", test, server.Issuer, fail, v1alpha1.SelfTestUnexpectedAnswer},
		{"where nothing listens", test, nobody(t), fail, v1alpha1.SelfTestUnreachable},
		{"without the authorities that are to be trusted", astray, server.MTLSBaseURL, fail, v1alpha1.SelfTestUntrustedCertificate},
		{"with a certificate of an unknown authority", strange, server.MTLSBaseURL, fail, v1alpha1.SelfTestUntrustedCertificate},
	} {
		b.tell(t, path.url)
		got, wait := b.runSelfTest(t, path.by)
		if got.Result != path.result || got.Reason != path.reason || got.Message == "" || got.LastTransitionTime.IsZero() {
			t.Errorf("%s: %+v, want %s by %s", path.where, got, path.result, path.reason)
		}
		if want := map[v1alpha1.SelfTestResult]time.Duration{pass: path.by.Every, fail: path.by.Retry}[path.result]; wait != want {
			t.Errorf("%s: the next one comes after %v, want %v", path.where, wait, want)
		}
		// The same again is not written.
		before := b.fapiServer(t)
		b.runSelfTest(t, path.by)
		if after := b.fapiServer(t); after.ResourceVersion != before.ResourceVersion {
			t.Errorf("%s: the same outcome was written again: %+v, was %+v", path.where, after.Status.SelfTest, before.Status.SelfTest)
		}
	}
}

// runSelfTest tries the path once, and gives what stands in the FAPIServer then.
func (b *bank) runSelfTest(t *testing.T, test *controllers.SelfTest) (v1alpha1.SelfTestStatus, time.Duration) {
	t.Helper()
	result, err := test.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: b.namespace}})
	if err != nil {
		t.Fatal(err)
	}
	status := b.fapiServer(t).Status.SelfTest
	if status == nil {
		t.Fatal("the FAPIServer tells of no self-test")
	}
	return *status, result.RequeueAfter
}

// Until a replica has told where clients come there is nothing to try.
func TestTheSelfTestWaitsForTheReport(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	test := b.selfTest(t, testca.New(t, "an authority", time.Now()))
	result, err := test.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: b.namespace}})
	if err != nil || result.RequeueAfter != test.Retry {
		t.Errorf("%+v, %v", result, err)
	}
}

// Report and self-test write into one status, each its own part.
func TestTheReportLeavesTheSelfTestAlone(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	i := runPods(t, 50*time.Millisecond, server)
	i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	if got, _ := i.runSelfTest(t, i.selfTest(t, server.Authority)); got.Result != v1alpha1.SelfTestPassed {
		t.Fatalf("the self-test is %+v", got)
	}
	writes := i.writes.Load()
	i.awaitQuestions(t, 5)
	server.Register(t, "bank.shop", keyAndMTLS)
	after := i.awaitReportWhere(t, "the registration is served", func(s *v1alpha1.FAPIServer) bool {
		return s.Status.Revision != nil && *s.Status.Revision == 1
	})
	if after.Status.SelfTest == nil || after.Status.SelfTest.Result != v1alpha1.SelfTestPassed || after.Status.ReadyReplicas != 1 {
		t.Errorf("the status is %+v", after.Status)
	}
	for _, manager := range after.ManagedFields {
		owns := strings.Contains(manager.FieldsV1.String(), `"f:selfTest"`)
		if is := manager.Manager == controllers.FieldManager+"-self-test"; owns != is {
			t.Errorf("%s owns the self-test: %v; whoever writes what it does not know overwrites what is newer", manager.Manager, owns)
		}
	}
	if more := i.writes.Load() - writes; more != 1 {
		t.Errorf("the report wrote %d times, want once: of the registration", more)
	}
	if columns := i.Kubectl(t, "get", "fapiserver", i.namespace); !strings.Contains(columns, "Passed") {
		t.Errorf("kubectl get prints:\n%s", columns)
	}
}
