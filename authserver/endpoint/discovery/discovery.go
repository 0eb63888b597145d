// Package discovery publishes the server's metadata, for OpenID Connect
// Discovery and RFC 8414 alike (FAPI 2.0 Security Profile, 5.3.2.1-1), and its
// public keys.
package discovery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Paths of the endpoints below the issuer's and the mutual-TLS base URL.
const (
	PathAuthorization = "/authorize"
	PathPAR           = "/par"
	PathToken         = "/token"
	PathUserinfo      = "/userinfo"
	PathRevocation    = "/revoke"
	PathIntrospection = "/introspect"
	PathJWKS          = "/jwks"
	// PathMetadata is where OpenID Connect Discovery, 4 looks for the metadata.
	PathMetadata = "/.well-known/openid-configuration"
)

// Server is what discovery says of one installation.
type Server struct {
	Issuer      string
	MTLSBaseURL string
	Scopes      []string
	// AuthorizationDetailsTypes are those that the configuration declares.
	AuthorizationDetailsTypes []string
	// PersonalClaims are the claims of OpenID Connect Core, 5.1 that a person may have.
	PersonalClaims []string
	// ACRValues are those that a login can have; none are advertised without any.
	ACRValues []string
	// UILocales are the languages of the pages (BCP 47).
	UILocales []string
}

// metadata is RFC 8414, 2 and OpenID Connect Discovery, 3, with the members of
// RFC 8705, 9126, 9207, 9396, 9449 and JARM. Every member is registered.
type metadata struct {
	Issuer string `json:"issuer"`
	registration.Endpoints

	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests"`
	AuthorizationResponseIss           bool `json:"authorization_response_iss_parameter_supported"`
	CertificateBoundAccessTokens       bool `json:"tls_client_certificate_bound_access_tokens"`
	RequestParameterSupported          bool `json:"request_parameter_supported"`
	RequestURIParameterSupported       bool `json:"request_uri_parameter_supported"`
	ClaimsParameterSupported           bool `json:"claims_parameter_supported"`

	Scopes               []string `json:"scopes_supported"`
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported"`
	GrantTypes           []string `json:"grant_types_supported"`
	SubjectTypes         []string `json:"subject_types_supported"`
	CodeChallengeMethods []string `json:"code_challenge_methods_supported"`
	PromptValues         []string `json:"prompt_values_supported"`
	Claims               []string `json:"claims_supported"`
	ACRValues            []string `json:"acr_values_supported,omitempty"`
	UILocales            []string `json:"ui_locales_supported"`

	AuthorizationDetailsTypes []string `json:"authorization_details_types_supported,omitempty"`

	TokenEndpointAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAuthSigningAlgs  []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationEndpointAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationEndpointSigningAlgs []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionEndpointMethods  []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthSigningAlgs  []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	IntrospectionSigningAlgs      []string `json:"introspection_signing_alg_values_supported"`
	IntrospectionEncryptionAlgs   []string `json:"introspection_encryption_alg_values_supported"`
	IntrospectionEncryptionEncs   []string `json:"introspection_encryption_enc_values_supported"`
	DPoPSigningAlgs               []string `json:"dpop_signing_alg_values_supported"`
	RequestObjectSigningAlgs      []string `json:"request_object_signing_alg_values_supported"`
	RequestObjectEncryptionAlgs   []string `json:"request_object_encryption_alg_values_supported"`
	RequestObjectEncryptionEncs   []string `json:"request_object_encryption_enc_values_supported"`
	AuthorizationSigningAlgs      []string `json:"authorization_signing_alg_values_supported"`
	AuthorizationEncryptionAlgs   []string `json:"authorization_encryption_alg_values_supported"`
	AuthorizationEncryptionEncs   []string `json:"authorization_encryption_enc_values_supported"`
	IDTokenSigningAlgs            []string `json:"id_token_signing_alg_values_supported"`
	IDTokenEncryptionAlgs         []string `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncryptionEncs         []string `json:"id_token_encryption_enc_values_supported"`
	UserinfoSigningAlgs           []string `json:"userinfo_signing_alg_values_supported"`
	UserinfoEncryptionAlgs        []string `json:"userinfo_encryption_alg_values_supported"`
	UserinfoEncryptionEncs        []string `json:"userinfo_encryption_enc_values_supported"`
}

// Metadata serves the document. It is the same for both well-known paths and
// never changes while the server runs, so it is encoded once.
func Metadata(server Server) (http.Handler, error) {
	document, err := json.Marshal(describe(server))
	if err != nil {
		return nil, fmt.Errorf("encode the server's metadata: %w", err)
	}
	return published("application/json", func() ([]byte, error) { return document, nil }), nil
}

// Keys serves the server's public keys (RFC 7517, 5).
func Keys(current func() *jose.KeySet) http.Handler {
	return published("application/jwk-set+json", func() ([]byte, error) { return json.Marshal(current()) })
}

// published answers with a document that any web page may read: it holds
// nothing that depends on who asks.
func published(contentType string, document func() ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body, err := document()
		if err != nil {
			http.Error(w, string(oauth.ServerError), http.StatusInternalServerError)
			return
		}
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(fapi.KeySetMaxAge/time.Second)))
		_, _ = w.Write(body)
	})
}

func describe(s Server) metadata {
	signing, keyManagement, encryption := names(jose.SignatureAlgorithms()), names(jose.KeyManagementAlgorithms()), names(jose.ContentEncryptions())
	methods := []string{oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLS}
	return metadata{
		Issuer:    s.Issuer,
		Endpoints: Endpoints(s.Issuer, s.MTLSBaseURL),

		RequirePushedAuthorizationRequests: true,
		AuthorizationResponseIss:           true,
		CertificateBoundAccessTokens:       true,
		RequestParameterSupported:          true,
		ClaimsParameterSupported:           true,

		Scopes:               s.Scopes,
		ResponseTypes:        []string{oauth.ResponseTypeCode},
		ResponseModes:        []string{oauth.ResponseModeQuery, oauth.ResponseModeJWT, oauth.ResponseModeQueryJWT},
		GrantTypes:           fapi.SupportedGrantTypes(),
		SubjectTypes:         []string{"public"},
		CodeChallengeMethods: []string{oauth.CodeChallengeMethodS256},
		PromptValues:         []string{"none", "login", "consent", "select_account"},
		Claims:               claims(s),
		ACRValues:            s.ACRValues,
		UILocales:            s.UILocales,

		AuthorizationDetailsTypes: s.AuthorizationDetailsTypes,

		TokenEndpointAuthMethods:      methods,
		TokenEndpointAuthSigningAlgs:  signing,
		RevocationEndpointAuthMethods: methods,
		RevocationEndpointSigningAlgs: signing,
		IntrospectionEndpointMethods:  methods,
		IntrospectionAuthSigningAlgs:  signing,
		IntrospectionSigningAlgs:      signing,
		IntrospectionEncryptionAlgs:   keyManagement,
		IntrospectionEncryptionEncs:   encryption,
		DPoPSigningAlgs:               signing,
		RequestObjectSigningAlgs:      signing,
		RequestObjectEncryptionAlgs:   keyManagement,
		RequestObjectEncryptionEncs:   encryption,
		AuthorizationSigningAlgs:      signing,
		AuthorizationEncryptionAlgs:   keyManagement,
		AuthorizationEncryptionEncs:   encryption,
		IDTokenSigningAlgs:            signing,
		IDTokenEncryptionAlgs:         keyManagement,
		IDTokenEncryptionEncs:         encryption,
		UserinfoSigningAlgs:           signing,
		UserinfoEncryptionAlgs:        keyManagement,
		UserinfoEncryptionEncs:        encryption,
	}
}

// claims are those of the ID token itself, and those about a person.
func claims(s Server) []string {
	own := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr"}
	if len(s.ACRValues) > 0 {
		own = append(own, "acr")
	}
	return append(own, s.PersonalClaims...)
}

// Endpoints are where clients find what, below the two base URLs.
func Endpoints(issuer, mtlsBaseURL string) registration.Endpoints {
	return registration.Endpoints{
		Authorization: issuer + PathAuthorization,
		PAR:           issuer + PathPAR,
		Token:         issuer + PathToken,
		Userinfo:      issuer + PathUserinfo,
		Revocation:    issuer + PathRevocation,
		Introspection: issuer + PathIntrospection,
		JWKSURI:       issuer + PathJWKS,
		MTLSAliases: registration.EndpointAliases{
			PAR:           mtlsBaseURL + PathPAR,
			Token:         mtlsBaseURL + PathToken,
			Userinfo:      mtlsBaseURL + PathUserinfo,
			Revocation:    mtlsBaseURL + PathRevocation,
			Introspection: mtlsBaseURL + PathIntrospection,
		},
	}
}

func names[S ~string](values []S) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}
