package controllers

import (
	"context"
	"fmt"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// CertificateName is the cert-manager Certificate of an application.
func CertificateName(application *v1alpha1.FAPIApplication) string { return application.Name + "-mtls" }

// CertificateSecretName is the Secret that holds the application's certificate and
// its key, for the application to mount.
func CertificateSecretName(application *v1alpha1.FAPIApplication) string {
	if stated := application.Spec.MutualTLS.Certificate.SecretName; stated != "" {
		return stated
	}
	return CertificateName(application)
}

// StagedCertificateSecretName is the Secret in which a certificate that is registered
// itself waits until the server has confirmed that it knows the certificate.
func StagedCertificateSecretName(application *v1alpha1.FAPIApplication) string {
	return CertificateName(application) + "-staging"
}

// issuedSecretName is the Secret that cert-manager writes.
func issuedSecretName(application *v1alpha1.FAPIApplication) string {
	if clientmetadata.RegistersCertificate(&application.Spec) {
		return StagedCertificateSecretName(application)
	}
	return CertificateSecretName(application)
}

// keepCertificate has cert-manager issue and renew the client's certificate.
func (r *Reconciler) keepCertificate(ctx context.Context, p *passage) verdict {
	if !clientmetadata.HasManagedCertificate(&p.application.Spec) {
		return r.dropCertificate(ctx, p)
	}
	shown, v := r.claimCertificateSecret(ctx, p, CertificateSecretName(p.application))
	if v.status != "" {
		return v
	}
	v = r.haveIssued(ctx, p, shown)
	if v.status != metav1.ConditionTrue {
		return r.endOverlaps(ctx, p, shown, v)
	}
	return v
}

func (r *Reconciler) haveIssued(ctx context.Context, p *passage, shown *corev1.Secret) verdict {
	certificate, v := r.applyCertificate(ctx, p)
	if certificate == nil {
		return v
	}
	if v := r.issuance(ctx, p, certificate); v.status != "" {
		return v
	}
	return r.useIssuedCertificate(ctx, p, certificate, shown)
}

// dropCertificate ends the renewals of a certificate that the spec asks for no
// longer. Its Secret stays: software may still have it mounted.
func (r *Reconciler) dropCertificate(ctx context.Context, p *passage) verdict {
	if err := r.dropSeenCertificate(ctx, p.application); err != nil {
		return unknown(err)
	}
	p.status.Certificate = nil
	return holds(v1alpha1.ReasonNotNeeded, "The spec asks for no certificate.")
}

// dropSeenCertificate makes no request where the cache has no such Certificate: most
// applications never had one. When the cache comes to see one, the application is
// reconciled again.
func (r *Reconciler) dropSeenCertificate(ctx context.Context, application *v1alpha1.FAPIApplication) error {
	key := client.ObjectKey{Namespace: application.Namespace, Name: CertificateName(application)}
	if err := r.Kube.Get(ctx, key, &cmv1.Certificate{}); apierrors.IsNotFound(err) {
		return nil
	}
	certificate, err := r.ownCertificate(ctx, application)
	if err != nil {
		return err
	}
	return r.deleteCertificate(ctx, certificate)
}

// ownCertificate is nil where there is no Certificate that was made for the application.
func (r *Reconciler) ownCertificate(ctx context.Context, application *v1alpha1.FAPIApplication) (*cmv1.Certificate, error) {
	certificate := &cmv1.Certificate{}
	key := client.ObjectKey{Namespace: application.Namespace, Name: CertificateName(application)}
	if err := r.Uncached.Get(ctx, key, certificate); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Certificate %s: %w", key.Name, err)
	}
	if !isMadeFor(application, certificate) {
		return nil, nil
	}
	return certificate, nil
}

// deleteCertificate deletes the Certificate; nil is none.
func (r *Reconciler) deleteCertificate(ctx context.Context, certificate *cmv1.Certificate) error {
	if certificate == nil {
		return nil
	}
	return r.deleteRead(ctx, "Certificate", certificate)
}

// applyCertificate creates the Certificate or brings it up to date. Without a
// Certificate, the verdict says why.
func (r *Reconciler) applyCertificate(ctx context.Context, p *passage) (*cmv1.Certificate, verdict) {
	wanted, err := r.certificate(p)
	if err != nil {
		return nil, unknown(err)
	}
	current := &cmv1.Certificate{}
	err = r.Uncached.Get(ctx, client.ObjectKeyFromObject(wanted), current)
	exists := !apierrors.IsNotFound(err)
	switch {
	case exists && err != nil:
		return nil, unknown(fmt.Errorf("read Certificate %s: %w", wanted.Name, err))
	case exists && !isMadeFor(p.application, current):
		return nil, ownedByAnother("Certificate", current)
	case exists && equality.Semantic.DeepEqual(wanted.Spec, current.Spec) && metav1.IsControlledBy(current, p.application):
		return current, verdict{}
	}
	if _, v := r.claimCertificateSecret(ctx, p, wanted.Spec.SecretName); v.status != "" {
		return nil, v
	}
	if exists {
		wanted.ResourceVersion = current.ResourceVersion
		err = r.Kube.Update(ctx, wanted, client.FieldOwner(FieldManager))
	} else {
		err = r.Kube.Create(ctx, wanted, client.FieldOwner(FieldManager))
	}
	if err != nil {
		return nil, certificateRefused(wanted.Name, err)
	}
	return wanted, verdict{}
}

// certificateRefused passes on what cert-manager's webhook says.
func certificateRefused(name string, err error) verdict {
	err = fmt.Errorf("write Certificate %s: %w", name, err)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return unknown(err)
	}
	v := fails(v1alpha1.ReasonIssuanceFailed, sentence(err))
	v.retry = err
	return v
}

// claimCertificateSecret looks before anybody overwrites: cert-manager takes whatever
// Secret a Certificate names. Without a verdict the Secret is free, or the
// application's own already.
func (r *Reconciler) claimCertificateSecret(ctx context.Context, p *passage, name string) (*corev1.Secret, verdict) {
	if name == ManagedKeySecretName(p.application) || name == NextKeySecretName(p.application) ||
		name == StagedCertificateSecretName(p.application) && name == CertificateSecretName(p.application) {
		return nil, takenByItself(name, "mutualTLS.certificate.secretName")
	}
	secret, v := r.secretMadeFor(ctx, p.application, name)
	if secret != nil && secret.Type == bindingSecretType {
		return nil, takenByItself(name, "mutualTLS.certificate.secretName")
	}
	return secret, v
}
