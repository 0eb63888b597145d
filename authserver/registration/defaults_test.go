package registration

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

func TestWithDefaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		stated Metadata
		want   Metadata
	}{
		{
			"a machine",
			Metadata{GrantTypes: []string{oauth.GrantClientCredentials}, TokenEndpointAuthMethod: oauth.AuthTLSClient},
			Metadata{
				ApplicationType:                       oauth.ApplicationWeb,
				GrantTypes:                            []string{oauth.GrantClientCredentials},
				TokenEndpointAuthMethod:               oauth.AuthTLSClient,
				TLSClientCertificateBoundAccessTokens: new(true),
				DPoPBoundAccessTokens:                 new(false),
				RequireSignedRequestObject:            new(false),
				AccessTokenLifetime:                   new(int64(300)),
				Suspended:                             new(false),
			},
		},
		{
			"a client that acts for people",
			Metadata{GrantTypes: []string{oauth.GrantAuthorizationCode}, TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT},
			Metadata{
				ApplicationType:                       oauth.ApplicationWeb,
				GrantTypes:                            []string{oauth.GrantAuthorizationCode},
				ResponseTypes:                         []string{oauth.ResponseTypeCode},
				TokenEndpointAuthMethod:               oauth.AuthPrivateKeyJWT,
				TokenEndpointAuthSigningAlg:           "ES256",
				TLSClientCertificateBoundAccessTokens: new(true),
				DPoPBoundAccessTokens:                 new(false),
				RequirePushedAuthorizationRequests:    new(true),
				RequireSignedRequestObject:            new(false),
				AuthorizationSignedResponseAlg:        "ES256",
				IDTokenSignedResponseAlg:              "ES256",
				PKCERequired:                          new(true),
				CodeChallengeMethod:                   oauth.CodeChallengeMethodS256,
				AccessTokenLifetime:                   new(int64(300)),
				Suspended:                             new(false),
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.stated.WithDefaults()); diff != "" {
				t.Errorf("in force (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultsThatFollowFromAnotherMember(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		stated Metadata
		of     func(Metadata) any
		want   any
	}{
		{"no grant, no default grant", Metadata{}, func(m Metadata) any { return len(m.GrantTypes) }, 0},
		{"no method, no default secret", Metadata{}, func(m Metadata) any { return m.TokenEndpointAuthMethod }, ""},
		{"DPoP takes the place of the certificate", Metadata{DPoPBoundAccessTokens: new(true)},
			func(m Metadata) any { return *m.TLSClientCertificateBoundAccessTokens }, false},
		{"signed requests have an algorithm", Metadata{RequireSignedRequestObject: new(true)},
			func(m Metadata) any { return m.RequestObjectSigningAlg }, "ES256"},
		{"requests that need no signature may have any", Metadata{},
			func(m Metadata) any { return m.RequestObjectSigningAlg }, ""},
		{"encrypted requests have a method", Metadata{RequestObjectEncryptionAlg: "ECDH-ES"},
			func(m Metadata) any { return m.RequestObjectEncryptionEnc }, "A128CBC-HS256"},
		{"encrypted responses have a method", Metadata{AuthorizationEncryptedResponseAlg: "ECDH-ES"},
			func(m Metadata) any { return m.AuthorizationEncryptedResponseEnc }, "A128CBC-HS256"},
		{"encrypted ID tokens have a method", Metadata{IDTokenEncryptedResponseAlg: "ECDH-ES"},
			func(m Metadata) any { return m.IDTokenEncryptedResponseEnc }, "A128CBC-HS256"},
		{"encrypted userinfo has a method", Metadata{UserinfoEncryptedResponseAlg: "ECDH-ES"},
			func(m Metadata) any { return m.UserinfoEncryptedResponseEnc }, "A128CBC-HS256"},
		{"encrypted userinfo is signed", Metadata{UserinfoEncryptedResponseAlg: "ECDH-ES"},
			func(m Metadata) any { return m.UserinfoSignedResponseAlg }, "ES256"},
		{"userinfo is plain JSON where nothing is stated", Metadata{GrantTypes: []string{oauth.GrantAuthorizationCode}},
			func(m Metadata) any { return m.UserinfoSignedResponseAlg }, ""},
		{"a method without an algorithm stays", Metadata{IDTokenEncryptedResponseEnc: "A256GCM"},
			func(m Metadata) any { return m.IDTokenEncryptedResponseEnc + m.IDTokenEncryptedResponseAlg }, "A256GCM"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.of(test.stated.WithDefaults()); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// What FAPI forbids must reach the rule book as it was written.
func TestStatedValuesStay(t *testing.T) {
	t.Parallel()
	stated := Metadata{
		ApplicationType:                       "desktop",
		GrantTypes:                            []string{oauth.GrantAuthorizationCode},
		ResponseTypes:                         []string{},
		TokenEndpointAuthMethod:               oauth.AuthPrivateKeyJWT,
		TokenEndpointAuthSigningAlg:           "RS256",
		TLSClientCertificateBoundAccessTokens: new(false),
		DPoPBoundAccessTokens:                 new(false),
		RequirePushedAuthorizationRequests:    new(false),
		RequireSignedRequestObject:            new(true),
		RequestObjectSigningAlg:               "none",
		RequestObjectEncryptionAlg:            "RSA1_5",
		RequestObjectEncryptionEnc:            "A192GCM",
		AuthorizationSignedResponseAlg:        "HS256",
		AuthorizationEncryptedResponseAlg:     "dir",
		AuthorizationEncryptedResponseEnc:     "A192GCM",
		IDTokenSignedResponseAlg:              "none",
		IDTokenEncryptedResponseAlg:           "dir",
		IDTokenEncryptedResponseEnc:           "A192GCM",
		UserinfoSignedResponseAlg:             "none",
		UserinfoEncryptedResponseAlg:          "dir",
		UserinfoEncryptedResponseEnc:          "A192GCM",
		PKCERequired:                          new(false),
		CodeChallengeMethod:                   "plain",
		AccessTokenLifetime:                   new(int64(0)),
		Suspended:                             new(true),
	}
	if diff := cmp.Diff(stated, stated.WithDefaults()); diff != "" {
		t.Errorf("defaults changed what was stated (-stated +in force):\n%s", diff)
	}
}

func TestWithDefaultsLeavesTheStatedMetadataAlone(t *testing.T) {
	t.Parallel()
	stated := Metadata{GrantTypes: []string{oauth.GrantAuthorizationCode}}
	stated.WithDefaults()
	if diff := cmp.Diff(Metadata{GrantTypes: []string{oauth.GrantAuthorizationCode}}, stated); diff != "" {
		t.Errorf("the stated metadata changed (-before +after):\n%s", diff)
	}
}
