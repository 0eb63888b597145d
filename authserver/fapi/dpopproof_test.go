package fapi

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

const accessToken = "eyJ.access.token"

func athOf(token string) *string {
	digest := sha256.Sum256([]byte(token))
	return new(base64.RawURLEncoding.EncodeToString(digest[:]))
}

func goodProof() DPoPProof {
	return DPoPProof{
		Headers: 1, TypeIsDPoP: true, HasKey: true, Method: "POST", Now: noon, AccessToken: accessToken,
		URLs: []string{issuer + "/token", "https://mtls.as.example/token"},
		Claims: DPoPClaims{
			ID: new("-BwC3ESc6acc2lTc"), Method: new("POST"), URL: new(issuer + "/token"), IssuedAt: at(0), AccessTokenHash: athOf(accessToken),
		},
	}
}

func TestDPoPProofRules(t *testing.T) {
	holdToRules(t, dpopProofRules, goodProof, []breach[DPoPProof]{
		{"RFC9449-4.3-1", "two headers", func(p *DPoPProof) { p.Headers = 2 }},
		{"RFC9449-4.3-1", "no header", func(p *DPoPProof) { p.Headers = 0 }},
		{"RFC9449-4.3-7", "private key in jwk", func(p *DPoPProof) { p.Fault = jose.ErrPrivateKey }},
		{"RFC9449-4.3-2", "two-part JWT", func(p *DPoPProof) { p.Fault = jose.ErrMalformed }},
		{"RFC9449-4.3-5", "RS256", func(p *DPoPProof) { p.Fault = jose.ErrAlgorithm }},
		{"RFC9449-4.3-5", "RSA key of 1024 bits", func(p *DPoPProof) { p.Fault = jose.ErrUnsupportedKey }},
		{"RFC9449-4.3-4", "typ missing or wrong", func(p *DPoPProof) { p.TypeIsDPoP = false }},
		{"RFC9449-4.2", "jwk missing", func(p *DPoPProof) { p.HasKey, p.Fault = false, jose.ErrNoKey }},
		{"RFC9449-4.3-6", "bad signature", func(p *DPoPProof) { p.Fault = jose.ErrSignature }},
		{"RFC9449-4.3-3", "jti missing", func(p *DPoPProof) { p.Claims.ID = nil }},
		{"RFC9449-4.3-3", "jti too long", func(p *DPoPProof) { p.Claims.ID = new(strings.Repeat("j", MaxJWTIDLength+1)) }},
		{"RFC9449-4.3-3", "htm missing", func(p *DPoPProof) { p.Claims.Method = nil }},
		{"RFC9449-4.3-3", "htu missing", func(p *DPoPProof) { p.Claims.URL = nil }},
		{"RFC9449-4.3-3", "iat missing", func(p *DPoPProof) { p.Claims.IssuedAt = nil }},
		{"RFC9449-4.3-8", "htm PUT", func(p *DPoPProof) { p.Claims.Method = new("PUT") }},
		{"RFC9449-4.3-8", "htm in lower case", func(p *DPoPProof) { p.Claims.Method = new("post") }},
		{"RFC9449-4.3-9", "htu of another endpoint", func(p *DPoPProof) { p.Claims.URL = new(issuer + "/par") }},
		{"RFC9449-4.3-9", "no accepted address", func(p *DPoPProof) { p.URLs = nil }},
		{"RFC9449-4.3-10", "no nonce in force", func(p *DPoPProof) { p.NonceDemanded = true }},
		{"RFC9449-4.3-11", "iat 1 hour ago", func(p *DPoPProof) { p.Claims.IssuedAt = at(-time.Hour) }},
		{"RFC9449-4.3-11", "iat 1 hour ahead", func(p *DPoPProof) { p.Claims.IssuedAt = at(time.Hour) }},
		{"RFC9449-4.3-11", "iat just too old", func(p *DPoPProof) { p.Claims.IssuedAt = at(-DPoPProofWindow - time.Second) }},
		{"RFC9449-4.3-11", "nbf ahead", func(p *DPoPProof) { p.Claims.NotBefore = at(61 * time.Second) }},
		{"RFC7519-4.1.4", "exp past", func(p *DPoPProof) { p.Claims.ExpiresAt = at(-time.Minute) }},
		{"RFC9449-4.3-12", "ath missing", func(p *DPoPProof) { p.Claims.AccessTokenHash = nil }},
		{"RFC9449-4.3-12", "ath of another token", func(p *DPoPProof) { p.Claims.AccessTokenHash = athOf("another") }},
		{"RFC9449-11.1", "jti used before", func(p *DPoPProof) { p.Replayed = true }},
	})
	obey(t, dpopProofRules, goodProof, map[string]func(*DPoPProof){
		"iat-10seconds-before":     func(p *DPoPProof) { p.Claims.IssuedAt = at(-10 * time.Second) },
		"iat-10seconds-after":      func(p *DPoPProof) { p.Claims.IssuedAt = at(10 * time.Second) },
		"check-dpop-proof-nbf-exp": func(p *DPoPProof) { p.Claims.NotBefore, p.Claims.ExpiresAt = at(0), at(5*time.Minute) },
		"alias for mutual TLS":     func(p *DPoPProof) { p.Claims.URL = new("https://mtls.as.example/token") },
		"nonce in force":           func(p *DPoPProof) { p.NonceDemanded, p.NonceAccepted = true, true },
		"nonce nobody asked for":   func(p *DPoPProof) { p.Claims.Nonce = new("n") },
		"no access token":          func(p *DPoPProof) { p.AccessToken, p.Claims.AccessTokenHash = "", nil },
	})
}

func TestTargetURIsAreComparedNormalized(t *testing.T) {
	t.Parallel()
	const endpoint = "https://rs.example/accounts/1"
	same := []string{
		endpoint, "HTTPS://RS.EXAMPLE/accounts/1", "https://rs.example:443/accounts/1", endpoint + "?page=2", endpoint + "#top",
		endpoint + "?a=1#b", "https://rs.example/accounts/%31", "https://rs.example/./accounts/x/../1",
	}
	different := []string{
		"", "/accounts/1", "https://rs.example/accounts/2", "https://rs.example/Accounts/1", "https://rs.example/accounts/1/",
		"http://rs.example/accounts/1", "https://rs.example:8443/accounts/1", "https://evil.example/accounts/1",
		"https://rs.example@evil.example/accounts/1", "https://user@rs.example/accounts/1", "https://rs.example/accounts%2F1",
		"https:rs.example/accounts/1", "https://rs.example/accounts/1%", "https://rs.example.evil.example/accounts/1", "https:///accounts/1",
	}
	for _, url := range same {
		if !sameTargetURI(url, endpoint) {
			t.Errorf("%q is %q", url, endpoint)
		}
	}
	for _, url := range different {
		if sameTargetURI(url, endpoint) {
			t.Errorf("%q is not %q", url, endpoint)
		}
	}
	if !sameTargetURI("https://rs.example", "https://rs.example/") || !sameTargetURI("https://rs.example/a%2fb", "https://rs.example/a%2Fb") {
		t.Error("an empty path is /, and the case of percent-encodings does not count")
	}
	if !sameTargetURI("https://[2001:DB8::1]:443/x", "https://[2001:db8::1]/x") {
		t.Error("an IPv6 host is a host")
	}
}

func FuzzTargetURI(f *testing.F) {
	for _, seed := range []string{"https://rs.example/a", "https://RS.example:443/%7Ea?x#y", "%", "https://[::1%25eth0]/", "https://h/%zz", "//h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		normal, wellFormed := normalTargetURI(text)
		if !wellFormed {
			return
		}
		if again, _ := normalTargetURI(normal); again != normal {
			t.Errorf("%q becomes %q and then %q", text, normal, again)
		}
	})
}
