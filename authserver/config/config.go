// Package config turns the authorization server's one configuration file into
// one validated Config. example.yaml documents every setting; schema.json lets
// editors and pipelines check a file before the server sees it.
package config

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Config is a validated configuration with its defaults filled in. Parse and
// Load alone make one, and nobody changes it afterwards.
type Config struct {
	// Issuer is the issuer identifier (RFC 8414, 2): an https URL without query,
	// fragment or trailing slash. The public endpoints are below it.
	Issuer string `yaml:"issuer"`
	// MTLSBaseURL is where clients with a certificate find the endpoints: the
	// base of mtls_endpoint_aliases (RFC 8705, 5).
	MTLSBaseURL string    `yaml:"mtlsBaseURL"`
	Listeners   Listeners `yaml:"listeners"`
	Store       Store     `yaml:"store"`
	// KeyEncryptionKeyFile holds the key under which the server's own private
	// keys are encrypted in the store.
	KeyEncryptionKeyFile string `yaml:"keyEncryptionKeyFile"`
	Users                Users  `yaml:"users"`
	// Authentication says what a login is worth.
	Authentication Authentication `yaml:"authentication"`
	// DefaultResource is the "aud" of access tokens that name no resource (RFC 9068, 3): a URI.
	DefaultResource string `yaml:"defaultResource"`
	// Scopes are the scope values that clients may be registered for, by name;
	// openid and offline_access always are.
	Scopes map[string]Scope `yaml:"scopes"`
	// AuthorizationDetailsTypes are the types of authorization details (RFC 9396,
	// 2) that clients may be registered for, by name.
	AuthorizationDetailsTypes map[string]AuthorizationDetailsType `yaml:"authorizationDetailsTypes"`
	// TrustBundles are PEM files of CA certificates, by the name that
	// fapi_operator_tls_client_auth_trust_bundle refers to.
	TrustBundles map[string]string `yaml:"trustBundles"`
	JWKSURI      JWKSURI           `yaml:"jwksURI"`
	Keys         Keys              `yaml:"keys"`
	DPoP         DPoP              `yaml:"dpop"`
	AccessToken  AccessToken       `yaml:"accessToken"`
	RefreshToken RefreshToken      `yaml:"refreshToken"`
	Session      Session           `yaml:"session"`
	Log          Log               `yaml:"log"`
}

// Listeners are the sockets of the server.
type Listeners struct {
	// Public serves browsers and clients; it never asks for a certificate.
	Public Listener `yaml:"public"`
	// MTLS serves clients that show a certificate.
	MTLS MTLSListener `yaml:"mtls"`
	// Private serves registration and administration.
	Private PrivateListener `yaml:"private"`
	// Health serves health, readiness and metrics over plain HTTP.
	Health HealthListener `yaml:"health"`
}

// Listener is a TLS socket.
type Listener struct {
	// Address is host:port; an empty host means all interfaces.
	Address string `yaml:"address"`
	TLS     TLS    `yaml:"tls"`
}

// MTLSListener is a TLS socket that asks for a certificate.
type MTLSListener struct {
	Address string `yaml:"address"`
	TLS     TLS    `yaml:"tls"`
	// Proxy ends clients' TLS and forwards their certificates; nil where clients
	// connect themselves.
	Proxy *Proxy `yaml:"proxy"`
}

// Proxy is known by its certificate: a CA of ClientCAFile issued it for one of SANs.
type Proxy struct {
	ClientCAFile string `yaml:"clientCAFile"`
	// SANs are DNS names and URIs, compared whole.
	SANs []string `yaml:"sans"`
	// Header is where the client's certificate is: mtls.HeaderClientCert or
	// mtls.HeaderForwardedClientCert.
	Header string `yaml:"header"`
}

// PrivateListener demands a client certificate that a CA of ClientCAFile issued
// for one of AllowedClientSANs, BoundClientSANs or AdministratorSANs. All three hold
// DNS names and URIs, compared whole.
type PrivateListener struct {
	Address      string `yaml:"address"`
	TLS          TLS    `yaml:"tls"`
	ClientCAFile string `yaml:"clientCAFile"`
	// AllowedClientSANs may register clients, whichever installation they say that
	// they are.
	AllowedClientSANs []string `yaml:"allowedClientSANs"`
	// BoundClientSANs may register clients of the installations that stand beside
	// them, and of no other.
	BoundClientSANs map[string][]string `yaml:"boundClientSANs"`
	// AdministratorSANs may list and revoke grants; empty is nobody.
	AdministratorSANs []string `yaml:"administratorSANs"`
}

// HealthListener is a plain HTTP socket.
type HealthListener struct {
	Address string `yaml:"address"`
}

// TLS names PEM files: the server's certificate with its chain, and its key.
type TLS struct {
	CertificateFile string `yaml:"certificateFile"`
	KeyFile         string `yaml:"keyFile"`
}

// Store says where the server keeps its state: exactly one of the two is given.
type Store struct {
	SQLite   *SQLite   `yaml:"sqlite"`
	Postgres *Postgres `yaml:"postgres"`
}

// SQLite is the embedded store.
type SQLite struct {
	// Path of the database file; it is created when it is not there.
	Path string `yaml:"path"`
}

// Postgres is a database that several server processes share.
type Postgres struct {
	// Hosts are host:port; of several the first that takes writes is used. A host
	// that begins with a slash is the directory of a Unix socket.
	Hosts    []string `yaml:"hosts"`
	Database string   `yaml:"database"`
	User     string   `yaml:"user"`
	// PasswordFile holds the user's password; optional with a certificate.
	PasswordFile string      `yaml:"passwordFile"`
	TLS          PostgresTLS `yaml:"tls"`
	// MaxConnections bounds the connections of one server process.
	MaxConnections int `yaml:"maxConnections"`
}

// PostgresTLS names PEM files. The database's certificate and its name are always
// verified, other than on a Unix socket, which has no TLS.
type PostgresTLS struct {
	// CAFile are the CAs that issue the database's certificate; the system's when empty.
	CAFile string `yaml:"caFile"`
	// CertificateFile and KeyFile are shown to the database: both or none.
	CertificateFile string `yaml:"certificateFile"`
	KeyFile         string `yaml:"keyFile"`
}

// Users says who can log in.
type Users struct {
	// File lists the local users with their password hashes.
	File string `yaml:"file"`
}

// Authentication says what a login is worth.
type Authentication struct {
	ACR ACR `yaml:"acr"`
}

// ACR names the authentication context class ("acr"; OpenID Connect Core, 2) of
// each way to log in; empty where none is claimed.
type ACR struct {
	// Password is the acr of a login with a local password.
	Password string `yaml:"password"`
}

// Values are the acr values that a login can have.
func (a ACR) Values() []string {
	if a.Password == "" {
		return nil
	}
	return []string{a.Password}
}

// Scope is what a person is told about a scope value.
type Scope struct {
	Description string `yaml:"description"`
}

// AuthorizationDetailsType is what a type of authorization details means.
type AuthorizationDetailsType struct {
	// Description is what a person is told about an element of the type.
	Description string `yaml:"description"`
	// SchemaFile holds a JSON Schema (draft 2020-12) for one element.
	SchemaFile string `yaml:"schemaFile"`
	// WithoutPerson lets clients have it by client credentials, where nobody is asked.
	WithoutPerson bool `yaml:"withoutPerson"`
}

// JWKSURI lists where clients' key sets may be fetched from besides public addresses.
type JWKSURI struct {
	// AllowedHosts are host names whose addresses may be private.
	AllowedHosts []string `yaml:"allowedHosts"`
	// AllowedCIDRs are address ranges that count as public.
	AllowedCIDRs []CIDR `yaml:"allowedCIDRs"`
}

// Keys say how often the server's own keys change, and where those are that sign.
type Keys struct {
	// RotationInterval lies between the making of one key and of the next.
	RotationInterval time.Duration `yaml:"rotationInterval"`
	// Overlap is how much longer a key is kept than what it signed, or what was
	// encrypted to it, can live.
	Overlap time.Duration `yaml:"overlap"`
	// PKCS11 keeps the signing keys; nil where the store does.
	PKCS11 *PKCS11 `yaml:"pkcs11"`
}

// PKCS11 is a token of a hardware security module.
type PKCS11 struct {
	// ModuleFile is the module's library.
	ModuleFile string `yaml:"moduleFile"`
	TokenLabel string `yaml:"tokenLabel"`
	// PINFile holds the PIN of the token's user.
	PINFile string `yaml:"pinFile"`
	// AlgorithmsInStore are signature algorithms whose new keys the store keeps all
	// the same.
	AlgorithmsInStore []jose.SignatureAlgorithm `yaml:"algorithmsInStore"`
}

// DPoP says whether DPoP proofs must have a nonce of the server (RFC 9449, 8 and 9).
type DPoP struct {
	// Nonces is NoncesOff or NoncesRequired.
	Nonces string `yaml:"nonces"`
	// NonceLifetime is how long a nonce is good at least; twice as long at most.
	NonceLifetime time.Duration `yaml:"nonceLifetime"`
}

// Whether DPoP proofs must have a nonce.
const (
	NoncesOff      = "off"
	NoncesRequired = "required"
)

// AccessToken bounds access tokens.
type AccessToken struct {
	// MaxLifetime is the longest lifetime that a client may be registered with.
	MaxLifetime time.Duration `yaml:"maxLifetime"`
}

// RefreshToken sets how long a person's grant lasts.
type RefreshToken struct {
	Lifetime time.Duration `yaml:"lifetime"`
}

// Session sets how long a browser stays logged in.
type Session struct {
	Lifetime time.Duration `yaml:"lifetime"`
}

// Limits are what the configuration tells the rule book.
func (c Config) Limits() fapi.Limits {
	return fapi.Limits{
		MaxAccessTokenLifetime:    c.AccessToken.MaxLifetime,
		TrustBundles:              namesOf(c.TrustBundles),
		Scopes:                    namesOf(c.Scopes),
		AuthorizationDetailsTypes: namesOf(c.AuthorizationDetailsTypes),
		Resources:                 c.Resources(),
	}
}

// namesOf is sorted, and not nil without names: the rule book takes nil for "not known here".
func namesOf[V any](settings map[string]V) []string {
	names := slices.AppendSeq(make([]string, 0, len(settings)), maps.Keys(settings))
	slices.Sort(names)
	return names
}

// Resources are the resource indicators (RFC 8707) that access tokens are issued for.
func (c Config) Resources() []string { return []string{c.DefaultResource} }

// ScopeNames are the configured scope values, sorted.
func (c Config) ScopeNames() []string { return namesOf(c.Scopes) }

// ScopeDescriptions say what each scope value lets a client do.
func (c Config) ScopeDescriptions() map[string]string {
	descriptions := make(map[string]string, len(c.Scopes))
	for name, scope := range c.Scopes {
		descriptions[name] = scope.Description
	}
	return descriptions
}

// Lifetimes where the file states none; our own choices. FAPI 2.0 sets no number
// for refresh tokens: 90 days is the longest that an account-information consent
// lasted under the first European technical standards for open banking.
const (
	DefaultRefreshTokenLifetime = 90 * 24 * time.Hour
	DefaultSessionLifetime      = 8 * time.Hour
)

// DefaultMaxConnections serves one server process where the file states no number;
// our own choice. PostgreSQL takes 100 connections in all unless told otherwise.
const DefaultMaxConnections = 20

// UnmarshalYAML reads the settings over their defaults.
func (p *Postgres) UnmarshalYAML(node *yaml.Node) error {
	type plain Postgres
	p.MaxConnections = DefaultMaxConnections
	return node.Decode((*plain)(p))
}

func defaults() Config {
	return Config{
		Keys:         Keys{RotationInterval: fapi.KeyRotationInterval, Overlap: fapi.KeyOverlap},
		DPoP:         DPoP{Nonces: NoncesOff, NonceLifetime: fapi.DPoPNonceLifetime},
		AccessToken:  AccessToken{MaxLifetime: fapi.DefaultMaxAccessTokenLifetime},
		RefreshToken: RefreshToken{Lifetime: DefaultRefreshTokenLifetime},
		Session:      Session{Lifetime: DefaultSessionLifetime},
		Log:          Log{Level: "info", Format: FormatJSON},
	}
}

// CIDR is an address range: 10.20.0.0/16 or fd00::/8.
type CIDR struct{ netip.Prefix }

// UnmarshalYAML reads the range's text.
func (c *CIDR) UnmarshalYAML(node *yaml.Node) error {
	prefix, err := netip.ParsePrefix(node.Value)
	if err != nil || prefix != prefix.Masked() {
		return notA(node, "an address range such as 10.20.0.0/16")
	}
	c.Prefix = prefix
	return nil
}
