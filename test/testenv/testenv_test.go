package testenv_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fapi-operator/fapi-operator/test/testenv"
)

func TestMain(m *testing.M) {
	os.Exit(testenv.Main(m, testenv.Config{
		CRDs:              []string{filepath.Join("testdata", "crds")},
		ControllerManager: true,
		CertManager:       true,
	}))
}

func TestKubectlSpeaksToThePinnedAPIServer(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	version := e.Kubectl(t, "version")
	for _, want := range []string{"Client Version: v1.37.2", "Server Version: v1.37.2"} {
		if !strings.Contains(version, want) {
			t.Errorf("kubectl version doesn't say %q:\n%s", want, version)
		}
	}
}

func TestUserWithoutARoleIsRefused(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	_, err := e.TryKubectl(t, "get", "secrets", "--as=somebody")
	if err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a user without a role reads Secrets: error %v, want Forbidden", err)
	}
}

func TestNamespacesAreUniqueAndGoAwayWithTheirTest(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	kube := clientset(t, e)
	var first, second string
	t.Run("test", func(t *testing.T) {
		first, second = e.Namespace(t), e.Namespace(t)
		createConfigMap(t, kube, first, "something")
	})
	if first == second {
		t.Errorf("two namespaces are both called %s", first)
	}
	e.Kubectl(t, "wait", "--for=delete", "namespace/"+first, "namespace/"+second, "--timeout=60s")
}

func TestGarbageCollectorDeletesWhatADeletedOwnerOwned(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	kube := clientset(t, e)
	namespace := e.Namespace(t)
	owner := createConfigMap(t, kube, namespace, "owner")
	reference := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}
	createConfigMap(t, kube, namespace, "owned", reference)
	createConfigMap(t, kube, namespace, "free")

	if err := kube.CoreV1().ConfigMaps(namespace).Delete(t.Context(), owner.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.Kubectl(t, "wait", "--for=delete", "--namespace", namespace, "configmap/owned", "--timeout=60s")
	e.Kubectl(t, "get", "--namespace", namespace, "configmap", "free")
}

func TestConfiguredCRDsAreServed(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	namespace := e.Namespace(t)
	e.Kubectl(t, "create", "--namespace", namespace, "-f", filepath.Join("testdata", "widget.yaml"))
	e.Kubectl(t, "get", "--namespace", namespace, "widgets.testenv.example", "first")
}

func TestCertManagerIssuesACertificateFromACA(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	namespace := e.Namespace(t)
	e.Kubectl(t, "create", "--namespace", namespace, "-f", filepath.Join("testdata", "ca-issuer.yaml"))

	e.Kubectl(t, "wait", "--for=condition=Ready", "--namespace", namespace, "certificate/client", "--timeout=60s")
	secret, err := clientset(t, e).CoreV1().Secrets(namespace).Get(t.Context(), "client-tls", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		t.Fatalf("the Secret's ca.crt holds no certificate: %q", secret.Data["ca.crt"])
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		t.Fatal("the Secret's tls.crt is not PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: usages}); err != nil {
		t.Errorf("the certificate doesn't come from the CA: %v", err)
	}
	if len(certificate.URIs) != 1 || certificate.URIs[0].String() != "urn:example:client" {
		t.Errorf("URI names %v, want urn:example:client", certificate.URIs)
	}
}

func TestCertManagersWebhookRefusesAnIssuerWithTwoTypes(t *testing.T) {
	t.Parallel()
	e := testenv.Start(t)
	_, err := e.TryKubectl(t, "create", "--namespace", e.Namespace(t), "-f", filepath.Join("testdata", "issuer-of-two-types.yaml"))
	if err == nil || !strings.Contains(err.Error(), `admission webhook "webhook.cert-manager.io" denied the request`) {
		t.Errorf("error %v, want the webhook's refusal", err)
	}
}

func clientset(t *testing.T, e *testenv.Environment) kubernetes.Interface {
	t.Helper()
	kube, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	return kube
}

func createConfigMap(t *testing.T, kube kubernetes.Interface, namespace, name string, owners ...metav1.OwnerReference) *corev1.ConfigMap {
	t.Helper()
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners}}
	created, err := kube.CoreV1().ConfigMaps(namespace).Create(t.Context(), configMap, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}
