package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
)

// secretBytes is the entropy of every credential that the server makes: 256
// bits. FAPI 2.0 Security Profile, 5.4.1-4 demands 128; the longer form also
// passes per-character entropy estimates of 96 bits by a wide margin.
const secretBytes = 32

// Secret is a credential (code, refresh token, session cookie). It prints as
// "[redacted]"; only Reveal gives its text.
type Secret struct{ text string }

// Digest is the SHA-256 of a Secret. Stores keep digests, never secrets.
type Digest [sha256.Size]byte

// NewSecret makes a secret of 256 random bits, 43 characters of base64url.
func NewSecret() Secret {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:]) // crypto/rand.Read never fails; it ends the process instead.
	return Secret{base64.RawURLEncoding.EncodeToString(raw[:])}
}

// SecretFrom wraps text that a client sent.
func SecretFrom(text string) Secret { return Secret{text} }

// Reveal gives the secret's text, for the one response that hands it out.
func (s Secret) Reveal() string { return s.text }

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// Digest gives the value under which a store keeps the secret.
func (s Secret) Digest() Digest { return sha256.Sum256([]byte(s.text)) }

// String hides the secret.
func (s Secret) String() string { return "[redacted]" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return "[redacted]" }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Equal compares digests in constant time.
func (d Digest) Equal(other Digest) bool {
	return subtle.ConstantTimeCompare(d[:], other[:]) == 1
}
