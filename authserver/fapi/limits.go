package fapi

import "time"

// Lifetimes and windows. Each says where its number comes from.
const (
	// MaxCodeLifetime: FAPI 2.0 Security Profile, 5.3.2.1-11.
	MaxCodeLifetime = 60 * time.Second
	// CodeLifetime is our own choice below MaxCodeLifetime.
	CodeLifetime = 55 * time.Second
	// MaxRequestURILifetime: FAPI 2.0 Security Profile, 5.3.2.2-12 (less than).
	MaxRequestURILifetime = 600 * time.Second
	// RequestURILifetime is our own choice below MaxRequestURILifetime.
	RequestURILifetime = 90 * time.Second
	// FutureSkew is how far ahead iat and nbf may be. FAPI 2.0 Security Profile,
	// 5.3.2.1-13, demands that 10 s pass and more than 60 s do not; 15 s is our own choice.
	FutureSkew = 15 * time.Second
	// PastSkew is how long after exp a JWT still passes; our own choice, for clocks that differ.
	PastSkew = 10 * time.Second
	// MaxAssertionLifetime bounds exp of a client assertion from now, so that the
	// replay cache stays bounded; our own choice.
	MaxAssertionLifetime = 10 * time.Minute
	// DPoPProofWindow is how old a DPoP proof's iat may be; our own choice within RFC 9449, 11.1.
	DPoPProofWindow = 60 * time.Second
	// DPoPNonceLifetime is how long a nonce that the server provides is good, where
	// the configuration states nothing; our own choice: long enough that a busy
	// client seldom needs a second attempt, short enough that proofs cannot be made
	// in store (RFC 9449, 11.2).
	DPoPNonceLifetime = 5 * time.Minute
	// MaxRequestObjectAge is how far nbf may lie in the past: FAPI 2.0 Message Signing, 5.3.1-3.
	MaxRequestObjectAge = 60 * time.Minute
	// MaxRequestObjectLifetime is how far exp may lie after nbf: FAPI 2.0 Message Signing, 5.3.1-4.
	MaxRequestObjectLifetime = 60 * time.Minute
	// AuthorizationResponseLifetime of a JARM response: JARM, 2.1 recommends at most 10 minutes; 5 is our own choice.
	AuthorizationResponseLifetime = 5 * time.Minute
	// IDTokenLifetime of an ID token: our own choice; it is read when it is issued.
	IDTokenLifetime = 5 * time.Minute
	// InteractionLifetime is how long a person may take to log in and consent; our own choice.
	InteractionLifetime = 30 * time.Minute
)

// Rotation of the server's own keys; our own choices.
const (
	// KeySetMaxAge is how long the published key set may be cached.
	KeySetMaxAge = 5 * time.Minute
	// KeyTakeover is how long a new key is known to all before it takes over:
	// KeySetMaxAge for clients, and much more for replicas, and clients, that lag.
	KeyTakeover = time.Hour
	// KeyRotationInterval is how often a new key is made, where the configuration
	// states nothing.
	KeyRotationInterval = 30 * 24 * time.Hour
	// MinKeyRotationInterval keeps the keys of one algorithm few.
	MinKeyRotationInterval = 24 * time.Hour
	// KeyOverlap is how much longer than its last use demands a key is kept, where
	// the configuration states nothing: many clients cache key sets for a day.
	KeyOverlap = 24 * time.Hour
	// KeyReadInterval is how old a replica's knowledge of the keys may be when it
	// uses them, and so how long another replica takes to refuse a key that was
	// dropped at this one.
	KeyReadInterval = 5 * time.Second
	// KeyRefreshInterval is the least time between two readings of the store for
	// the sake of a key that is not known here.
	KeyRefreshInterval = time.Second
)

// Sizes of what a client may send, in characters; our own choices.
const (
	// MaxStateLength: FAPI 2.0 Security Profile, 5.3.2.2, note 4, expects more than 1,000.
	MaxStateLength = 4096
	// MaxNonceLength: FAPI 2.0 Security Profile, 5.3.2.2-14, demands 64.
	MaxNonceLength = 512
	// MaxHintsLength of scope, resource, login_hint, acr_values and ui_locales
	// together, which are kept with every interaction over the request.
	MaxHintsLength = 8192
	// MaxClaimsLength of the claims parameter, which asks for each claim in some 30 characters.
	MaxClaimsLength = 8192
	// MaxClaimsDepth is how deep the claims parameter may be nested: its own form
	// needs 4 levels, the rest is for a value and for members that are ignored.
	MaxClaimsDepth = 8
	// MaxJWTIDLength of a jti (RFC 7519, 4.1.7).
	MaxJWTIDLength = 256
	// MaxDPoPProofLength leaves room for an RSA key and signature of 8192 bits.
	MaxDPoPProofLength = 8192
)

// Bounds of authorization_details (RFC 9396); our own choices.
const (
	// MaxAuthorizationDetailsLength is in characters, as they are sent and as the
	// access token carries them: with the token's other claims, its signature and
	// base64url they stay below the 8 KB that HTTP servers commonly take for one
	// header field.
	MaxAuthorizationDetailsLength = 4096
	// MaxAuthorizationDetails is the number of elements that a person can be
	// expected to read.
	MaxAuthorizationDetails = 16
	// MaxAuthorizationDetailsDepth is how deep an element's members may be nested.
	MaxAuthorizationDetailsDepth = 8
	// MaxAuthorizationDetailsExponent of a number, which no schema has to look at
	// in full then: that of IEEE 754 double precision (RFC 8259, 6).
	MaxAuthorizationDetailsExponent = 308
)

// Sizes of a registration; our own choices, each below the size that the
// FAPIApplication schema lets through, so that the rule book is what refuses.
const (
	// ClientIDMinLength and ClientIDMaxLength are in characters.
	ClientIDMinLength = 3
	ClientIDMaxLength = 128
	// MaxClientNameLength and MaxContactLength are in characters.
	MaxClientNameLength = 128
	MaxContactLength    = 254
	// MaxURILength of any registered URI, in bytes.
	MaxURILength = 2000
	// MaxListEntries of any registered list, scope values included.
	MaxListEntries = 100
	// MaxTrustAnchors of one client.
	MaxTrustAnchors = 10
)

// Sizes of keys, in bits.
const (
	// MinRSAKeyBits: FAPI 2.0 Security Profile, 5.4.1-2.
	MinRSAKeyBits = 2048
	// MinECKeyBits: FAPI 2.0 Security Profile, 5.4.1-3.
	MinECKeyBits = 224
)

// Limits are what one installation allows on top of the rule book.
type Limits struct {
	// MaxAccessTokenLifetime; zero means DefaultMaxAccessTokenLifetime.
	MaxAccessTokenLifetime time.Duration
	// TrustBundles names the bundles of trust anchors that the server's
	// configuration holds. Nil means that they are not known here (admission).
	TrustBundles []string
	// Scopes are the scope values that the server's configuration offers, beside
	// openid and offline_access. Nil means that they are not known here (admission).
	Scopes []string
	// Resources are the resource indicators that the server issues access tokens
	// for. Nil means that they are not known here (admission).
	Resources []string
	// AuthorizationDetailsTypes are the types that the server's configuration
	// declares. Nil means that they are not known here (admission).
	AuthorizationDetailsTypes []string
	// Pending names the metadata members that are stated, but whose content is
	// not known here (admission): jwks, fapi_operator_tls_client_auth_trust_anchors.
	// Rules take them for stated, and for fit.
	Pending []string
}

// Access token lifetimes: our own choices. FAPI 2.0 Security Profile recommends
// short-lived tokens in its security considerations.
const (
	MinAccessTokenLifetime        = 30 * time.Second
	DefaultMaxAccessTokenLifetime = time.Hour
)

// AdvisedAccessTokenLifetime is the lifetime above which a registration is warned
// about; our own choice. FAPI 2.0 Security Profile, 6.1, asks for short ones.
const AdvisedAccessTokenLifetime = 15 * time.Minute
