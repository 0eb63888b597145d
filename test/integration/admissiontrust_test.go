package integration

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// Ready is said once the API server trusts the certificate that is served, and
// stays so while a bundle is renewed.
func TestReadinessWaitsForTheAPIServersTrust(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	kube, err := client.New(b.asOperator(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	trust := &controllers.AdmissionTrust{
		Kube: kube, Configuration: "integration-" + b.namespace,
		CertificateFile: filepath.Join(b.webhookDir, "tls.crt"), KeyFile: filepath.Join(b.webhookDir, "tls.key"),
	}
	b.requireTrust(t, trust, "not found")
	b.startOperator(t)

	b.trustBundle(t, trust.Configuration, testca.New(t, "another CA", time.Now()).PEM())
	b.requireTrust(t, trust, "does not verify the certificate that this replica serves")
	b.trustBundle(t, trust.Configuration, nil)
	b.requireTrust(t, trust, "holds no certificate yet")
	b.trustBundle(t, trust.Configuration, b.webhookCA)
	b.requireTrust(t, trust, "")
	b.trustBundle(t, trust.Configuration, nil)
	b.requireTrust(t, trust, "")
}

// requireTrust asks as the kubelet does; an empty fault is none.
func (b *bank) requireTrust(t *testing.T, trust *controllers.AdmissionTrust, fault string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	switch err := trust.Check(request); {
	case fault == "" && err != nil:
		t.Error(err)
	case fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
		t.Errorf("%v, want it to say %q", err, fault)
	}
}

func (b *bank) trustBundle(t *testing.T, name string, bundle []byte) {
	t.Helper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Name: name}, configuration); err != nil {
		t.Fatal(err)
	}
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ClientConfig.CABundle = bundle
	}
	if err := b.kube.Update(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
}
