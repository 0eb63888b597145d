package controllers

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// endOverlaps takes former certificates out of the registration when their overlap is
// over, though the certificate is not ready, for the reason of the verdict: they have
// had their time, whatever becomes of the next one. All else stays as the server holds it.
func (r *Reconciler) endOverlaps(ctx context.Context, p *passage, shown *corev1.Secret, unready verdict) verdict {
	if shown == nil || p.status.Registration == nil {
		return unready
	}
	known, err := decodeSuccession(shown.Annotations[CertificateStateAnnotation], p.application.Spec.ClientAuthentication.Method)
	if err != nil {
		return unready // nothing is remembered by which to tell them from others
	}
	overlap := clientmetadata.CertificateOverlap(&p.application.Spec)
	left := known.within(overlap, p.now)
	if len(left.former) < len(known.former) {
		if err := r.forgetFormer(ctx, p, shown, known, left); err != nil {
			unready.retry = errors.Join(unready.retry, fmt.Errorf("end the overlap of former certificates: %w", err))
			return unready
		}
	}
	p.certificateDue = earliest([]*metav1.Time{p.certificateDue, left.nextMoment(overlap)})
	return unready
}

// forgetFormer has the server forget who is known and not left, and then the Secret.
func (r *Reconciler) forgetFormer(ctx context.Context, p *passage, shown *corev1.Secret, known, left succession) error {
	over := slices.DeleteFunc(known.all(), func(certificate *x509.Certificate) bool { return holdsCertificate(left.all(), certificate) })
	if err := r.unregisterCertificates(ctx, p, over); err != nil {
		return err
	}
	state, err := left.encode(p.application.Spec.ClientAuthentication.Method)
	if err != nil {
		return err
	}
	secret := shown.DeepCopy()
	secret.Annotations[CertificateStateAnnotation] = state
	if err := r.Kube.Update(ctx, secret, client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("write Secret %s: %w", secret.Name, err)
	}
	if p.status.Certificate != nil {
		p.status.Certificate.Former = left.status(clientmetadata.CertificateOverlap(&p.application.Spec))
	}
	return nil
}

// unregisterCertificates registers the client as the server holds it, without the
// certificates. Whoever was killed afterwards finds nothing to change.
func (r *Reconciler) unregisterCertificates(ctx context.Context, p *passage, over []*x509.Certificate) error {
	held, err := r.ownClient(ctx, p)
	if err != nil || held == nil {
		return err
	}
	metadata, err := without(over, held.Metadata)
	if err != nil {
		return err
	}
	record, err := r.put(ctx, p, metadata)
	if err != nil {
		return err
	}
	p.confirmed(record)
	return nil
}

// without leaves the certificates out of the client's keys and of its issuers.
func without(over []*x509.Certificate, metadata registration.Metadata) (registration.Metadata, error) {
	if metadata.TLSClientAuthTrustAnchors != "" {
		anchors, err := parseCertificates([]byte(metadata.TLSClientAuthTrustAnchors))
		if err != nil {
			return metadata, err
		}
		var left strings.Builder
		for _, anchor := range anchors {
			if !holdsCertificate(over, anchor) {
				left.WriteString(encodeCertificate(anchor))
			}
		}
		metadata.TLSClientAuthTrustAnchors = left.String()
	}
	if len(metadata.JWKS) == 0 {
		return metadata, nil
	}
	keys, err := jose.ParseKeySet(metadata.JWKS)
	if err != nil {
		return metadata, err
	}
	left := slices.DeleteFunc(slices.Clone(keys.Keys()), func(key jose.PublicKey) bool {
		chain := key.Certificates()
		return len(chain) > 0 && holdsCertificate(over, chain[0])
	})
	metadata.JWKS, err = json.Marshal(jose.NewKeySet(left...))
	return metadata, err
}
