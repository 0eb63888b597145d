package oauth

// Grant types (RFC 6749, RFC 8693 and others register them at IANA).
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantImplicit          = "implicit"
	GrantPassword          = "password"
)

// ResponseTypeCode is the only response type that FAPI allows
// (FAPI 2.0 Security Profile, 5.3.2.2-1).
const ResponseTypeCode = "code"

// Response modes (OAuth 2.0 Multiple Response Types; JARM, 2.3).
const (
	ResponseModeQuery    = "query"
	ResponseModeJWT      = "jwt"
	ResponseModeQueryJWT = "query.jwt"
)

// Client authentication methods (OpenID Connect Core, 9; RFC 8705, 2).
const (
	AuthPrivateKeyJWT     = "private_key_jwt"
	AuthTLSClient         = "tls_client_auth"
	AuthSelfSignedTLS     = "self_signed_tls_client_auth"
	AuthClientSecretBasic = "client_secret_basic"
	AuthClientSecretPost  = "client_secret_post"
	AuthClientSecretJWT   = "client_secret_jwt"
	AuthNone              = "none"
)

// ClientAssertionTypeJWT is the value of client_assertion_type (RFC 7523, 2.2).
const ClientAssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// CodeChallengeMethodS256 is the only PKCE method that FAPI allows
// (FAPI 2.0 Security Profile, 5.3.2.2-5).
const CodeChallengeMethodS256 = "S256"

// RequestURIPrefix starts every request_uri of a pushed request (RFC 9126, 2.2).
const RequestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// Application types (OpenID Connect Dynamic Client Registration, 2).
const (
	ApplicationWeb    = "web"
	ApplicationNative = "native"
)

// Scopes with a meaning of their own (OpenID Connect Core, 3.1.2.1, 5.4, 11).
const (
	ScopeOpenID        = "openid"
	ScopeOfflineAccess = "offline_access"
)

// Token types as the token response and the Authorization header name them
// (RFC 6750, 6.1.1; RFC 9449, 12.1). They compare without case.
const (
	TokenTypeBearer = "Bearer"
	TokenTypeDPoP   = "DPoP"
)

// Media types of JWTs (their "typ" header) that the server reads or writes.
const (
	TypeAccessToken   = "at+jwt"                  // RFC 9068, 2.1
	TypeDPoP          = "dpop+jwt"                // RFC 9449, 4.2
	TypeRequestObject = "oauth-authz-req+jwt"     // RFC 9101, 4
	TypeIntrospection = "token-introspection+jwt" // RFC 9701, 4
	TypeJWT           = "JWT"
)

// Request parameters.
const (
	ParamClientID            = "client_id"
	ParamClientAssertion     = "client_assertion"
	ParamClientAssertionType = "client_assertion_type"
	ParamClientSecret        = "client_secret"
	ParamGrantType           = "grant_type"
	ParamCode                = "code"
	ParamCodeVerifier        = "code_verifier"
	ParamCodeChallenge       = "code_challenge"
	ParamCodeChallengeMethod = "code_challenge_method"
	ParamRedirectURI         = "redirect_uri"
	ParamResponseType        = "response_type"
	ParamResponseMode        = "response_mode"
	ParamResponse            = "response"
	ParamRequest             = "request"
	ParamRequestURI          = "request_uri"
	ParamRefreshToken        = "refresh_token"
	ParamScope               = "scope"
	ParamState               = "state"
	ParamNonce               = "nonce"
	ParamDPoPJKT             = "dpop_jkt"
	ParamClaims              = "claims"
	ParamPrompt              = "prompt"
	ParamMaxAge              = "max_age"
	ParamACRValues           = "acr_values"
	ParamLoginHint           = "login_hint"
	ParamUILocales           = "ui_locales"
	ParamIDTokenHint         = "id_token_hint"
	ParamResource            = "resource"
	ParamToken               = "token"
	ParamTokenTypeHint       = "token_type_hint"
	ParamIss                 = "iss"
	ParamError               = "error"
	ParamErrorDescription    = "error_description"

	ParamAuthorizationDetails = "authorization_details" // RFC 9396, 2
)
