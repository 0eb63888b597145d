package clientmetadata

import (
	"cmp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// The members that several functions name.
const (
	memberJWKS         = "jwks"
	memberTrustAnchors = "fapi_operator_tls_client_auth_trust_anchors"
)

// row says which metadata member a field of the spec becomes. A field whose
// value stands somewhere else (set is nil) reaches its member by Resolved.
type row struct {
	field  string // the path below spec
	member string
	set    func(*registration.Metadata, stated)
}

// table holds every field of the spec on which the rule book has an opinion.
// Where several fields become one member, the first is the one that a violation names.
var table = []row{
	{"clientID", "client_id", nil},
	{"clientName", "client_name", func(m *registration.Metadata, s stated) { m.ClientName = s.ClientName }},
	{"clientURI", "client_uri", func(m *registration.Metadata, s stated) { m.ClientURI = s.ClientURI }},
	{"logoURI", "logo_uri", func(m *registration.Metadata, s stated) { m.LogoURI = s.LogoURI }},
	{"policyURI", "policy_uri", func(m *registration.Metadata, s stated) { m.PolicyURI = s.PolicyURI }},
	{"tosURI", "tos_uri", func(m *registration.Metadata, s stated) { m.TOSURI = s.TOSURI }},
	{"contacts", "contacts", func(m *registration.Metadata, s stated) { m.Contacts = s.Contacts }},
	{"applicationType", "application_type", func(m *registration.Metadata, s stated) { m.ApplicationType = s.ApplicationType }},

	{"grantTypes", "grant_types", func(m *registration.Metadata, s stated) { m.GrantTypes = s.GrantTypes }},
	{"responseTypes", "response_types", func(m *registration.Metadata, s stated) { m.ResponseTypes = s.ResponseTypes }},
	{"redirectURIs", "redirect_uris", func(m *registration.Metadata, s stated) { m.RedirectURIs = s.RedirectURIs }},
	{"allowedOrigins", "fapi_operator_allowed_origins", func(m *registration.Metadata, s stated) { m.AllowedOrigins = s.AllowedOrigins }},
	{"scopes", "scope", func(m *registration.Metadata, s stated) { m.Scope = strings.Join(s.Scopes, " ") }},
	{"authorizationDetailsTypes", "authorization_details_types", func(m *registration.Metadata, s stated) {
		m.AuthorizationDetailsTypes = s.AuthorizationDetailsTypes
	}},
	{"pkce.required", "fapi_operator_pkce_required", func(m *registration.Metadata, s stated) { m.PKCERequired = s.pkce.Required }},
	{"pkce.method", "fapi_operator_code_challenge_method", func(m *registration.Metadata, s stated) { m.CodeChallengeMethod = s.pkce.Method }},
	{"pushedAuthorizationRequests.required", "require_pushed_authorization_requests", func(m *registration.Metadata, s stated) {
		m.RequirePushedAuthorizationRequests = s.par.Required
	}},

	{"clientAuthentication.method", "token_endpoint_auth_method", func(m *registration.Metadata, s stated) {
		m.TokenEndpointAuthMethod = s.ClientAuthentication.Method
	}},
	{"clientAuthentication.signingAlg", "token_endpoint_auth_signing_alg", func(m *registration.Metadata, s stated) {
		m.TokenEndpointAuthSigningAlg = s.ClientAuthentication.SigningAlg
	}},
	{"clientAuthentication.tls.subjectDN", "tls_client_auth_subject_dn", func(m *registration.Metadata, s stated) { m.TLSClientAuthSubjectDN = s.tls.SubjectDN }},
	{"clientAuthentication.tls.sanDNS", "tls_client_auth_san_dns", func(m *registration.Metadata, s stated) { m.TLSClientAuthSANDNS = s.tls.SANDNS }},
	{"clientAuthentication.tls.sanURI", "tls_client_auth_san_uri", func(m *registration.Metadata, s stated) { m.TLSClientAuthSANURI = s.tls.SANURI }},
	{"clientAuthentication.tls.sanIP", "tls_client_auth_san_ip", func(m *registration.Metadata, s stated) { m.TLSClientAuthSANIP = s.tls.SANIP }},
	{"clientAuthentication.tls.sanEmail", "tls_client_auth_san_email", func(m *registration.Metadata, s stated) { m.TLSClientAuthSANEmail = s.tls.SANEmail }},
	{"clientAuthentication.tls.trustAnchors.pem", memberTrustAnchors, func(m *registration.Metadata, s stated) { m.TLSClientAuthTrustAnchors = s.anchors.PEM }},
	{"clientAuthentication.tls.trustAnchors.configMapRef.name", memberTrustAnchors, nil},
	{"clientAuthentication.tls.trustAnchors.configMapRef.namespace", memberTrustAnchors, nil},
	{"clientAuthentication.tls.trustAnchors.configMapRef.key", memberTrustAnchors, nil},
	{"clientAuthentication.tls.trustAnchors.bundle", "fapi_operator_tls_client_auth_trust_bundle", func(m *registration.Metadata, s stated) {
		m.TLSClientAuthTrustBundle = s.anchors.Bundle
	}},

	{"keys.jwks", memberJWKS, setJWKS},
	{"keys.secretRef.name", memberJWKS, nil},
	{"keys.secretRef.namespace", memberJWKS, nil},
	{"keys.secretRef.key", memberJWKS, nil},
	{"keys.configMapRef.name", memberJWKS, nil},
	{"keys.configMapRef.namespace", memberJWKS, nil},
	{"keys.configMapRef.key", memberJWKS, nil},
	{"keys.managed.signingAlg", memberJWKS, nil},
	{"keys.jwksURI", "jwks_uri", func(m *registration.Metadata, s stated) { m.JWKSURI = s.keys.JWKSURI }},

	{"messageSigning.requests", "require_signed_request_object", requireSignedRequests},
	{"messageSigning.responses", "response_modes", requireSignedResponses},
	{"requestObject.signingAlg", "request_object_signing_alg", func(m *registration.Metadata, s stated) { m.RequestObjectSigningAlg = s.requestObject.SigningAlg }},
	{"requestObject.encryptionAlg", "request_object_encryption_alg", func(m *registration.Metadata, s stated) {
		m.RequestObjectEncryptionAlg = s.requestObject.EncryptionAlg
	}},
	{"requestObject.encryptionEnc", "request_object_encryption_enc", func(m *registration.Metadata, s stated) {
		m.RequestObjectEncryptionEnc = s.requestObject.EncryptionEnc
	}},
	{"authorizationResponse.signedResponseAlg", "authorization_signed_response_alg", func(m *registration.Metadata, s stated) {
		m.AuthorizationSignedResponseAlg = s.authorizationResponse.SignedResponseAlg
	}},
	{"authorizationResponse.encryptedResponseAlg", "authorization_encrypted_response_alg", func(m *registration.Metadata, s stated) {
		m.AuthorizationEncryptedResponseAlg = s.authorizationResponse.EncryptedResponseAlg
	}},
	{"authorizationResponse.encryptedResponseEnc", "authorization_encrypted_response_enc", func(m *registration.Metadata, s stated) {
		m.AuthorizationEncryptedResponseEnc = s.authorizationResponse.EncryptedResponseEnc
	}},
	{"idToken.signedResponseAlg", "id_token_signed_response_alg", func(m *registration.Metadata, s stated) { m.IDTokenSignedResponseAlg = s.idToken.SignedResponseAlg }},
	{"idToken.encryptedResponseAlg", "id_token_encrypted_response_alg", func(m *registration.Metadata, s stated) {
		m.IDTokenEncryptedResponseAlg = s.idToken.EncryptedResponseAlg
	}},
	{"idToken.encryptedResponseEnc", "id_token_encrypted_response_enc", func(m *registration.Metadata, s stated) {
		m.IDTokenEncryptedResponseEnc = s.idToken.EncryptedResponseEnc
	}},
	{"introspection.resources", "fapi_operator_introspection_resources", func(m *registration.Metadata, s stated) { m.IntrospectionResources = s.introspection.Resources }},
	{"introspection.response.signedResponseAlg", "introspection_signed_response_alg", func(m *registration.Metadata, s stated) {
		m.IntrospectionSignedResponseAlg = s.introspectionResponse.SignedResponseAlg
	}},
	{"introspection.response.encryptedResponseAlg", "introspection_encrypted_response_alg", func(m *registration.Metadata, s stated) {
		m.IntrospectionEncryptedResponseAlg = s.introspectionResponse.EncryptedResponseAlg
	}},
	{"introspection.response.encryptedResponseEnc", "introspection_encrypted_response_enc", func(m *registration.Metadata, s stated) {
		m.IntrospectionEncryptedResponseEnc = s.introspectionResponse.EncryptedResponseEnc
	}},
	{"messageSigning.introspection", "introspection_signed_response_alg", requireSignedIntrospection},
	{"userinfo.signedResponseAlg", "userinfo_signed_response_alg", func(m *registration.Metadata, s stated) { m.UserinfoSignedResponseAlg = s.userinfo.SignedResponseAlg }},
	{"userinfo.encryptedResponseAlg", "userinfo_encrypted_response_alg", func(m *registration.Metadata, s stated) {
		m.UserinfoEncryptedResponseAlg = s.userinfo.EncryptedResponseAlg
	}},
	{"userinfo.encryptedResponseEnc", "userinfo_encrypted_response_enc", func(m *registration.Metadata, s stated) {
		m.UserinfoEncryptedResponseEnc = s.userinfo.EncryptedResponseEnc
	}},

	{"accessToken.senderConstraint", "dpop_bound_access_tokens", bindToDPoPKey},
	{"accessToken.senderConstraint", "tls_client_certificate_bound_access_tokens", bindToCertificate},
	{"accessToken.lifetime", "fapi_operator_access_token_lifetime", func(m *registration.Metadata, s stated) {
		m.AccessTokenLifetime = wholeSeconds(s.accessToken.Lifetime)
	}},
	{"suspended", "fapi_operator_suspended", func(m *registration.Metadata, s stated) { m.Suspended = s.Suspended }},
}

// operatorOnly are the fields that say what the operator does, and become no member.
var operatorOnly = []string{
	"serverClassName",
	"deletionPolicy",
	"binding.entries",
	"binding.secretName",
	"keys.source",
	"keys.managed.rotation.period",
	"keys.managed.rotation.overlap",
	"mutualTLS.certificate.issuerRef.name",
	"mutualTLS.certificate.issuerRef.kind",
	"mutualTLS.certificate.issuerRef.group",
	"mutualTLS.certificate.duration",
	"mutualTLS.certificate.overlap",
	"mutualTLS.certificate.renewBefore",
	"mutualTLS.certificate.privateKey.algorithm",
	"mutualTLS.certificate.privateKey.size",
	"mutualTLS.certificate.secretName",
}

func setJWKS(m *registration.Metadata, s stated) {
	if s.keys.JWKS != nil {
		m.JWKS = s.keys.JWKS.Raw
	}
}

func requireSignedRequests(m *registration.Metadata, s stated) {
	if s.messageSigning.Requests == v1alpha1.MessageSigningRequired {
		m.RequireSignedRequestObject = new(true)
	}
}

// requireSignedResponses leaves no response mode but the signed one (FAPI 2.0 Message Signing, 5.4.1).
func requireSignedResponses(m *registration.Metadata, s stated) {
	if s.messageSigning.Responses == v1alpha1.MessageSigningRequired {
		m.ResponseModes = []string{oauth.ResponseModeJWT}
	}
}

// requireSignedIntrospection states an algorithm, which is what makes the server
// sign every answer (RFC 9701, 6).
func requireSignedIntrospection(m *registration.Metadata, s stated) {
	if s.messageSigning.Introspection == v1alpha1.MessageSigningRequired {
		m.IntrospectionSignedResponseAlg = cmp.Or(m.IntrospectionSignedResponseAlg, registration.DefaultSigningAlg)
	}
}

func bindToDPoPKey(m *registration.Metadata, s stated) {
	if s.accessToken.SenderConstraint != "" {
		m.DPoPBoundAccessTokens = new(s.accessToken.SenderConstraint == v1alpha1.SenderConstraintDPoP)
	}
}

func bindToCertificate(m *registration.Metadata, s stated) {
	if s.accessToken.SenderConstraint != "" {
		m.TLSClientCertificateBoundAccessTokens = new(s.accessToken.SenderConstraint == v1alpha1.SenderConstraintMutualTLS)
	}
}

// wholeSeconds drops a fraction, which LOCAL-WHOLE-SECONDS refuses.
func wholeSeconds(duration *metav1.Duration) *int64 {
	if duration == nil {
		return nil
	}
	return new(int64(duration.Duration / time.Second))
}

// FieldPath is the field of a FAPIApplication that states the metadata member;
// spec itself for a member that no field states.
func FieldPath(member string) *field.Path {
	switch member {
	case memberJWKS:
		return specPath("keys")
	case memberTrustAnchors:
		return specPath("clientAuthentication.tls.trustAnchors")
	}
	for _, row := range table {
		if row.member == member {
			return specPath(row.field)
		}
	}
	return field.NewPath("spec")
}

func specPath(path string) *field.Path {
	return field.NewPath("spec", strings.Split(path, ".")...)
}
