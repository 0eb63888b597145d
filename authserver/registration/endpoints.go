package registration

// Endpoints are the members of the server's metadata that say where a client finds
// what (RFC 8414, 2; OpenID Connect Discovery, 3; RFC 9126, 5; RFC 8705, 5).
type Endpoints struct {
	Authorization string `json:"authorization_endpoint"`
	PAR           string `json:"pushed_authorization_request_endpoint"`
	Token         string `json:"token_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	JWKSURI       string `json:"jwks_uri"`

	MTLSAliases EndpointAliases `json:"mtls_endpoint_aliases"`
}

// EndpointAliases are every endpoint that authenticates a client or binds a token
// (RFC 8705, 5), and never the authorization endpoint.
type EndpointAliases struct {
	PAR           string `json:"pushed_authorization_request_endpoint"`
	Token         string `json:"token_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Introspection string `json:"introspection_endpoint"`
}

// ForCertificates are the endpoints as a client uses them that presents a
// certificate: the aliases take the place of what they are aliases of (RFC 8705, 5).
func (e Endpoints) ForCertificates() Endpoints {
	aliases := e.MTLSAliases
	e.PAR, e.Token, e.Userinfo = aliases.PAR, aliases.Token, aliases.Userinfo
	e.Revocation, e.Introspection = aliases.Revocation, aliases.Introspection
	return e
}

// IsComplete tells whether every endpoint is named.
func (e Endpoints) IsComplete() bool {
	for _, endpoint := range []string{
		e.Authorization, e.PAR, e.Token, e.Userinfo, e.Revocation, e.Introspection, e.JWKSURI,
		e.MTLSAliases.PAR, e.MTLSAliases.Token, e.MTLSAliases.Userinfo, e.MTLSAliases.Revocation, e.MTLSAliases.Introspection,
	} {
		if endpoint == "" {
			return false
		}
	}
	return true
}
