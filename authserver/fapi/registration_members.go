package fapi

// The metadata members that several rules look at, with their registered names.
var (
	clientID        = member{"client_id", func(c *candidate) string { return c.ClientID }}
	clientName      = member{"client_name", func(c *candidate) string { return c.ClientName }}
	applicationType = member{"application_type", func(c *candidate) string { return c.ApplicationType }}

	clientURI = member{"client_uri", func(c *candidate) string { return c.ClientURI }}
	logoURI   = member{"logo_uri", func(c *candidate) string { return c.LogoURI }}
	policyURI = member{"policy_uri", func(c *candidate) string { return c.PolicyURI }}
	tosURI    = member{"tos_uri", func(c *candidate) string { return c.TOSURI }}

	contacts                  = list{"contacts", func(c *candidate) []string { return c.Contacts }}
	grantTypes                = list{"grant_types", func(c *candidate) []string { return c.GrantTypes }}
	responseTypes             = list{"response_types", func(c *candidate) []string { return c.ResponseTypes }}
	redirectURIs              = list{"redirect_uris", func(c *candidate) []string { return c.RedirectURIs }}
	authorizationDetailsTypes = list{"authorization_details_types", func(c *candidate) []string { return c.AuthorizationDetailsTypes }}
	allowedOrigins            = list{"fapi_operator_allowed_origins", func(c *candidate) []string { return c.AllowedOrigins }}
	introspectionResources    = list{"fapi_operator_introspection_resources", func(c *candidate) []string { return c.IntrospectionResources }}

	scope               = member{"scope", func(c *candidate) string { return c.Scope }}
	codeChallengeMethod = member{"fapi_operator_code_challenge_method", func(c *candidate) string { return c.CodeChallengeMethod }}

	authMethod = member{"token_endpoint_auth_method", func(c *candidate) string { return c.TokenEndpointAuthMethod }}
	jwks       = member{"jwks", func(c *candidate) string { return string(c.JWKS) }}
	jwksURI    = member{"jwks_uri", func(c *candidate) string { return c.JWKSURI }}

	subjectDN = member{"tls_client_auth_subject_dn", func(c *candidate) string { return c.TLSClientAuthSubjectDN }}
	sanDNS    = member{"tls_client_auth_san_dns", func(c *candidate) string { return c.TLSClientAuthSANDNS }}
	sanURI    = member{"tls_client_auth_san_uri", func(c *candidate) string { return c.TLSClientAuthSANURI }}
	sanIP     = member{"tls_client_auth_san_ip", func(c *candidate) string { return c.TLSClientAuthSANIP }}
	sanEmail  = member{"tls_client_auth_san_email", func(c *candidate) string { return c.TLSClientAuthSANEmail }}

	trustAnchors = member{"fapi_operator_tls_client_auth_trust_anchors", func(c *candidate) string { return c.TLSClientAuthTrustAnchors }}
	trustBundle  = member{"fapi_operator_tls_client_auth_trust_bundle", func(c *candidate) string { return c.TLSClientAuthTrustBundle }}

	assertionSigningAlg     = member{"token_endpoint_auth_signing_alg", func(c *candidate) string { return c.TokenEndpointAuthSigningAlg }}
	requestObjectSigningAlg = member{"request_object_signing_alg", func(c *candidate) string { return c.RequestObjectSigningAlg }}
	authorizationSigningAlg = member{"authorization_signed_response_alg", func(c *candidate) string { return c.AuthorizationSignedResponseAlg }}
	idTokenSigningAlg       = member{"id_token_signed_response_alg", func(c *candidate) string { return c.IDTokenSignedResponseAlg }}
	introspectionSigningAlg = member{"introspection_signed_response_alg", func(c *candidate) string { return c.IntrospectionSignedResponseAlg }}
	userinfoSigningAlg      = member{"userinfo_signed_response_alg", func(c *candidate) string { return c.UserinfoSignedResponseAlg }}

	requestObjectEncryptionAlg = member{"request_object_encryption_alg", func(c *candidate) string { return c.RequestObjectEncryptionAlg }}
	requestObjectEncryptionEnc = member{"request_object_encryption_enc", func(c *candidate) string { return c.RequestObjectEncryptionEnc }}
	authorizationEncryptionAlg = member{"authorization_encrypted_response_alg", func(c *candidate) string { return c.AuthorizationEncryptedResponseAlg }}
	authorizationEncryptionEnc = member{"authorization_encrypted_response_enc", func(c *candidate) string { return c.AuthorizationEncryptedResponseEnc }}
	idTokenEncryptionAlg       = member{"id_token_encrypted_response_alg", func(c *candidate) string { return c.IDTokenEncryptedResponseAlg }}
	idTokenEncryptionEnc       = member{"id_token_encrypted_response_enc", func(c *candidate) string { return c.IDTokenEncryptedResponseEnc }}
	introspectionEncryptionAlg = member{"introspection_encrypted_response_alg", func(c *candidate) string { return c.IntrospectionEncryptedResponseAlg }}
	introspectionEncryptionEnc = member{"introspection_encrypted_response_enc", func(c *candidate) string { return c.IntrospectionEncryptedResponseEnc }}
	userinfoEncryptionAlg      = member{"userinfo_encrypted_response_alg", func(c *candidate) string { return c.UserinfoEncryptedResponseAlg }}
	userinfoEncryptionEnc      = member{"userinfo_encrypted_response_enc", func(c *candidate) string { return c.UserinfoEncryptedResponseEnc }}
)
