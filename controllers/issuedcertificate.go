package controllers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// clientCertificate is the certificate that the operator takes care of: in the
// Secret that cert-manager writes, and in the one that the application mounts. That
// is the same one, unless the server has to know the certificate first.
type clientCertificate struct {
	issued *corev1.Secret
	chain  []*x509.Certificate // in issued
	shown  *corev1.Secret      // nil: there is none yet

	known succession // by which certificates the server knows the client
	next  succession // by which it is to know it

	remark string // what cert-manager says of a renewal, to go after what is said of the certificate
}

// useIssuedCertificate reads the certificate that cert-manager wrote, and takes from
// it what the server has to know.
func (r *Reconciler) useIssuedCertificate(ctx context.Context, p *passage, certificate *cmv1.Certificate, shown *corev1.Secret) verdict {
	c, v := r.readIssued(ctx, p, certificate.Spec.SecretName)
	if c == nil {
		return v
	}
	c.shown, c.remark = shown, failedRenewal(certificate)
	spec := &p.application.Spec
	switch {
	case clientmetadata.DerivesMatcher(spec):
		c.shown = c.issued
		return r.trustIssuer(ctx, p, c)
	case clientmetadata.RegistersCertificate(spec):
		return r.registerCertificate(ctx, p, c)
	}
	p.status.Certificate = certificateStatus(c.issued.Name, c.chain[0], nil)
	return isIn(c.issued.Name, c.remark)
}

// readIssued reads the Secret that cert-manager writes. Without a certificate, the
// verdict says why.
func (r *Reconciler) readIssued(ctx context.Context, p *passage, name string) (*clientCertificate, verdict) {
	secret, v := r.secretMadeFor(ctx, p.application, name)
	if v.status != "" {
		return nil, v
	}
	if chain := chainOf(secret, p.resolved.CertificateURI); chain != nil {
		return &clientCertificate{issued: secret, chain: chain}, verdict{}
	}
	return nil, fails(v1alpha1.ReasonIssuing, fmt.Sprintf("cert-manager has not written this client's certificate into Secret %s yet.", name))
}

// chainOf is nil where the Secret holds no certificate of that name with its key.
func chainOf(secret *corev1.Secret, uri string) []*x509.Certificate {
	if secret == nil {
		return nil
	}
	if _, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]); err != nil {
		return nil
	}
	chain, err := parseCertificates(secret.Data[corev1.TLSCertKey])
	if err != nil || !isNamed(chain[0], uri) {
		return nil
	}
	return chain
}

func isNamed(certificate *x509.Certificate, uri string) bool {
	return len(certificate.URIs) == 1 && certificate.URIs[0].String() == uri
}

func isIn(secret, remark string) verdict {
	return holds(v1alpha1.ReasonIssued, fmt.Sprintf("The certificate is in Secret %s.%s", secret, remark))
}

func certificateStatus(secret string, certificate *x509.Certificate, former []v1alpha1.FormerCertificate) *v1alpha1.CertificateStatus {
	return &v1alpha1.CertificateStatus{
		SecretName:   secret,
		NotAfter:     new(metav1.NewTime(certificate.NotAfter)),
		SerialNumber: certificate.SerialNumber.Text(16),
		Thumbprint:   jose.CertificateThumbprint(certificate),
		Former:       former,
	}
}

// trustIssuer has the server trust who vouches for the certificate, and for an
// overlap who did before: the application may still present what that one signed.
func (r *Reconciler) trustIssuer(ctx context.Context, p *passage, c *clientCertificate) verdict {
	authority := c.issued.Data[cmmeta.TLSCAKey]
	if len(authority) == 0 {
		return fails(v1alpha1.ReasonIssuanceFailed, "The issuer writes no ca.crt, so nothing says who vouches for the certificate; use another issuer, or leave mutualTLS out and state clientAuthentication.tls.")
	}
	anchors, err := parseCertificates(authority)
	if err != nil {
		return fails(v1alpha1.ReasonIssuanceFailed, fmt.Sprintf("Entry ca.crt of Secret %s holds something else than certificates in PEM; use another issuer.", c.issued.Name))
	}
	if v := r.recall(ctx, p, c); v.status != "" {
		return v
	}
	overlap := clientmetadata.CertificateOverlap(&p.application.Spec)
	c.next = c.known.within(overlap, p.now).followedBy(anchors, p.now)
	p.resolved.TrustAnchors = string(authority) + formerAnchors(c.next)
	p.certificate = c
	p.status.Certificate = certificateStatus(c.issued.Name, c.chain[0], c.known.status(overlap))
	return isIn(c.issued.Name, c.remark)
}

// formerAnchors are what stands behind the issuer's own ca.crt.
func formerAnchors(s succession) string {
	var text strings.Builder
	for _, anchor := range s.all() {
		if !holdsCertificate(s.current, anchor) {
			text.WriteString("\n" + encodeCertificate(anchor))
		}
	}
	return text.String()
}

// registerCertificate has the server know the certificate's key, with the certificate
// as x5c (RFC 8705, 2.2.2), beside the one that the Secret shows, and for an overlap
// those that it showed before. The Secret shows it afterwards (showCertificate).
func (r *Reconciler) registerCertificate(ctx context.Context, p *passage, c *clientCertificate) verdict {
	if v := r.recall(ctx, p, c); v.status != "" {
		return v
	}
	overlap := clientmetadata.CertificateOverlap(&p.application.Spec)
	shown := chainOf(c.shown, p.resolved.CertificateURI)
	if len(c.known.current) == 0 && shown != nil {
		c.known.current = shown[:1] // as long as another method was stated, nobody had to know it
	}
	c.next = c.known.within(overlap, p.now).followedBy(c.chain[:1], p.now)
	keys, err := certificateKeys(c.next)
	if err == nil {
		p.resolved.JWKS, err = json.Marshal(jose.NewKeySet(slices.Concat(p.keys.Keys(), keys)...))
	}
	if err != nil {
		return fails(v1alpha1.ReasonIssuanceFailed, sentence(err))
	}
	p.certificate = c
	p.status.Certificate = nil
	if shown != nil {
		p.status.Certificate = certificateStatus(c.shown.Name, shown[0], c.known.status(overlap))
	}
	return holds(v1alpha1.ReasonIssued, fmt.Sprintf("cert-manager has issued the certificate. Secret %s shows it when the authorization server holds it.", CertificateSecretName(p.application)))
}

func certificateKeys(s succession) ([]jose.PublicKey, error) {
	var keys []jose.PublicKey
	for _, certificate := range s.all() {
		key, err := jose.PublicKeyOf(certificate)
		if err != nil {
			return nil, fmt.Errorf("the key of certificate %s cannot be registered: %w", jose.CertificateThumbprint(certificate), err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// recall finds out by which certificates the server knows the client: by the Secret
// that the application mounts, and where that does not say, by the server itself.
func (r *Reconciler) recall(ctx context.Context, p *passage, c *clientCertificate) verdict {
	if c.shown != nil {
		known, err := decodeSuccession(c.shown.Annotations[CertificateStateAnnotation], p.application.Spec.ClientAuthentication.Method)
		if err == nil {
			c.known = known
			return verdict{}
		}
	}
	held, err := r.ownClient(ctx, p)
	switch {
	case err != nil:
		v := fails(v1alpha1.ReasonServerUnavailable, "The authorization server did not tell by which certificates it knows the client; it is asked again: "+lasting(err))
		v.retry = err
		return v
	case held != nil:
		c.known.current = p.certificatesIn(held.Metadata)
	}
	return verdict{}
}

// certificatesIn are those that the operator has registered: whatever else a client
// had before is over when its spec says so.
func (p *passage) certificatesIn(metadata registration.Metadata) []*x509.Certificate {
	if clientmetadata.DerivesMatcher(&p.application.Spec) {
		if metadata.TLSClientAuthSANURI != p.resolved.CertificateURI {
			return nil
		}
		anchors, err := parseCertificates([]byte(metadata.TLSClientAuthTrustAnchors))
		if err != nil {
			return nil
		}
		return anchors
	}
	keys, err := jose.ParseKeySet(metadata.JWKS)
	if err != nil {
		return nil
	}
	var certificates []*x509.Certificate
	for _, key := range keys.Keys() {
		if chain := key.Certificates(); len(chain) > 0 && isNamed(chain[0], p.resolved.CertificateURI) {
			certificates = append(certificates, chain[0])
		}
	}
	return certificates
}
