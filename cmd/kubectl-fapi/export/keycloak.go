package export

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// keycloakOwn are the clients that Keycloak makes in every realm for itself.
var keycloakOwn = []string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}

// keycloakBookkeeping are members of a client, and attributes, that say nothing
// of what it may do here.
var keycloakBookkeeping = []string{
	"id", "access", "origin", "type", "notBefore", "nodeReRegistrationTimeout", "registeredNodes", "surrogateAuthRequired", "alwaysDisplayInConsole",
	"fullScopeAllowed", "frontchannelLogout", "consentRequired", "directGrantsOnly", "authorizationServicesEnabled",
	"acr.loa.map", "backchannel.logout.revoke.offline.tokens", "backchannel.logout.session.required", "client.secret.creation.time",
	"display.on.consent.screen", "exclude.issuer.from.auth.response", "exclude.session.state.from.auth.response",
	"frontchannel.logout.session.required", "oauth2.device.polling.interval", "realm_client", "token.response.type.bearer.lower-case",
	"use.jwks.string", "use.jwks.url", "x509.allow.regex.pattern.comparison",
}

// keycloakScopes are Keycloak's own client scopes that stand for no scope value.
var keycloakScopes = []string{"acr", "basic", "roles", "web-origins"}

// keycloakMethods are the authentication methods of its client authenticators.
var keycloakMethods = map[string]string{
	"client-secret":     oauth.AuthClientSecretBasic,
	"client-secret-jwt": oauth.AuthClientSecretJWT,
	"client-jwt":        oauth.AuthPrivateKeyJWT,
	"client-x509":       oauth.AuthTLSClient,
}

// keycloakAlgorithms are attributes that name an algorithm.
var keycloakAlgorithms = map[string]func(*registration.Metadata) *string{
	"token.endpoint.auth.signing.alg":      func(m *registration.Metadata) *string { return &m.TokenEndpointAuthSigningAlg },
	"request.object.signature.alg":         func(m *registration.Metadata) *string { return &m.RequestObjectSigningAlg },
	"request.object.encryption.alg":        func(m *registration.Metadata) *string { return &m.RequestObjectEncryptionAlg },
	"request.object.encryption.enc":        func(m *registration.Metadata) *string { return &m.RequestObjectEncryptionEnc },
	"id.token.signed.response.alg":         func(m *registration.Metadata) *string { return &m.IDTokenSignedResponseAlg },
	"id.token.encrypted.response.alg":      func(m *registration.Metadata) *string { return &m.IDTokenEncryptedResponseAlg },
	"id.token.encrypted.response.enc":      func(m *registration.Metadata) *string { return &m.IDTokenEncryptedResponseEnc },
	"user.info.response.signature.alg":     func(m *registration.Metadata) *string { return &m.UserinfoSignedResponseAlg },
	"user.info.encrypted.response.alg":     func(m *registration.Metadata) *string { return &m.UserinfoEncryptedResponseAlg },
	"user.info.encrypted.response.enc":     func(m *registration.Metadata) *string { return &m.UserinfoEncryptedResponseEnc },
	"authorization.signed.response.alg":    func(m *registration.Metadata) *string { return &m.AuthorizationSignedResponseAlg },
	"authorization.encrypted.response.alg": func(m *registration.Metadata) *string { return &m.AuthorizationEncryptedResponseAlg },
	"authorization.encrypted.response.enc": func(m *registration.Metadata) *string { return &m.AuthorizationEncryptedResponseEnc },
	"logoUri":                              func(m *registration.Metadata) *string { return &m.LogoURI },
	"tosUri":                               func(m *registration.Metadata) *string { return &m.TOSURI },
	"policyUri":                            func(m *registration.Metadata) *string { return &m.PolicyURI },
}

// keycloakGrants are the grant types that members and attributes switch on.
var keycloakGrants = []struct{ member, grantType string }{
	{"standardFlowEnabled", oauth.GrantAuthorizationCode},
	{"implicitFlowEnabled", oauth.GrantImplicit},
	{"directAccessGrantsEnabled", oauth.GrantPassword},
	{"serviceAccountsEnabled", oauth.GrantClientCredentials},
	{"oauth2.device.authorization.grant.enabled", "urn:ietf:params:oauth:grant-type:device_code"}, // RFC 8628, 3.4
	{"oidc.ciba.grant.enabled", "urn:openid:params:grant-type:ciba"},                              // OpenID Connect CIBA, 4
	{"standard.token.exchange.enabled", "urn:ietf:params:oauth:grant-type:token-exchange"},        // RFC 8693, 2.1
	{"oauth2.jwt.authorization.grant.enabled", "urn:ietf:params:oauth:grant-type:jwt-bearer"},     // RFC 7523, 2.1
}

// readKeycloak reads the export of a realm, or of clients alone.
func readKeycloak(content []byte) (Clients, error) {
	objects, err := readObjects(content)
	if err != nil {
		return Clients{}, err
	}
	hidden := slices.Clone(keycloakScopes)
	if list, isRealm := objects[0]["clients"]; isRealm && len(objects) == 1 {
		hidden = append(hidden, hiddenScopes(objects[0]["clientScopes"])...)
		if objects, err = decode[[]object](list); err != nil {
			return Clients{}, err
		}
	}
	var clients Clients
	for _, members := range objects {
		reader := keycloakReader{members: members, hidden: hidden, taken: map[string]bool{}}
		reader.readAttributes()
		if reason := reader.skips(); reason != "" {
			clients.Skipped = append(clients.Skipped, Loss{reader.text("clientId"), reason})
			continue
		}
		clients.Clients = append(clients.Clients, reader.read())
	}
	return clients, nil
}

// hiddenScopes are the realm's client scopes that are no scope value: they bring
// claims alone.
func hiddenScopes(value jsontext.Value) []string {
	scopes, err := decode[[]struct {
		Name       string         `json:"name"`
		Attributes map[string]any `json:"attributes"`
	}](value)
	if err != nil {
		return nil
	}
	var hidden []string
	for _, scope := range scopes {
		if scope.Attributes["include.in.token.scope"] == "false" {
			hidden = append(hidden, scope.Name)
		}
	}
	return hidden
}

// keycloakReader reads one client, and remembers which of its members and
// attributes it has read.
type keycloakReader struct {
	members    object
	attributes map[string]string
	hidden     []string
	taken      map[string]bool

	client Client
}

func (r *keycloakReader) readAttributes() {
	r.attributes = map[string]string{}
	attributes, _ := decode[map[string]jsontext.Value](r.members["attributes"])
	for name, value := range attributes {
		if text, err := decode[string](value); err == nil {
			r.attributes[name] = text
		} else if !isEmpty(value) {
			r.attributes[name] = string(value)
		}
	}
	r.taken["attributes"] = true
}

// skips says why a client becomes no FAPIApplication.
func (r *keycloakReader) skips() string {
	switch {
	case slices.Contains(keycloakOwn, r.text("clientId")):
		return "Keycloak's own"
	case r.text("protocol") != "" && r.text("protocol") != "openid-connect":
		return "it speaks another protocol than OpenID Connect"
	case r.flag("bearerOnly"):
		return "it is a resource server that asks for no tokens; one that introspects needs an application with introspection.resources"
	}
	return ""
}

func (r *keycloakReader) read() Client {
	r.client.ID = r.text("clientId")
	r.client.Metadata.ClientID = r.client.ID
	r.readPerson()
	r.readGrants()
	r.readAuthentication()
	r.readKeys()
	r.readFixed()
	r.readMessages()
	r.readLifetime()
	r.readScopes()
	r.tellRest()
	r.client.withoutSecrets(func(member string) string { return keycloakNames[member] })
	r.client.sortLosses()
	return r.client
}

// keycloakNames are the names in the file of what may hold a secret.
var keycloakNames = map[string]string{
	"jwks": "jwks.string", "jwks_uri": "jwks.url", "client_uri": "baseUrl", "logo_uri": "logoUri", "policy_uri": "policyUri", "tos_uri": "tosUri",
	"redirect_uris": "redirectUris", "fapi_operator_allowed_origins": "webOrigins",
}

func (r *keycloakReader) readPerson() {
	m := &r.client.Metadata
	if name := r.text("name"); strings.HasPrefix(name, "${") {
		r.client.lose("name", "it names a text of Keycloak's")
	} else {
		m.ClientName = name
	}
	root := r.text("rootUrl")
	if base := r.text("baseUrl"); base != "" {
		m.ClientURI = below(root, base)
	}
	for _, uri := range r.list("redirectUris") {
		m.RedirectURIs = append(m.RedirectURIs, below(root, uri))
	}
	m.AllowedOrigins = r.origins()
	if enabled, stated := r.members["enabled"]; stated && string(enabled) == "false" {
		m.Suspended = new(true)
	}
	r.taken["enabled"] = true
}

// below resolves a path against the root URL, as Keycloak does.
func below(root, uri string) string {
	if strings.HasPrefix(uri, "/") && root != "" && !strings.HasPrefix(root, "${") {
		return strings.TrimSuffix(root, "/") + uri
	}
	return uri
}

// origins are the web origins; + stands for those of the redirect URIs.
func (r *keycloakReader) origins() []string {
	var origins []string
	for _, origin := range r.list("webOrigins") {
		if origin != "+" {
			origins = append(origins, origin)
			continue
		}
		for _, uri := range r.client.Metadata.RedirectURIs {
			if parsed, err := url.Parse(uri); err == nil && parsed.Host != "" {
				origins = append(origins, parsed.Scheme+"://"+parsed.Host)
			}
		}
	}
	return unique(origins)
}

func (r *keycloakReader) readGrants() {
	m := &r.client.Metadata
	m.GrantTypes = []string{}
	for _, grant := range keycloakGrants {
		if r.flag(grant.member) {
			m.GrantTypes = append(m.GrantTypes, grant.grantType)
		}
	}
	if refresh := r.attribute("use.refresh.tokens"); refresh != "false" && slices.Contains(m.GrantTypes, oauth.GrantAuthorizationCode) {
		m.GrantTypes = append(m.GrantTypes, oauth.GrantRefreshToken)
	}
}

func (r *keycloakReader) readAuthentication() {
	m := &r.client.Metadata
	authenticator := r.text("clientAuthenticatorType")
	method, known := keycloakMethods[authenticator]
	switch {
	case r.flag("publicClient"):
		method = oauth.AuthNone
	case authenticator == "":
		method = oauth.AuthClientSecretBasic
	case !known:
		r.client.lose("clientAuthenticatorType", reasonNothingLikeIt)
	}
	m.TokenEndpointAuthMethod = method
	subject := r.attribute("x509.subjectdn")
	switch {
	case method != oauth.AuthTLSClient || subject == "":
	case r.attribute("x509.allow.regex.pattern.comparison") == "true":
		r.client.lose("x509.subjectdn", "it is a pattern; a certificate is named by one subject or subject alternative name (RFC 8705, 2.1.2)")
	default:
		m.TLSClientAuthSubjectDN = subject
	}
	for _, member := range []string{"secret", "registrationAccessToken"} {
		if r.text(member) != "" {
			r.client.lose(member, reasonSecret)
		}
	}
}

func (r *keycloakReader) readKeys() {
	m := &r.client.Metadata
	if uri := r.attribute("jwks.url"); r.attribute("use.jwks.url") == "true" {
		m.JWKSURI = uri
	}
	if set := r.attribute("jwks.string"); r.attribute("use.jwks.string") == "true" {
		m.JWKS = []byte(set)
	}
	for name := range r.attributes {
		if strings.HasPrefix(name, "jwt.credential.") {
			r.taken[name] = true
			r.client.lose(name, "keys are registered as a JSON Web Key Set: bring one, by value or by URL")
		}
	}
}

// readFixed reads what FAPI fixes. Keycloak's silence means that it is not demanded.
func (r *keycloakReader) readFixed() {
	m := &r.client.Metadata
	m.DPoPBoundAccessTokens = new(r.flag("dpop.bound.access.tokens"))
	m.TLSClientCertificateBoundAccessTokens = new(r.flag("tls.client.certificate.bound.access.tokens"))
	pushed, challenge := r.flag("require.pushed.authorization.requests"), r.attribute("pkce.code.challenge.method")
	if slices.Contains(m.GrantTypes, oauth.GrantAuthorizationCode) {
		m.RequirePushedAuthorizationRequests = new(pushed)
		m.PKCERequired, m.CodeChallengeMethod = new(challenge != ""), challenge
	}
}

func (r *keycloakReader) readMessages() {
	for name, field := range keycloakAlgorithms {
		if value := r.attribute(name); value != "any" && value != "unsigned" {
			*field(&r.client.Metadata) = value
		}
	}
	if required := r.attribute("request.object.required"); required != "" && required != "not required" {
		r.client.Metadata.RequireSignedRequestObject = new(true)
	}
}

func (r *keycloakReader) readLifetime() {
	const member = "access.token.lifespan" // in seconds
	stated := r.attribute(member)
	if stated == "" {
		return
	}
	seconds, err := strconv.ParseInt(stated, 10, 64)
	if err != nil {
		r.client.lose(member, reasonUnreadable)
		return
	}
	r.client.setLifetime(member, seconds)
}

// readScopes adds openid, which every client of Keycloak's may ask for.
func (r *keycloakReader) readScopes() {
	var scopes []string
	if slices.Contains(r.client.Metadata.GrantTypes, oauth.GrantAuthorizationCode) {
		scopes = append(scopes, "openid")
	}
	for _, scope := range slices.Concat(r.list("defaultClientScopes"), r.list("optionalClientScopes")) {
		if !slices.Contains(r.hidden, scope) {
			scopes = append(scopes, scope)
		}
	}
	r.client.Metadata.Scope = strings.Join(unique(scopes), " ")
}

// tellRest names every member and attribute that was not read and says something.
func (r *keycloakReader) tellRest() {
	for member, value := range r.members {
		if !r.taken[member] && !isEmpty(value) && !slices.Contains(keycloakBookkeeping, member) {
			r.client.lose(member, reasonNothingLikeIt)
		}
	}
	for name, value := range r.attributes {
		says := value != "" && value != "false" && !strings.HasPrefix(name, "saml")
		if !r.taken[name] && says && !slices.Contains(keycloakBookkeeping, name) {
			r.client.lose(name, reasonNothingLikeIt)
		}
	}
}

func (r *keycloakReader) attribute(name string) string {
	r.taken[name] = true
	return r.attributes[name]
}

// flag is a member or an attribute.
func (r *keycloakReader) flag(name string) bool {
	r.taken[name] = true
	return string(r.members[name]) == "true" || r.attributes[name] == "true"
}

func (r *keycloakReader) text(member string) string { return take[string](r, member) }

func (r *keycloakReader) list(member string) []string { return take[[]string](r, member) }

// take reads a member once more only silently.
func take[T any](r *keycloakReader, member string) T {
	value, stated := r.members[member]
	if !stated || isEmpty(value) {
		var nothing T
		return nothing
	}
	decoded, err := decode[T](value)
	if err != nil && !r.taken[member] {
		r.client.lose(member, reasonUnreadable)
	}
	r.taken[member] = true
	return decoded
}
