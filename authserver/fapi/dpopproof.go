package fapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// DPoPProof is a DPoP proof, what was found out about it, and the request that it came with (RFC 9449).
type DPoPProof struct {
	// Headers is the number of DPoP header fields.
	Headers int
	// Fault is why the JWT could not be read or verified, an error of package
	// jose; nil once the key of its jwk header has verified the signature.
	Fault error
	// TypeIsDPoP tells whether the "typ" header is dpop+jwt.
	TypeIsDPoP bool
	// HasKey tells whether there is a "jwk" header.
	HasKey bool
	// Claims are zero with Fault.
	Claims DPoPClaims
	// Method and URLs are the request's: URLs are all the names under which the
	// endpoint is published (its own and its alias for mutual TLS).
	Method string
	URLs   []string
	// AccessToken is presented along with the proof; empty at the server's own endpoints.
	AccessToken string
	Now         time.Time
	// NonceDemanded tells whether the server provides nonces; NonceAccepted
	// whether the proof has one of those that are in force.
	NonceDemanded bool
	NonceAccepted bool
	// Replayed is true once the store has seen the same jti from the key.
	Replayed bool
}

// DPoPClaims are a proof's claims (RFC 9449, 4.2); nil when absent.
type DPoPClaims struct {
	ID              *string           `json:"jti"`
	Method          *string           `json:"htm"`
	URL             *string           `json:"htu"`
	IssuedAt        *jose.NumericDate `json:"iat"`
	AccessTokenHash *string           `json:"ath"`
	Nonce           *string           `json:"nonce"`
	NotBefore       *jose.NumericDate `json:"nbf"`
	ExpiresAt       *jose.NumericDate `json:"exp"`
}

// dpopProofRules are the checks of RFC 9449, 4.3, and after them that a proof is
// used once. That check, which uses a proof up, must be the last: a proof
// that fails for anything else may be repaired and sent again.
var dpopProofRules = []Rule[DPoPProof]{
	{
		ID: "RFC9449-4.3-1", Clause: "RFC 9449, 4.3-1", Code: oauth.InvalidDPoPProof,
		Demand: "the request has one DPoP header field",
		Remedy: "send one proof", Member: "DPoP",
		Holds: func(p DPoPProof) bool { return p.Headers == 1 },
	},
	{
		ID: "RFC9449-4.3-7", Clause: "RFC 9449, 4.3-7", Code: oauth.InvalidDPoPProof,
		Demand: "the jwk header of the DPoP proof contains no private key",
		Remedy: "send the public key alone, and replace the key, since it has been shown", Member: "jwk",
		Holds: func(p DPoPProof) bool { return !errors.Is(p.Fault, jose.ErrPrivateKey) },
	},
	{
		ID: "RFC9449-4.3-2", Clause: "RFC 9449, 4.3-2", Code: oauth.InvalidDPoPProof,
		Demand: "the DPoP header is a single well-formed JWT whose claims have their registered types",
		Remedy: "send one signed JWT in compact serialization", Member: "DPoP",
		Holds: func(p DPoPProof) bool { return !errors.Is(p.Fault, jose.ErrMalformed) },
	},
	{
		ID: "RFC9449-4.3-5", Clause: "RFC 9449, 4.3-5; FAPI 2.0 Security Profile, 5.4.1", Code: oauth.InvalidDPoPProof,
		Demand: "the DPoP proof is signed with PS256, ES256 or EdDSA, and with a key of a size that FAPI allows",
		Remedy: "sign with an algorithm of dpop_signing_alg_values_supported", Member: "alg",
		Holds: func(p DPoPProof) bool {
			return !errors.Is(p.Fault, jose.ErrAlgorithm) && !errors.Is(p.Fault, jose.ErrUnsupportedKey)
		},
	},
	{
		ID: "RFC9449-4.3-4", Clause: "RFC 9449, 4.3-4", Code: oauth.InvalidDPoPProof,
		Demand: "typ is dpop+jwt",
		Remedy: "set typ to dpop+jwt", Member: "typ",
		Holds: func(p DPoPProof) bool { return p.TypeIsDPoP },
	},
	{
		ID: "RFC9449-4.2", Clause: "RFC 9449, 4.2, 4.3-3", Code: oauth.InvalidDPoPProof,
		Demand: "the DPoP proof has a jwk header",
		Remedy: "send the public key in the jwk header", Member: "jwk",
		Holds: func(p DPoPProof) bool { return p.HasKey },
	},
	{
		ID: "RFC9449-4.3-6", Clause: "RFC 9449, 4.3-6", Code: oauth.InvalidDPoPProof,
		Demand: "the signature of the DPoP proof verifies with the key of its jwk header",
		Remedy: "sign with the key that the proof carries", Member: "jwk",
		Holds: func(p DPoPProof) bool { return p.Fault == nil },
	},
	{
		ID: "RFC9449-4.3-3", Clause: "RFC 9449, 4.3-3, 4.2", Code: oauth.InvalidDPoPProof,
		Demand: "the DPoP proof has jti (of at most 256 characters), htm, htu and iat",
		Remedy: "send all four claims", Member: "jti",
		Holds: func(p DPoPProof) bool {
			return isBoundedID(p.Claims.ID) && p.Claims.Method != nil && p.Claims.URL != nil && p.Claims.IssuedAt != nil
		},
	},
	{
		ID: "RFC9449-4.3-8", Clause: "RFC 9449, 4.3-8", Code: oauth.InvalidDPoPProof,
		Demand: "htm is the method of the request",
		Remedy: "set htm to the HTTP method, in upper case", Member: "htm",
		Holds: func(p DPoPProof) bool { return *p.Claims.Method == p.Method },
	},
	{
		ID: "RFC9449-4.3-9", Clause: "RFC 9449, 4.3-9", Code: oauth.InvalidDPoPProof,
		Demand: "htu is the address of the request as the server publishes it, without query and fragment",
		Remedy: "set htu to the endpoint's address in the server's metadata", Member: "htu",
		Holds: func(p DPoPProof) bool {
			return slices.ContainsFunc(p.URLs, func(url string) bool { return sameTargetURI(*p.Claims.URL, url) })
		},
	},
	{
		ID: "RFC9449-4.3-10", Clause: "RFC 9449, 4.3-10, 8, 9; FAPI 2.0 Security Profile, 5.3.2.1-10", Code: oauth.UseDPoPNonce,
		Demand: "where the server provides nonces, the DPoP proof has one that is in force",
		Remedy: "send the request again with a new proof, whose nonce is the value of the DPoP-Nonce header", Member: oauth.ParamNonce,
		Holds: func(p DPoPProof) bool { return !p.NonceDemanded || p.NonceAccepted },
	},
	{
		ID: "RFC9449-4.3-11", Clause: "RFC 9449, 4.3-11, 11.1; FAPI 2.0 Security Profile, 5.3.2.1-13", Code: oauth.InvalidDPoPProof,
		Demand: "the DPoP proof was made just now: iat is at most 60 seconds old, and iat and nbf are not in the future; at a resource, a nonce in force says so in place of iat",
		Remedy: "make a new proof for each request, and set the client's clock", Member: "iat",
		Holds: func(p DPoPProof) bool { return p.wasMadeJustNow() && notInFuture(p.Claims.NotBefore, p.Now) },
	},
	{
		ID: "RFC7519-4.1.4", Clause: "RFC 7519, 4.1.4", Code: oauth.InvalidDPoPProof,
		Demand: "exp, which a DPoP proof need not have, is not in the past",
		Remedy: "make a new proof for each request", Member: "exp",
		Holds: func(p DPoPProof) bool {
			return p.Claims.ExpiresAt == nil || p.Now.Before(p.Claims.ExpiresAt.Time().Add(PastSkew))
		},
	},
	{
		ID: "RFC9449-4.3-12", Clause: "RFC 9449, 4.3-12, 4.2", Code: oauth.InvalidDPoPProof,
		Demand: "with an access token, ath is the base64url-encoded SHA-256 hash of that access token",
		Remedy: "send ath with every request to a resource", Member: "ath",
		Holds: func(p DPoPProof) bool { return p.AccessToken == "" || p.coversAccessToken() },
	},
	{
		ID: "RFC9449-11.1", Clause: "RFC 9449, 11.1", Code: oauth.InvalidDPoPProof,
		Demand: "a DPoP proof is used once",
		Remedy: "make a new proof, with a new jti, for each request", Member: "jti",
		Holds: func(p DPoPProof) bool { return !p.Replayed },
	},
}

// CheckDPoPProof refuses a DPoP proof at the first check that it does not pass;
// the refusal's cause is the Fault.
func CheckDPoPProof(p DPoPProof) *oauth.Error {
	refusal := firstBroken(dpopProofRules, p)
	if refusal == nil || p.Fault == nil {
		return refusal
	}
	return refusal.WithCause(p.Fault)
}

// wasMadeJustNow goes by iat, or by the server's own clock in the nonce. At the
// authorization server's endpoints FAPI 2.0 Security Profile, 5.3.2.1-13, judges
// iat in any case.
func (p DPoPProof) wasMadeJustNow() bool {
	if p.NonceAccepted && p.AccessToken != "" {
		return true
	}
	return !p.Claims.IssuedAt.Time().Before(p.Now.Add(-DPoPProofWindow)) && notInFuture(p.Claims.IssuedAt, p.Now)
}

func (p DPoPProof) coversAccessToken() bool {
	if p.Claims.AccessTokenHash == nil {
		return false
	}
	digest := sha256.Sum256([]byte(p.AccessToken))
	hash := base64.RawURLEncoding.EncodeToString(digest[:])
	return subtle.ConstantTimeCompare([]byte(hash), []byte(*p.Claims.AccessTokenHash)) == 1
}
