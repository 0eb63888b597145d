package controllers

import (
	"context"
	"fmt"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// issuance says why cert-manager has not issued the certificate, or nothing
// when it has.
func (r *Reconciler) issuance(ctx context.Context, certificate *cmv1.Certificate) verdict {
	ready := certificateCondition(certificate, cmv1.CertificateConditionReady)
	if ready != nil && ready.Status == cmmeta.ConditionTrue && ready.ObservedGeneration == certificate.Generation {
		return verdict{}
	}
	issuing := certificateCondition(certificate, cmv1.CertificateConditionIssuing)
	if issuing != nil && issuing.Status == cmmeta.ConditionFalse && issuing.Reason == reasonIssuingFailed {
		return fails(v1alpha1.ReasonIssuanceFailed, fmt.Sprintf("cert-manager, about Certificate %s: %s", certificate.Name, issuing.Message))
	}
	return r.awaitIssuer(ctx, certificate)
}

// reasonIssuingFailed is what cert-manager writes into its condition Issuing.
const reasonIssuingFailed = "Failed"

func certificateCondition(certificate *cmv1.Certificate, name cmv1.CertificateConditionType) *cmv1.CertificateCondition {
	for i := range certificate.Status.Conditions {
		if certificate.Status.Conditions[i].Type == name {
			return &certificate.Status.Conditions[i]
		}
	}
	return nil
}

// awaitIssuer looks for the issuer, where it is one of cert-manager's own kinds.
func (r *Reconciler) awaitIssuer(ctx context.Context, certificate *cmv1.Certificate) verdict {
	issuing := fails(v1alpha1.ReasonIssuing, fmt.Sprintf("cert-manager is at work on Certificate %s.", certificate.Name))
	reference := certificate.Spec.IssuerRef
	if reference.Group != cmv1.SchemeGroupVersion.Group {
		return issuing
	}
	issuer := &metav1.PartialObjectMetadata{}
	issuer.SetGroupVersionKind(cmv1.SchemeGroupVersion.WithKind(reference.Kind))
	key := client.ObjectKey{Name: reference.Name}
	if reference.Kind == cmv1.IssuerKind {
		key.Namespace = certificate.Namespace
	}
	err := r.Uncached.Get(ctx, key, issuer)
	switch {
	case apierrors.IsNotFound(err):
		return fails(v1alpha1.ReasonIssuerNotFound, fmt.Sprintf("%s %s is not there; create it, or name another one in mutualTLS.certificate.issuerRef.", reference.Kind, reference.Name))
	case err != nil:
		return unknown(fmt.Errorf("read %s %s: %w", reference.Kind, reference.Name, err))
	}
	return issuing
}
