package controllers

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// succession is the certificates that the server knows a client by, the client's own
// or its issuer's, and those whose place they have taken.
type succession struct {
	current []*x509.Certificate
	former  []formerCertificate // the last one to be replaced first
}

// formerCertificate is a certificate that another one has replaced.
type formerCertificate struct {
	certificate *x509.Certificate
	replaced    metav1.Time
}

// followedBy puts other certificates in the place of the current ones. Of those
// before them it keeps no more than the server takes of one client.
func (s succession) followedBy(current []*x509.Certificate, now metav1.Time) succession {
	next := succession{current: current}
	for _, certificate := range s.current {
		next.former = append(next.former, formerCertificate{certificate, now})
	}
	next.former = slices.DeleteFunc(append(next.former, s.former...), func(former formerCertificate) bool {
		return holdsCertificate(current, former.certificate)
	})
	next.former = next.former[:min(len(next.former), max(0, fapi.MaxTrustAnchors-len(current)))]
	return next
}

// within leaves out the former certificates whose overlap is over. How long that is
// counts from now on for those that were replaced before.
func (s succession) within(overlap time.Duration, now metav1.Time) succession {
	left := succession{current: s.current}
	for _, former := range s.former {
		if until := former.until(overlap); !isReached(now, &until) {
			left.former = append(left.former, former)
		}
	}
	return left
}

func (f formerCertificate) until(overlap time.Duration) metav1.Time {
	return metav1.NewTime(f.replaced.Add(overlap))
}

// all are the certificates, in an order that stays when one takes another's place.
func (s succession) all() []*x509.Certificate {
	all := slices.Clone(s.current)
	for _, former := range s.former {
		all = append(all, former.certificate)
	}
	slices.SortFunc(all, func(a, b *x509.Certificate) int {
		return strings.Compare(jose.CertificateThumbprint(a), jose.CertificateThumbprint(b))
	})
	return slices.CompactFunc(all, (*x509.Certificate).Equal)
}

// nextMoment is when an overlap ends; nil: never.
func (s succession) nextMoment(overlap time.Duration) *metav1.Time {
	var moments []*metav1.Time
	for _, former := range s.former {
		moments = append(moments, new(former.until(overlap)))
	}
	return earliest(moments)
}

func (s succession) status(overlap time.Duration) []v1alpha1.FormerCertificate {
	var status []v1alpha1.FormerCertificate
	for _, former := range s.former {
		status = append(status, v1alpha1.FormerCertificate{Thumbprint: jose.CertificateThumbprint(former.certificate), RegisteredUntil: former.until(overlap)})
	}
	return status
}

func holdsCertificate(certificates []*x509.Certificate, wanted *x509.Certificate) bool {
	return slices.ContainsFunc(certificates, wanted.Equal)
}

// CertificateStateAnnotation on the Secret that the application mounts says which
// certificates the server knows the client by. Whatever else is in the Secret may be
// lost or damaged.
const CertificateStateAnnotation = "fapi-operator.io/certificate-state"

// certificateState is a succession as the annotation holds it, its certificates in DER.
// Method is the token_endpoint_auth_method: by another one the server knows the client
// by certificates of another kind.
type certificateState struct {
	Method  string                   `json:"method"`
	Current [][]byte                 `json:"current"`
	Former  []formerCertificateState `json:"former,omitempty"`
}

type formerCertificateState struct {
	Certificate []byte      `json:"certificate"`
	Replaced    metav1.Time `json:"replaced"`
}

func (s succession) encode(method string) (string, error) {
	state := certificateState{Method: method}
	for _, certificate := range s.current {
		state.Current = append(state.Current, certificate.Raw)
	}
	for _, former := range s.former {
		state.Former = append(state.Former, formerCertificateState{former.certificate.Raw, former.replaced})
	}
	encoded, err := json.Marshal(state)
	return string(encoded), err
}

// errOtherMethod: what is remembered is of no use with the method.
var errOtherMethod = errors.New("the certificates are for another token_endpoint_auth_method")

// decodeSuccession reads what encode wrote for the method.
func decodeSuccession(text, method string) (succession, error) {
	var state certificateState
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return succession{}, err
	}
	if state.Method != method {
		return succession{}, errOtherMethod
	}
	var s succession
	for _, raw := range state.Current {
		certificate, err := x509.ParseCertificate(raw)
		if err != nil {
			return succession{}, err
		}
		s.current = append(s.current, certificate)
	}
	for _, former := range state.Former {
		certificate, err := x509.ParseCertificate(former.Certificate)
		if err != nil {
			return succession{}, err
		}
		s.former = append(s.former, formerCertificate{certificate, former.Replaced})
	}
	return s, nil
}

// parseCertificates reads certificates in PEM, of which there must be one at least.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return certificates, nil
}

func encodeCertificate(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}
