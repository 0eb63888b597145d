package controllers

import (
	"context"
	"fmt"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// certificateEntries of a Secret are those of the type kubernetes.io/tls, and the
// issuer's certificate beside them.
var certificateEntries = []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, cmmeta.TLSCAKey}

// showCertificate brings the Secret that the application mounts up to date, now that
// the server knows the client by the certificate, and notes there by which others.
func (r *Reconciler) showCertificate(ctx context.Context, p *passage) verdict {
	c := p.certificate
	if c == nil {
		return holds("", "")
	}
	if err := r.writeShown(ctx, p, c); err != nil {
		v := unknown(err)
		p.set(v1alpha1.ConditionCertificateReady, v)
		return v
	}
	overlap, name := clientmetadata.CertificateOverlap(&p.application.Spec), CertificateSecretName(p.application)
	before := p.status.Certificate
	p.status.Certificate = certificateStatus(name, c.chain[0], c.next.status(overlap))
	p.certificateDue = c.next.nextMoment(overlap)
	p.set(v1alpha1.ConditionCertificateReady, isIn(name, c.remark))
	r.tellCertificate(p, before)
	return holds("", "")
}

// tellCertificate records that the Secret shows another certificate than before.
func (r *Reconciler) tellCertificate(p *passage, before *v1alpha1.CertificateStatus) {
	shown := p.status.Certificate
	if before != nil && before.Thumbprint != shown.Thumbprint {
		r.event(p, corev1.EventTypeNormal, v1alpha1.ReasonCertificateRenewed, v1alpha1.ConditionCertificateReady, fmt.Sprintf("Secret %s shows certificate %s in place of certificate %s; the authorization server knows it.", shown.SecretName, shown.Thumbprint, before.Thumbprint))
	}
}

// writeShown writes the Secret when it does not show the certificate, or tells other
// certificates than the server knows the client by. The resource version guards it
// against whoever has written since it was read.
func (r *Reconciler) writeShown(ctx context.Context, p *passage, c *clientCertificate) error {
	wanted, err := r.shownSecret(p, c)
	switch {
	case err != nil:
		return err
	case c.shown == nil:
		err = r.Kube.Create(ctx, wanted, client.FieldOwner(FieldManager))
	case !equality.Semantic.DeepEqual(c.shown, wanted):
		err = r.Kube.Update(ctx, wanted, client.FieldOwner(FieldManager))
	}
	if err != nil {
		return fmt.Errorf("write Secret %s: %w", wanted.Name, err)
	}
	return nil
}

// shownSecret is the Secret as it is to be. What others have added to it stays.
func (r *Reconciler) shownSecret(p *passage, c *clientCertificate) (*corev1.Secret, error) {
	state, err := c.next.encode(p.application.Spec.ClientAuthentication.Method)
	if err != nil {
		return nil, err
	}
	secret := c.shown.DeepCopy()
	if secret == nil {
		if secret, err = r.newSecretFor(p.application, CertificateSecretName(p.application), corev1.SecretTypeTLS, nil); err != nil {
			return nil, err
		}
	}
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[CertificateStateAnnotation] = state
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for _, entry := range certificateEntries {
		if content, issued := c.issued.Data[entry]; issued {
			secret.Data[entry] = content
		} else {
			delete(secret.Data, entry)
		}
	}
	return secret, nil
}
