package fapi

import "github.com/fapi-operator/fapi-operator/authserver/oauth"

// ClientCredentials is what came with a request to say who the client is, before anything of it is verified.
type ClientCredentials struct {
	Parameters oauth.Form
	// Authorization is the value of the Authorization header, empty without one.
	Authorization string
	// HasCertificate is true when a certificate was presented in the TLS handshake.
	HasCertificate bool
}

// clientCredentialsRules holds for every request that authenticates a client:
// exactly one way to do it, and one that FAPI allows.
var clientCredentialsRules = []Rule[ClientCredentials]{
	{
		ID: "RFC6749-3.2", Clause: "RFC 6749, 3.2", Code: oauth.InvalidRequest,
		Demand: "client_id, client_assertion and client_assertion_type are sent at most once",
		Remedy: "send each parameter once", Member: oauth.ParamClientID,
		Holds: func(c ClientCredentials) bool {
			return !c.repeats(oauth.ParamClientID) && !c.repeats(oauth.ParamClientAssertion) &&
				!c.repeats(oauth.ParamClientAssertionType)
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-6", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-6", Code: oauth.InvalidClient,
		Demand: "clients authenticate by private_key_jwt or mutual TLS; neither an Authorization header (client_secret_basic) nor a client_secret is accepted",
		Remedy: "send a client_assertion, or present the registered certificate", Member: oauth.ParamClientSecret,
		Holds: func(c ClientCredentials) bool {
			return c.Authorization == "" && len(c.Parameters.All(oauth.ParamClientSecret)) == 0
		},
	},
	{
		ID: "RFC7523-2.2", Clause: "RFC 7523, 2.2", Code: oauth.InvalidClient,
		Demand: "client_assertion goes together with client_assertion_type " + oauth.ClientAssertionTypeJWT,
		Remedy: "send both parameters", Member: oauth.ParamClientAssertionType,
		Holds: func(c ClientCredentials) bool {
			if !c.HasAssertion() {
				return !c.Parameters.Has(oauth.ParamClientAssertionType)
			}
			return c.Parameters.Get(oauth.ParamClientAssertionType) == oauth.ClientAssertionTypeJWT
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-3", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-3, 5.3.2.2-4", Code: oauth.InvalidClient,
		Demand: "the client authenticates: neither a client_assertion nor a client certificate came with the request",
		Remedy: "send a client_assertion, or present the certificate at the address under mtls_endpoint_aliases", Member: oauth.ParamClientAssertion,
		Holds: func(c ClientCredentials) bool { return c.HasAssertion() || c.HasCertificate },
	},
	{
		ID: "RFC8705-2", Clause: "RFC 8705, 2", Code: oauth.InvalidClient,
		Demand: "with mutual TLS client authentication the request has the client_id parameter",
		Remedy: "send client_id", Member: oauth.ParamClientID,
		Holds: func(c ClientCredentials) bool { return c.HasAssertion() || c.Parameters.Has(oauth.ParamClientID) },
	},
}

// CheckClientCredentials refuses credentials that cannot authenticate any client.
func CheckClientCredentials(c ClientCredentials) *oauth.Error {
	return firstBroken(clientCredentialsRules, c)
}

// ClientCertificate is mutual TLS client authentication and what was found out about it.
type ClientCertificate struct {
	// Client is registered under the client_id parameter; nil when there is none.
	Client *Client
	// Fault is why the presented certificate does not authenticate the client; nil when it does.
	Fault error
}

// clientCertificateRules holds for every client that authenticates by its
// certificate. One rule answers an unknown client, one that is registered for
// another method, and a wrong certificate, so that guessing tells nothing.
var clientCertificateRules = []Rule[ClientCertificate]{
	{
		ID: "RFC8705-2", Clause: "RFC 8705, 2", Code: oauth.InvalidClient,
		Demand: "client_id names a client that is registered here for mutual TLS, and the certificate is one that its registration admits " +
			"(trust anchors and name, or the certificate itself) and is valid now",
		Remedy: "compare client_id and certificate with the registration", Member: oauth.ParamClientID,
		Holds: func(c ClientCertificate) bool { return c.Client != nil && c.Fault == nil },
	},
}

// CheckClientCertificate refuses a certificate that does not authenticate the
// client; the refusal's cause is the Fault.
func CheckClientCertificate(c ClientCertificate) *oauth.Error {
	refusal := firstBroken(clientCertificateRules, c)
	if refusal == nil {
		return nil
	}
	return refusal.WithCause(c.Fault)
}

// HasAssertion tells whether the client authenticates by private_key_jwt. A
// certificate that comes along then binds the tokens and authenticates nobody.
func (c ClientCredentials) HasAssertion() bool { return c.Parameters.Has(oauth.ParamClientAssertion) }

func (c ClientCredentials) repeats(parameter string) bool {
	return len(c.Parameters.All(parameter)) > 1
}
