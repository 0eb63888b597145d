package fapi

import (
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// rsa15 is RSAES-PKCS1-v1_5, which RFC 8725, 3.2 names as one to avoid.
const rsa15 = "RSA1_5"

func isSignatureAlgorithm(_ *candidate, algorithm string) bool {
	_, known := jose.ParseSignatureAlgorithm(algorithm)
	return known
}

func isNotPKCS1v15(_ *candidate, algorithm string) bool { return algorithm != rsa15 }

// isKeyManagementAlgorithm leaves RSA1_5 to the rule that forbids it by name.
func isKeyManagementAlgorithm(_ *candidate, algorithm string) bool {
	_, known := jose.ParseKeyManagementAlgorithm(algorithm)
	return known || algorithm == rsa15
}

func isContentEncryption(_ *candidate, method string) bool {
	_, known := jose.ParseContentEncryption(method)
	return known
}

func requestObjectEncHasAlg(c *candidate) bool {
	return c.RequestObjectEncryptionEnc == "" || c.RequestObjectEncryptionAlg != ""
}

func idTokenEncHasAlg(c *candidate) bool {
	return c.IDTokenEncryptedResponseEnc == "" || c.IDTokenEncryptedResponseAlg != ""
}

func userinfoEncHasAlg(c *candidate) bool {
	return c.UserinfoEncryptedResponseEnc == "" || c.UserinfoEncryptedResponseAlg != ""
}

func authorizationEncHasAlg(c *candidate) bool {
	return c.AuthorizationEncryptedResponseEnc == "" || c.AuthorizationEncryptedResponseAlg != ""
}

func introspectionEncHasAlg(c *candidate) bool {
	return c.IntrospectionEncryptedResponseEnc == "" || c.IntrospectionEncryptedResponseAlg != ""
}

// encryptsOnlyJWTResponses: response_modes that are left out allow every mode.
func encryptsOnlyJWTResponses(c *candidate) bool {
	return c.AuthorizationEncryptedResponseAlg == "" || len(c.ResponseModes) == 0 ||
		!consistsOf(c.ResponseModes, oauth.ResponseModeQuery)
}

func hasFragment(uri string) bool { return strings.Contains(uri, "#") }
