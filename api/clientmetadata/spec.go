package clientmetadata

import (
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// ToSpec gives the spec that means the metadata: what FromApplication makes of it
// is the same again, but for what no field can say, which is left out.
func ToSpec(m registration.Metadata) v1alpha1.FAPIApplicationSpec {
	return v1alpha1.FAPIApplicationSpec{
		ClientID:                    m.ClientID,
		ClientName:                  m.ClientName,
		ClientURI:                   m.ClientURI,
		LogoURI:                     m.LogoURI,
		PolicyURI:                   m.PolicyURI,
		TOSURI:                      m.TOSURI,
		Contacts:                    m.Contacts,
		ApplicationType:             m.ApplicationType,
		GrantTypes:                  m.GrantTypes,
		ResponseTypes:               m.ResponseTypes,
		RedirectURIs:                m.RedirectURIs,
		AllowedOrigins:              m.AllowedOrigins,
		Scopes:                      scopesOf(m.Scope),
		AuthorizationDetailsTypes:   m.AuthorizationDetailsTypes,
		PKCE:                        unlessEmpty(v1alpha1.PKCE{Required: m.PKCERequired, Method: m.CodeChallengeMethod}),
		PushedAuthorizationRequests: unlessEmpty(v1alpha1.PushedAuthorizationRequests{Required: m.RequirePushedAuthorizationRequests}),
		ClientAuthentication: v1alpha1.ClientAuthentication{
			Method: m.TokenEndpointAuthMethod, SigningAlg: m.TokenEndpointAuthSigningAlg, TLS: tlsOf(m),
		},
		Keys:           keysOf(m),
		MessageSigning: messageSigningOf(m),
		RequestObject: unlessEmpty(v1alpha1.RequestObject{
			SigningAlg: m.RequestObjectSigningAlg, EncryptionAlg: m.RequestObjectEncryptionAlg, EncryptionEnc: m.RequestObjectEncryptionEnc,
		}),
		AuthorizationResponse: unlessEmpty(v1alpha1.SignedResponse{
			SignedResponseAlg:    m.AuthorizationSignedResponseAlg,
			EncryptedResponseAlg: m.AuthorizationEncryptedResponseAlg,
			EncryptedResponseEnc: m.AuthorizationEncryptedResponseEnc,
		}),
		IDToken: unlessEmpty(v1alpha1.SignedResponse{
			SignedResponseAlg: m.IDTokenSignedResponseAlg, EncryptedResponseAlg: m.IDTokenEncryptedResponseAlg, EncryptedResponseEnc: m.IDTokenEncryptedResponseEnc,
		}),
		Userinfo: unlessEmpty(v1alpha1.UserinfoResponse{
			SignedResponseAlg: m.UserinfoSignedResponseAlg, EncryptedResponseAlg: m.UserinfoEncryptedResponseAlg, EncryptedResponseEnc: m.UserinfoEncryptedResponseEnc,
		}),
		Introspection: introspectionOf(m),
		AccessToken:   accessTokenOf(m),
		Suspended:     m.Suspended,
	}
}

// unlessEmpty leaves out a group of which nothing is stated.
func unlessEmpty[T comparable](group T) *T {
	var empty T
	if group == empty {
		return nil
	}
	return &group
}

func scopesOf(scope string) []string {
	if scope == "" {
		return nil
	}
	return strings.Split(scope, " ")
}

func tlsOf(m registration.Metadata) *v1alpha1.TLSClientAuthentication {
	return unlessEmpty(v1alpha1.TLSClientAuthentication{
		SubjectDN: m.TLSClientAuthSubjectDN,
		SANDNS:    m.TLSClientAuthSANDNS,
		SANURI:    m.TLSClientAuthSANURI,
		SANIP:     m.TLSClientAuthSANIP,
		SANEmail:  m.TLSClientAuthSANEmail,
		TrustAnchors: unlessEmpty(v1alpha1.TrustAnchors{
			PEM: m.TLSClientAuthTrustAnchors, Bundle: m.TLSClientAuthTrustBundle,
		}),
	})
}

func keysOf(m registration.Metadata) *v1alpha1.Keys {
	switch {
	case m.JWKS != nil:
		return &v1alpha1.Keys{Source: v1alpha1.KeySourceJWKS, JWKS: &apiextensionsv1.JSON{Raw: m.JWKS}}
	case m.JWKSURI != "":
		return &v1alpha1.Keys{Source: v1alpha1.KeySourceJWKSURI, JWKSURI: m.JWKSURI}
	}
	return nil
}

func messageSigningOf(m registration.Metadata) *v1alpha1.MessageSigning {
	var signing v1alpha1.MessageSigning
	if isTrue(m.RequireSignedRequestObject) {
		signing.Requests = v1alpha1.MessageSigningRequired
	}
	if len(m.ResponseModes) == 1 && m.ResponseModes[0] == oauth.ResponseModeJWT {
		signing.Responses = v1alpha1.MessageSigningRequired
	}
	return unlessEmpty(signing)
}

func introspectionOf(m registration.Metadata) *v1alpha1.Introspection {
	response := unlessEmpty(v1alpha1.SignedResponse{
		SignedResponseAlg:    m.IntrospectionSignedResponseAlg,
		EncryptedResponseAlg: m.IntrospectionEncryptedResponseAlg,
		EncryptedResponseEnc: m.IntrospectionEncryptedResponseEnc,
	})
	if m.IntrospectionResources == nil && response == nil {
		return nil
	}
	return &v1alpha1.Introspection{Resources: m.IntrospectionResources, Response: response}
}

func accessTokenOf(m registration.Metadata) *v1alpha1.AccessToken {
	var token v1alpha1.AccessToken
	switch {
	case isTrue(m.DPoPBoundAccessTokens):
		token.SenderConstraint = v1alpha1.SenderConstraintDPoP
	case isTrue(m.TLSClientCertificateBoundAccessTokens):
		token.SenderConstraint = v1alpha1.SenderConstraintMutualTLS
	}
	if m.AccessTokenLifetime != nil {
		token.Lifetime = &metav1.Duration{Duration: time.Duration(*m.AccessTokenLifetime) * time.Second}
	}
	return unlessEmpty(token)
}

func isTrue(stated *bool) bool { return stated != nil && *stated }
