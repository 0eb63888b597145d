package controllers

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// useIssuedCertificate reads the certificate that cert-manager wrote, and takes
// from it what the server has to know.
func (r *Reconciler) useIssuedCertificate(ctx context.Context, p *passage, certificate *cmv1.Certificate) verdict {
	name := CertificateSecretName(p.application)
	secret := &corev1.Secret{}
	if err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: p.application.Namespace, Name: name}, secret); err != nil {
		return unresolvedCertificate(name, client.IgnoreNotFound(err))
	}
	chain, err := parseCertificates(secret.Data[corev1.TLSCertKey])
	if err != nil || !isNamed(chain[0], p.resolved.CertificateURI) {
		return unresolvedCertificate(name, nil)
	}
	if err := r.resolveFromCertificate(p, chain, secret.Data[cmmeta.TLSCAKey]); err != nil {
		return fails(v1alpha1.ReasonIssuanceFailed, sentence(err))
	}
	p.status.Certificate = &v1alpha1.CertificateStatus{
		SecretName:   name,
		NotAfter:     new(metav1.NewTime(chain[0].NotAfter)),
		SerialNumber: chain[0].SerialNumber.Text(16),
		Thumbprint:   jose.CertificateThumbprint(chain[0]),
	}
	return holds(v1alpha1.ReasonIssued, fmt.Sprintf("The certificate is in Secret %s.%s", name, failedRenewal(certificate)))
}

// unresolvedCertificate waits for cert-manager to write the Secret again.
func unresolvedCertificate(name string, err error) verdict {
	if err != nil {
		return unknown(fmt.Errorf("read Secret %s: %w", name, err))
	}
	return fails(v1alpha1.ReasonIssuing, fmt.Sprintf("cert-manager has not written this client's certificate into Secret %s yet.", name))
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return chain, nil
}

func isNamed(certificate *x509.Certificate, uri string) bool {
	return len(certificate.URIs) == 1 && certificate.URIs[0].String() == uri
}

// resolveFromCertificate gives the server the issuer that vouches for the
// client, or the certificate itself.
func (r *Reconciler) resolveFromCertificate(p *passage, chain []*x509.Certificate, authority []byte) error {
	spec := &p.application.Spec
	switch {
	case clientmetadata.DerivesMatcher(spec):
		if len(authority) == 0 {
			return errors.New("the issuer writes no ca.crt, so nothing says who vouches for the certificate; use another issuer, or leave mutualTLS out and state clientAuthentication.tls")
		}
		p.resolved.TrustAnchors = string(authority)
	case clientmetadata.RegistersCertificate(spec):
		return registerCertificate(p, chain)
	}
	return nil
}

// registerCertificate adds the certificate's key, with the certificate as x5c (RFC 8705, 2.2.2).
func registerCertificate(p *passage, chain []*x509.Certificate) error {
	key, err := jose.PublicKeyOf(chain[0])
	if err != nil {
		return fmt.Errorf("the certificate's key cannot be registered: %w", err)
	}
	keys := jose.NewKeySet(slices.Concat(p.keys.Keys(), []jose.PublicKey{key})...)
	p.resolved.JWKS, err = json.Marshal(keys)
	return err
}
