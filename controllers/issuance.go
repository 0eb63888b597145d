package controllers

import (
	"context"
	"fmt"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// issuance says why cert-manager has not issued the certificate, or nothing
// when it has.
func (r *Reconciler) issuance(ctx context.Context, p *passage, certificate *cmv1.Certificate) verdict {
	ready := certificateCondition(certificate, cmv1.CertificateConditionReady)
	if ready != nil && ready.Status == cmmeta.ConditionTrue && ready.ObservedGeneration == certificate.Generation {
		return verdict{}
	}
	if failure := issuanceFailure(certificate); failure != "" {
		return fails(v1alpha1.ReasonIssuanceFailed, fmt.Sprintf("cert-manager, about Certificate %s: %s", certificate.Name, failure))
	}
	return r.awaitIssuer(ctx, p, certificate)
}

// issuanceFailure is cert-manager's reason for an issuance that failed: denied, invalid
// or refused. It takes the condition away when one succeeds, and sets it to True while
// it tries again.
func issuanceFailure(certificate *cmv1.Certificate) string {
	issuing := certificateCondition(certificate, cmv1.CertificateConditionIssuing)
	if issuing == nil || issuing.Status != cmmeta.ConditionFalse {
		return ""
	}
	return issuing.Message
}

// failedRenewal tells of a renewal that fails while the certificate is still good.
func failedRenewal(certificate *cmv1.Certificate) string {
	if failure := issuanceFailure(certificate); failure != "" {
		return " It is not renewed yet: " + failure
	}
	return ""
}

func certificateCondition(certificate *cmv1.Certificate, name cmv1.CertificateConditionType) *cmv1.CertificateCondition {
	for i := range certificate.Status.Conditions {
		if certificate.Status.Conditions[i].Type == name {
			return &certificate.Status.Conditions[i]
		}
	}
	return nil
}

// issuerGlance is how often an issuer is looked at that is waited for, which nobody
// watches; our own choice.
const issuerGlance = time.Minute

// awaitIssuer looks for the issuer, where it is one of cert-manager's own kinds.
func (r *Reconciler) awaitIssuer(ctx context.Context, p *passage, certificate *cmv1.Certificate) verdict {
	issuing := fails(v1alpha1.ReasonIssuing, fmt.Sprintf("cert-manager is at work on Certificate %s.", certificate.Name))
	reference := certificate.Spec.IssuerRef
	if reference.Group != cmv1.SchemeGroupVersion.Group {
		return issuing
	}
	p.certificateDue = new(metav1.NewTime(p.now.Add(issuerGlance)))
	issuer, err := r.issuer(ctx, certificate)
	switch {
	case err != nil:
		return unknown(fmt.Errorf("read %s %s: %w", reference.Kind, reference.Name, err))
	case issuer == nil:
		return fails(v1alpha1.ReasonIssuerNotFound, fmt.Sprintf("%s %s is not there; create it, or name another one in mutualTLS.certificate.issuerRef.", reference.Kind, reference.Name))
	}
	if ready, message := isIssuerReady(issuer); !ready {
		return fails(v1alpha1.ReasonIssuerNotReady, fmt.Sprintf("%s %s is not ready: %s", reference.Kind, reference.Name, message))
	}
	return issuing
}

// issuer is nil where there is none.
func (r *Reconciler) issuer(ctx context.Context, certificate *cmv1.Certificate) (cmv1.GenericIssuer, error) {
	var issuer cmv1.GenericIssuer
	key := client.ObjectKey{Name: certificate.Spec.IssuerRef.Name}
	switch certificate.Spec.IssuerRef.Kind {
	case cmv1.IssuerKind:
		issuer, key.Namespace = &cmv1.Issuer{}, certificate.Namespace
	case cmv1.ClusterIssuerKind:
		issuer = &cmv1.ClusterIssuer{}
	default:
		return nil, nil
	}
	err := r.Uncached.Get(ctx, key, issuer)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return issuer, err
}

// isIssuerReady repeats what the issuer says of itself, where it is not.
func isIssuerReady(issuer cmv1.GenericIssuer) (ready bool, message string) {
	for _, condition := range issuer.GetStatus().Conditions {
		if condition.Type == cmv1.IssuerConditionReady {
			return condition.Status == cmmeta.ConditionTrue, condition.Message
		}
	}
	return false, "cert-manager has not looked at it yet."
}
