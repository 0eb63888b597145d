package controllers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AdmissionTrust tells whether the API server has been told to trust the
// certificate that the webhook serves. Until then it refuses every application,
// whatever stands in it.
type AdmissionTrust struct {
	// Kube asks the API server itself: no other object of the kind is of interest.
	Kube client.Reader
	// Configuration is the name of the ValidatingWebhookConfiguration.
	Configuration string
	// CertificateFile and KeyFile are what the webhook serves, in PEM.
	CertificateFile, KeyFile string

	trusted atomic.Bool
}

// Check is a readiness check (healthz.Checker). Once it holds it is asked no
// more: a replica that has been ready does not go because the bundle is renewed.
func (a *AdmissionTrust) Check(request *http.Request) error {
	if a.trusted.Load() {
		return nil
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := a.Kube.Get(request.Context(), client.ObjectKey{Name: a.Configuration}, configuration); err != nil {
		return fmt.Errorf("read the webhook's configuration: %w", err)
	}
	served, err := tls.LoadX509KeyPair(a.CertificateFile, a.KeyFile)
	if err != nil {
		return fmt.Errorf("read the webhook's certificate: %w", err)
	}
	for i := range configuration.Webhooks {
		if err := verifies(configuration.Webhooks[i].ClientConfig.CABundle, served); err != nil {
			return fmt.Errorf("ValidatingWebhookConfiguration %s: webhook %s: %w", a.Configuration, configuration.Webhooks[i].Name, err)
		}
	}
	a.trusted.Store(true)
	return nil
}

// verifies checks the served chain as the API server does, names aside.
func verifies(bundle []byte, served tls.Certificate) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return errors.New("its caBundle holds no certificate yet; cert-manager injects it, or the chart's certificates.webhookCABundle states it")
	}
	intermediates := x509.NewCertPool()
	for _, der := range served.Certificate[1:] {
		if intermediate, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(intermediate)
		}
	}
	if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates}); err != nil {
		return fmt.Errorf("its caBundle does not verify the certificate that this replica serves: %w", err)
	}
	return nil
}
