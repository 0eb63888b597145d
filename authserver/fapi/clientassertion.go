package fapi

import (
	"errors"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// TypeClientAuthentication is the typ that the successor of RFC 7523 gives
// client assertions. It is accepted, and not demanded.
const TypeClientAuthentication = "client-authentication+jwt"

// ClientAssertion is a client assertion and what was found out about it (RFC 7523; OpenID Connect Core, 9).
type ClientAssertion struct {
	// Fault is why the JWT could not be read or verified, an error of package
	// jose; nil once a key of the client has verified the signature.
	Fault     error
	Algorithm jose.SignatureAlgorithm
	// HasForeignType is true when the "typ" header names another kind of JWT.
	HasForeignType bool
	// ClientID is the client_id parameter, empty when it was not sent.
	ClientID string
	// Issuer and Subject are to be believed only without Fault.
	Issuer  string
	Subject string
	// Claims are the others; zero with Fault.
	Claims ClientAssertionClaims
	// Client is registered under Subject; nil when there is none.
	Client *Client
	// ServerIssuer is the server's issuer identifier.
	ServerIssuer string
	Now          time.Time
	// Replayed is true once the store has seen the same jti from the client.
	Replayed bool
}

// ClientAssertionClaims are the claims beside iss and sub; nil when absent.
type ClientAssertionClaims struct {
	Audience  *jose.Audience    `json:"aud"`
	ID        *string           `json:"jti"`
	IssuedAt  *jose.NumericDate `json:"iat"`
	NotBefore *jose.NumericDate `json:"nbf"`
	ExpiresAt *jose.NumericDate `json:"exp"`
}

// clientAssertionRules holds for every client assertion. What it says of its
// sender comes before the signature, whose rule answers an unknown client and a
// wrong key alike; everything that depends on the registration comes after it.
var clientAssertionRules = []Rule[ClientAssertion]{
	{
		ID: "RFC7523-2.2", Clause: "RFC 7523, 2.2; RFC 7515, 7.1", Code: oauth.InvalidClient,
		Demand: "client_assertion is a single well-formed JWT in JWS compact serialization, and its claims have their registered types",
		Remedy: "send one signed JWT", Member: oauth.ParamClientAssertion,
		Holds: func(a ClientAssertion) bool {
			return !errors.Is(a.Fault, jose.ErrMalformed) && !errors.Is(a.Fault, jose.ErrPrivateKey) &&
				!errors.Is(a.Fault, jose.ErrUnsupportedKey)
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.4.1-1", Clause: "FAPI 2.0 Security Profile, 5.4.1-1", Code: oauth.InvalidClient,
		Demand: "the client assertion is signed with PS256, ES256 or EdDSA",
		Remedy: "sign with token_endpoint_auth_signing_alg", Member: "alg",
		Holds: func(a ClientAssertion) bool { return !errors.Is(a.Fault, jose.ErrAlgorithm) },
	},
	{
		ID: "RFC8725-3.12", Clause: "RFC 8725, 3.12", Code: oauth.InvalidClient,
		Demand: "typ, if present, does not name another kind of JWT",
		Remedy: "send typ " + TypeClientAuthentication + ", or none", Member: "typ",
		Holds: func(a ClientAssertion) bool { return !a.HasForeignType },
	},
	{
		ID: "RFC7523-3-2", Clause: "RFC 7523, 3-2; OpenID Connect Core, 9", Code: oauth.InvalidClient,
		Demand: "sub is present and is the client_id",
		Remedy: "set sub to the client_id", Member: "sub",
		Holds: func(a ClientAssertion) bool { return a.Subject != "" },
	},
	{
		ID: "RFC7523-3-1", Clause: "RFC 7523, 3-1; OpenID Connect Core, 9", Code: oauth.InvalidClient,
		Demand: "iss is present and equal to sub",
		Remedy: "set iss to the client_id", Member: "iss",
		Holds: func(a ClientAssertion) bool { return a.Issuer == a.Subject },
	},
	{
		ID: "RFC7521-4.2", Clause: "RFC 7521, 4.2", Code: oauth.InvalidClient,
		Demand: "client_id, if sent, names the client that the assertion's sub names",
		Remedy: "send the same client_id, or leave the parameter out", Member: oauth.ParamClientID,
		Holds: func(a ClientAssertion) bool { return a.ClientID == "" || a.ClientID == a.Subject },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-6", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-6; RFC 7523, 3-9", Code: oauth.InvalidClient,
		Demand: "sub names a client that is registered here, and the signature verifies with a key of its registered key set",
		Remedy: "compare client_id, kid and keys with the registration", Member: oauth.ParamClientAssertion,
		Holds: func(a ClientAssertion) bool {
			return a.Fault == nil && a.Client != nil && a.Client.ID() == a.Subject
		},
	},
	{
		ID: "OIDCR-2", Clause: "OpenID Connect Dynamic Client Registration, 2", Code: oauth.InvalidClient,
		Demand: "the client is registered for private_key_jwt, and for the algorithm that signs the assertion",
		Remedy: "use the registered token_endpoint_auth_method and token_endpoint_auth_signing_alg", Member: "alg",
		Holds: func(a ClientAssertion) bool {
			return a.Client.AuthMethod() == oauth.AuthPrivateKeyJWT &&
				a.Client.Metadata().TokenEndpointAuthSigningAlg == string(a.Algorithm)
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-8", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-8", Code: oauth.InvalidClient,
		Demand: "aud is the issuer identifier of this server, as one string and not an array",
		Remedy: "set aud to the issuer of the server's metadata", Member: "aud",
		Holds: func(a ClientAssertion) bool {
			audience := a.Claims.Audience
			return audience != nil && audience.IsSingleString() && audience.Contains(a.ServerIssuer)
		},
	},
	{
		ID: "RFC7523-3-4", Clause: "RFC 7523, 3-4; OpenID Connect Core, 9", Code: oauth.InvalidClient,
		Demand: "exp is present and not in the past",
		Remedy: "make a new assertion for each request, valid for a minute", Member: "exp",
		Holds: func(a ClientAssertion) bool {
			return a.Claims.ExpiresAt != nil && a.Now.Before(a.Claims.ExpiresAt.Time().Add(PastSkew))
		},
	},
	{
		ID: "LOCAL-ASSERTION-LIFETIME", Clause: "our own limit; RFC 7523, 3-4 allows one", Code: oauth.InvalidClient,
		Demand: "exp is at most 10 minutes ahead",
		Remedy: "set exp a minute ahead", Member: "exp",
		Holds: func(a ClientAssertion) bool {
			return !a.Claims.ExpiresAt.Time().After(a.Now.Add(MaxAssertionLifetime + FutureSkew))
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-13", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-13", Code: oauth.InvalidClient,
		Demand: "iat and nbf are not in the future",
		Remedy: "set the client's clock", Member: "nbf",
		Holds: func(a ClientAssertion) bool {
			return notInFuture(a.Claims.IssuedAt, a.Now) && notInFuture(a.Claims.NotBefore, a.Now)
		},
	},
	{
		ID: "OIDCC-9", Clause: "OpenID Connect Core, 9", Code: oauth.InvalidClient,
		Demand: "jti is present, not empty, and of at most 256 characters",
		Remedy: "set jti to a random value", Member: "jti",
		Holds: func(a ClientAssertion) bool { return isBoundedID(a.Claims.ID) },
	},
	{
		ID: "RFC7523-3-7", Clause: "RFC 7523, 3-7; OpenID Connect Core, 9", Code: oauth.InvalidClient,
		Demand: "a client assertion is used once",
		Remedy: "make a new assertion, with a new jti, for each request", Member: "jti",
		Holds: func(a ClientAssertion) bool { return !a.Replayed },
	},
}

// CheckClientAssertion refuses a client assertion at the first rule that it
// breaks; the refusal's cause is the Fault.
func CheckClientAssertion(a ClientAssertion) *oauth.Error {
	refusal := firstBroken(clientAssertionRules, a)
	if refusal == nil || a.Fault == nil {
		return refusal
	}
	return refusal.WithCause(a.Fault)
}

// authenticatedClientRules holds for every client that has proven who it is, by whatever method.
var authenticatedClientRules = []Rule[*Client]{
	{
		ID: "LOCAL-CLIENT-SUSPENDED", Clause: "our own policy", Code: oauth.InvalidClient,
		Demand: "the client is not suspended",
		Remedy: "ask the administrator to lift the suspension", Member: "fapi_operator_suspended",
		Holds: func(c *Client) bool { return !c.Suspended() },
	},
}

// CheckAuthenticatedClient refuses a client that may not act although it has proven who it is.
func CheckAuthenticatedClient(client *Client) *oauth.Error {
	return firstBroken(authenticatedClientRules, client)
}

// notInFuture gives every JWT the skew of FAPI 2.0 Security Profile, 5.3.2.1-13. An absent claim is not in the future.
func notInFuture(claim *jose.NumericDate, now time.Time) bool {
	return claim == nil || !claim.Time().After(now.Add(FutureSkew))
}

// isBoundedID judges a jti.
func isBoundedID(id *string) bool { return id != nil && *id != "" && len(*id) <= MaxJWTIDLength }
