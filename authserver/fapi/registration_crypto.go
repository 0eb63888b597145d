package fapi

import (
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// rsa15 is RSAES-PKCS1-v1_5, which RFC 8725, 3.2 names as one to avoid.
const rsa15 = "RSA1_5"

var (
	signatureAlgorithm     = oneOf(jose.SignatureAlgorithms())
	keyManagementAlgorithm = oneOf(jose.KeyManagementAlgorithms())
	contentEncryption      = oneOf(jose.ContentEncryptions())
	// keyManagementAlgorithmOrRSA15 leaves RSA1_5 to the rule that forbids it by name.
	keyManagementAlgorithmOrRSA15 = Either{keyManagementAlgorithm, OneOf{rsa15}}
)

func oneOf[T ~string](names []T) OneOf {
	var texts OneOf
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return texts
}

// goesWith demands an encryption's algorithm of a client that states its method.
func goesWith(enc, alg member) []check {
	return demand(enc.name, Any{Not{enc.stated()}, alg.stated()})
}

// encryptsOnlyJWTResponses: response_modes that are left out allow every mode.
func encryptsOnlyJWTResponses(c *candidate) bool {
	return c.AuthorizationEncryptedResponseAlg == "" || len(c.ResponseModes) == 0 ||
		!consistsOf(c.ResponseModes, oauth.ResponseModeQuery)
}
