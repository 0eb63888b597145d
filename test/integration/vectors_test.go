package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// identifierRule is on manifests alone: vectors choose their identifiers freely.
const identifierRule = "LOCAL-CLIENT-ID-NAMESPACE"

// Each vector is a manifest that gets past the schema, and the webhook names the
// rules that the rule book names.
func TestEachVectorReachesTheWebhookAndBreaksTheSameRules(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for _, vector := range vectors.Registration() {
		if !vector.Manifest {
			continue
		}
		t.Run(vector.Name, func(t *testing.T) {
			t.Parallel()
			metadata, err := registration.DecodeMetadata(vector.Metadata)
			if err != nil {
				t.Fatal(err)
			}
			application := b.application("vector", "{}")
			application.Spec = specOf(metadata)
			requireSameMetadata(t, metadata, application)
			broken := refusedBy(t, b.kube.Create(t.Context(), application, client.DryRunAll))
			want := append([]oauth.RuleID{}, vector.Breaks...)
			if diff := cmp.Diff(want, broken); diff != "" {
				t.Errorf("%s\nbroken rules (-rule book +webhook):\n%s", vector.Description, diff)
			}
		})
	}
}

// requireSameMetadata proves that the manifest says what the vector says.
func requireSameMetadata(t *testing.T, metadata registration.Metadata, application *v1alpha1.FAPIApplication) {
	t.Helper()
	got := clientmetadata.FromApplication(application, clientmetadata.Resolved{}).WithDefaults()
	if diff := cmp.Diff(metadata.WithDefaults(), got, cmp.Comparer(sameJSON)); diff != "" {
		t.Fatalf("the manifest does not say what the vector says (-vector +manifest):\n%s", diff)
	}
}

func sameJSON(a, b json.RawMessage) bool { return string(a) == string(b) }

func refusedBy(t *testing.T, err error) []oauth.RuleID {
	t.Helper()
	broken := []oauth.RuleID{}
	if err == nil {
		return broken
	}
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "admission webhook") {
		t.Fatalf("the webhook was not reached: %v", err)
	}
	rules, _ := refusal(t, err)
	for _, rule := range rules {
		if rule != identifierRule {
			broken = append(broken, oauth.RuleID(rule))
		}
	}
	return broken
}

// specOf is the manifest that means the metadata.
func specOf(m registration.Metadata) v1alpha1.FAPIApplicationSpec {
	return v1alpha1.FAPIApplicationSpec{
		ClientID: m.ClientID, ClientName: m.ClientName, ClientURI: m.ClientURI, LogoURI: m.LogoURI, PolicyURI: m.PolicyURI, TOSURI: m.TOSURI,
		Contacts: m.Contacts, ApplicationType: m.ApplicationType,
		GrantTypes: m.GrantTypes, ResponseTypes: m.ResponseTypes, RedirectURIs: m.RedirectURIs, AllowedOrigins: m.AllowedOrigins,
		Scopes:                      scopesOf(m.Scope),
		AuthorizationDetailsTypes:   m.AuthorizationDetailsTypes,
		PKCE:                        &v1alpha1.PKCE{Required: m.PKCERequired, Method: m.CodeChallengeMethod},
		PushedAuthorizationRequests: &v1alpha1.PushedAuthorizationRequests{Required: m.RequirePushedAuthorizationRequests},
		ClientAuthentication: v1alpha1.ClientAuthentication{
			Method: m.TokenEndpointAuthMethod, SigningAlg: m.TokenEndpointAuthSigningAlg, TLS: tlsOf(m),
		},
		Keys:           keysOf(m),
		MessageSigning: messageSigningOf(m),
		RequestObject: &v1alpha1.RequestObject{
			SigningAlg: m.RequestObjectSigningAlg, EncryptionAlg: m.RequestObjectEncryptionAlg, EncryptionEnc: m.RequestObjectEncryptionEnc,
		},
		AuthorizationResponse: &v1alpha1.SignedResponse{
			SignedResponseAlg: m.AuthorizationSignedResponseAlg, EncryptedResponseAlg: m.AuthorizationEncryptedResponseAlg, EncryptedResponseEnc: m.AuthorizationEncryptedResponseEnc,
		},
		IDToken: &v1alpha1.SignedResponse{
			SignedResponseAlg: m.IDTokenSignedResponseAlg, EncryptedResponseAlg: m.IDTokenEncryptedResponseAlg, EncryptedResponseEnc: m.IDTokenEncryptedResponseEnc,
		},
		Userinfo: &v1alpha1.UserinfoResponse{
			SignedResponseAlg: m.UserinfoSignedResponseAlg, EncryptedResponseAlg: m.UserinfoEncryptedResponseAlg, EncryptedResponseEnc: m.UserinfoEncryptedResponseEnc,
		},
		Introspection: &v1alpha1.Introspection{Resources: m.IntrospectionResources, Response: &v1alpha1.SignedResponse{
			SignedResponseAlg: m.IntrospectionSignedResponseAlg, EncryptedResponseAlg: m.IntrospectionEncryptedResponseAlg, EncryptedResponseEnc: m.IntrospectionEncryptedResponseEnc,
		}},
		AccessToken: accessTokenOf(m),
		Suspended:   m.Suspended,
	}
}

func scopesOf(scope string) []string {
	if scope == "" {
		return nil
	}
	return strings.Split(scope, " ")
}

func tlsOf(m registration.Metadata) *v1alpha1.TLSClientAuthentication {
	tls := &v1alpha1.TLSClientAuthentication{
		SubjectDN: m.TLSClientAuthSubjectDN, SANDNS: m.TLSClientAuthSANDNS, SANURI: m.TLSClientAuthSANURI, SANIP: m.TLSClientAuthSANIP, SANEmail: m.TLSClientAuthSANEmail,
	}
	if m.TLSClientAuthTrustAnchors != "" || m.TLSClientAuthTrustBundle != "" {
		tls.TrustAnchors = &v1alpha1.TrustAnchors{PEM: m.TLSClientAuthTrustAnchors, Bundle: m.TLSClientAuthTrustBundle}
	}
	return tls
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
	signing := &v1alpha1.MessageSigning{}
	if m.RequireSignedRequestObject != nil && *m.RequireSignedRequestObject {
		signing.Requests = v1alpha1.MessageSigningRequired
	}
	if slices.Equal(m.ResponseModes, []string{oauth.ResponseModeJWT}) {
		signing.Responses = v1alpha1.MessageSigningRequired
	}
	return signing
}

func accessTokenOf(m registration.Metadata) *v1alpha1.AccessToken {
	token := &v1alpha1.AccessToken{}
	if m.DPoPBoundAccessTokens != nil && *m.DPoPBoundAccessTokens {
		token.SenderConstraint = v1alpha1.SenderConstraintDPoP
	} else if m.TLSClientCertificateBoundAccessTokens != nil {
		token.SenderConstraint = v1alpha1.SenderConstraintMutualTLS
	}
	if m.AccessTokenLifetime != nil {
		token.Lifetime = &metav1.Duration{Duration: time.Duration(*m.AccessTokenLifetime) * time.Second}
	}
	return token
}

// In its own namespace, a vector's identifier is the namespace's, so that a
// vector which breaks no rule is admitted as it is.
func TestVectorThatBreaksNothingIsAdmittedInItsNamespace(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for _, vector := range vectors.Registration() {
		if !vector.Manifest || len(vector.Breaks) > 0 {
			continue
		}
		metadata, err := registration.DecodeMetadata(vector.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		application := b.application("vector", "{}")
		application.Spec = specOf(metadata)
		application.Spec.ClientID = ""
		if err := b.kube.Create(t.Context(), application, client.DryRunAll); err != nil {
			t.Errorf("vector %s: %v", vector.Name, err)
		}
	}
}
