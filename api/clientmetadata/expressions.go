package clientmetadata

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// The cases in which the operator states what the spec leaves to it, in CEL.
const (
	derivesMatcher       = `has(object.spec.mutualTLS) && object.spec.clientAuthentication.method == "tls_client_auth" && !has(object.spec.clientAuthentication.tls)`
	registersCertificate = `has(object.spec.mutualTLS) && object.spec.clientAuthentication.method == "self_signed_tls_client_auth"`
)

// expressions are the members that are no plain copy of a field. A text whose
// content is not known at admission is some text, since it is stated.
var expressions = map[string]string{
	"scope":          `object.spec.?scopes.orValue([]).join(" ")`,
	"response_types": `object.spec.?responseTypes.orValue("authorization_code" in object.spec.grantTypes ? ["code"] : [])`,
	"request_object_signing_alg": fmt.Sprintf(
		`object.spec.?requestObject.?signingAlg.orValue(object.spec.?messageSigning.?requests.orValue("") == "Required" ? %q : "")`, registration.DefaultSigningAlg),
	"tls_client_auth_san_uri": derivesMatcher + ` ? "the operator's" : object.spec.clientAuthentication.?tls.?sanURI.orValue("")`,
	memberTrustAnchors: derivesMatcher + ` || object.spec.clientAuthentication.?tls.?trustAnchors.?configMapRef.hasValue() ? ` +
		`"not known yet" : object.spec.clientAuthentication.?tls.?trustAnchors.?pem.orValue("")`,
	memberJWKS: registersCertificate + ` || has(object.spec.keys) && object.spec.keys.source != "JWKSURI" ? "stated" : ""`,
	"fapi_operator_access_token_lifetime": fmt.Sprintf(
		`duration(object.spec.?accessToken.?lifetime.orValue("%ds")).getSeconds()`, registration.DefaultAccessTokenLifetime),
}

// Expression is a metadata member in CEL, as the FAPIApplication that is called
// object states it. What is left out is an empty text, an empty list, or true,
// but for defaults that rules look at.
func Expression(member string) (string, error) {
	if expression, known := expressions[member]; known {
		return expression, nil
	}
	path := FieldPath(member).String()
	empty, known := emptyValues[kindOf(member)]
	if !known || path == "spec" {
		return "", fmt.Errorf("no field states the metadata member %q", member)
	}
	return "object.spec" + strings.ReplaceAll(strings.TrimPrefix(path, "spec"), ".", ".?") + ".orValue(" + empty + ")", nil
}

// KeyObjectsExpression is the stated JWK Set in CEL, with its keys: a list of
// whatever stands there.
const KeyObjectsExpression = `!has(object.spec.keys) || !has(object.spec.keys.jwks) ? [] : [dyn(object.spec.keys.jwks)] + ` +
	`("keys" in dyn(object.spec.keys.jwks) && type(dyn(object.spec.keys.jwks).keys) == list ? dyn(object.spec.keys.jwks).keys : [])`

var emptyValues = map[reflect.Type]string{
	reflect.TypeFor[string]():   `""`,
	reflect.TypeFor[[]string](): `[]`,
	reflect.TypeFor[*bool]():    `true`,
}

// kindOf is the type of the member's values; nil for what is no member.
func kindOf(member string) reflect.Type {
	metadata := reflect.TypeFor[registration.Metadata]()
	for i := range metadata.NumField() {
		if name, _, _ := strings.Cut(metadata.Field(i).Tag.Get("json"), ","); name == member {
			return metadata.Field(i).Type
		}
	}
	return nil
}
