package par

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// RequestObjects opens request objects (RFC 9101): decrypts, verifies, and turns
// claims into parameters.
type RequestObjects struct {
	Issuer         string
	Keys           endpoint.ClientKeys
	DecryptionKeys func() []*jose.DecryptionKey
	// RefreshedDecryptionKeys reads them again, at a bounded rate, because no known key fits.
	RefreshedDecryptionKeys func(ctx context.Context) []*jose.DecryptionKey
	Now                     func() time.Time
}

// Open gives the parameters inside the request object.
func (o *RequestObjects) Open(ctx context.Context, object string, client *fapi.Client) (oauth.Form, *oauth.Error) {
	facts := fapi.RequestObject{Client: client, Issuer: o.Issuer, Now: o.Now()}
	signed := o.decrypt(ctx, object, &facts)
	verified := o.verify(ctx, signed, &facts)
	if refusal := fapi.CheckRequestObject(facts); refusal != nil {
		return oauth.Form{}, refusal
	}
	return parametersOf(verified)
}

// decrypt opens a JWE. What a client registered is what it must use (OpenID
// Connect Dynamic Client Registration, 2).
func (o *RequestObjects) decrypt(ctx context.Context, object string, facts *fapi.RequestObject) string {
	const compactJWEDots = 4 // RFC 7516, 3.1; a JWS has two.
	if facts.Encrypted = strings.Count(object, ".") == compactJWEDots; !facts.Encrypted {
		return object
	}
	algs, encs := jose.KeyManagementAlgorithms(), jose.ContentEncryptions()
	if metadata := facts.Client.Metadata(); metadata.RequestObjectEncryptionAlg != "" {
		algs = []jose.KeyManagementAlgorithm{jose.KeyManagementAlgorithm(metadata.RequestObjectEncryptionAlg)}
		encs = []jose.ContentEncryption{jose.ContentEncryption(metadata.RequestObjectEncryptionEnc)}
	}
	plaintext, err := jose.Decrypt(object, o.DecryptionKeys(), algs, encs)
	if errors.Is(err, jose.ErrNoKey) {
		plaintext, err = jose.Decrypt(object, o.RefreshedDecryptionKeys(ctx), algs, encs)
	}
	facts.DecryptFault = err
	return string(plaintext)
}

// verify fills in what the object says, or the fault for which nothing is believed.
func (o *RequestObjects) verify(ctx context.Context, object string, facts *fapi.RequestObject) *jose.VerifiedJWT {
	var unverified *jose.UnverifiedJWT
	if unverified, facts.Fault = jose.ParseSigned(object, jose.SignatureAlgorithms()); facts.Fault != nil {
		return nil
	}
	keys, err := o.Keys.ClientKeys(ctx, facts.Client)
	if err != nil {
		facts.Fault = fmt.Errorf("get the client's keys: %w", err)
		return nil
	}
	var verified *jose.VerifiedJWT
	if verified, facts.Fault = unverified.Verify(keys); facts.Fault != nil {
		return nil
	}
	facts.Algorithm = verified.Algorithm()
	facts.HasType = verified.Type() != ""
	facts.TypeIsRequestObject = verified.TypeIs(oauth.TypeRequestObject) || verified.TypeIs(oauth.TypeJWT)
	facts.Nested = verified.Has(oauth.ParamRequest) || verified.Has(oauth.ParamRequestURI)
	facts.Fault = verified.Claims(&facts.Claims)
	return verified
}

// notParameters are claims about the object itself.
var notParameters = map[string]bool{"iss": true, "aud": true, "iat": true, "nbf": true, "exp": true, "jti": true, "sub": true}

// parametersOf turns claims into parameters: text as it is, numbers and
// structures (claims, authorization_details) as JSON text (RFC 9101, 4).
func parametersOf(verified *jose.VerifiedJWT) (oauth.Form, *oauth.Error) {
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(verified.Raw(), &claims); err != nil {
		return oauth.Form{}, oauth.AsError(fmt.Errorf("read verified claims: %w", err))
	}
	parameters := make(map[string]string, len(claims))
	for name, raw := range claims {
		if notParameters[name] {
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			text = string(raw)
		}
		parameters[name] = text
	}
	return oauth.FormOf(parameters), nil
}
