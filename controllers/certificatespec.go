package controllers

import (
	"fmt"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// certificate is the Certificate that the application asks for. It names the
// client by a URI alone: a common name holds at most 64 characters.
func (r *Reconciler) certificate(p *passage) (*cmv1.Certificate, error) {
	stated := p.application.Spec.MutualTLS.Certificate
	certificate := &cmv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.application.Namespace,
			Name:      CertificateName(p.application),
			Labels:    labelsFor(p.application),
		},
		Spec: cmv1.CertificateSpec{
			SecretName:            issuedSecretName(p.application),
			SecretTemplate:        &cmv1.CertificateSecretTemplate{Labels: labelsFor(p.application)},
			IssuerRef:             issuerReference(stated.IssuerRef),
			URIs:                  []string{p.resolved.CertificateURI},
			Duration:              stated.Duration,
			RenewBefore:           stated.RenewBefore,
			RenewBeforePercentage: renewBeforePercentage(p.clientID, &stated),
			Usages:                []cmv1.KeyUsage{cmv1.UsageDigitalSignature, cmv1.UsageClientAuth},
			PrivateKey:            certificatePrivateKey(&p.application.Spec),
		},
	}
	if err := controllerutil.SetControllerReference(p.application, certificate, r.Kube.Scheme()); err != nil {
		return nil, fmt.Errorf("own Certificate %s: %w", certificate.Name, err)
	}
	return certificate, nil
}

// A certificate of which nothing else is stated is renewed when so much of its validity
// is left, in percent: a third is cert-manager's default, and the spread is our own choice.
const (
	leastRenewBefore  = 33
	renewBeforeSpread = 10
)

// renewBeforePercentage is another one for each client: those that were applied
// together would all be renewed together, and cert-manager issues about one a second.
func renewBeforePercentage(clientID string, stated *v1alpha1.ClientCertificate) *int32 {
	if stated.RenewBefore != nil {
		return nil
	}
	return new(int32(leastRenewBefore + shareOf(clientID, renewBeforeSpread)))
}

func issuerReference(stated v1alpha1.IssuerReference) cmmeta.IssuerReference {
	issuer := clientmetadata.Issuer(stated)
	return cmmeta.IssuerReference{Name: issuer.Name, Kind: issuer.Kind, Group: issuer.Group}
}

// certificatePrivateKey always states the rotation policy, whose default has
// changed between versions of cert-manager. The key changes with each certificate,
// also where the server pins the certificate: it knows the next one before the
// application does.
func certificatePrivateKey(spec *v1alpha1.FAPIApplicationSpec) *cmv1.CertificatePrivateKey {
	key := &cmv1.CertificatePrivateKey{
		RotationPolicy: cmv1.RotationPolicyAlways,
		Encoding:       cmv1.PKCS8,
		Algorithm:      cmv1.ECDSAKeyAlgorithm,
	}
	stated := spec.MutualTLS.Certificate.PrivateKey
	if stated != nil && stated.Algorithm != "" {
		key.Algorithm = cmv1.PrivateKeyAlgorithm(stated.Algorithm)
	}
	key.Size = defaultKeyBits[key.Algorithm]
	if stated != nil && stated.Size != nil {
		key.Size = int(*stated.Size)
	}
	return key
}

// defaultKeyBits: FAPI 2.0 Security Profile, 5.4.1-2 and 5.4.1-3, ask for at least 2048 and 224.
var defaultKeyBits = map[cmv1.PrivateKeyAlgorithm]int{
	cmv1.ECDSAKeyAlgorithm: 256,
	cmv1.RSAKeyAlgorithm:   2048,
}
