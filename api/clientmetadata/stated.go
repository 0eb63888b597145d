package clientmetadata

import (
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// stated is a spec whose absent groups are empty ones, so that every leaf can
// be read without asking whether its group is there.
type stated struct {
	*v1alpha1.FAPIApplicationSpec

	pkce                  v1alpha1.PKCE
	par                   v1alpha1.PushedAuthorizationRequests
	tls                   v1alpha1.TLSClientAuthentication
	anchors               v1alpha1.TrustAnchors
	keys                  v1alpha1.Keys
	managedKeys           v1alpha1.ManagedKeys
	keyRotation           v1alpha1.KeyRotation
	certificateKey        v1alpha1.CertificatePrivateKey
	messageSigning        v1alpha1.MessageSigning
	requestObject         v1alpha1.RequestObject
	authorizationResponse v1alpha1.SignedResponse
	idToken               v1alpha1.SignedResponse
	introspection         v1alpha1.Introspection
	introspectionResponse v1alpha1.SignedResponse
	userinfo              v1alpha1.UserinfoResponse
	accessToken           v1alpha1.AccessToken
	binding               v1alpha1.Binding
}

func read(spec *v1alpha1.FAPIApplicationSpec) stated {
	s := stated{FAPIApplicationSpec: spec}
	fill(&s.pkce, spec.PKCE)
	fill(&s.par, spec.PushedAuthorizationRequests)
	fill(&s.tls, spec.ClientAuthentication.TLS)
	fill(&s.anchors, s.tls.TrustAnchors)
	fill(&s.keys, spec.Keys)
	fill(&s.managedKeys, s.keys.Managed)
	fill(&s.keyRotation, s.managedKeys.Rotation)
	if spec.MutualTLS != nil {
		fill(&s.certificateKey, spec.MutualTLS.Certificate.PrivateKey)
	}
	fill(&s.messageSigning, spec.MessageSigning)
	fill(&s.requestObject, spec.RequestObject)
	fill(&s.authorizationResponse, spec.AuthorizationResponse)
	fill(&s.idToken, spec.IDToken)
	fill(&s.introspection, spec.Introspection)
	fill(&s.introspectionResponse, s.introspection.Response)
	fill(&s.userinfo, spec.Userinfo)
	fill(&s.accessToken, spec.AccessToken)
	fill(&s.binding, spec.Binding)
	return s
}

func fill[T any](into, from *T) {
	if from != nil {
		*into = *from
	}
}

// HasManagedCertificate tells whether the operator takes care of the client's certificate.
func HasManagedCertificate(spec *v1alpha1.FAPIApplicationSpec) bool { return spec.MutualTLS != nil }

// DerivesMatcher tells whether the certificate's name and issuers are the
// operator's to state: tls_client_auth with a certificate that it manages.
func DerivesMatcher(spec *v1alpha1.FAPIApplicationSpec) bool {
	return HasManagedCertificate(spec) && spec.ClientAuthentication.Method == oauth.AuthTLSClient
}

// RegistersCertificate tells whether the managed certificate itself is
// registered, as x5c of a key: self_signed_tls_client_auth (RFC 8705, 2.2.2).
func RegistersCertificate(spec *v1alpha1.FAPIApplicationSpec) bool {
	return HasManagedCertificate(spec) && spec.ClientAuthentication.Method == oauth.AuthSelfSignedTLS
}

// ReadsKeys tells whether the public keys stand outside of the spec, where the
// operator has to read or make them.
func ReadsKeys(spec *v1alpha1.FAPIApplicationSpec) bool {
	switch read(spec).keys.Source {
	case v1alpha1.KeySourceSecretRef, v1alpha1.KeySourceConfigMapRef, v1alpha1.KeySourceManaged:
		return true
	}
	return false
}
