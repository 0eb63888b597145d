package oauth

// Confirmation is the "cnf" claim (RFC 7800): what the sender of an access
// token must prove to hold. Exactly one member is set.
type Confirmation struct {
	// JKT is the SHA-256 thumbprint of the DPoP key, base64url (RFC 9449, 6.1).
	JKT string `json:"jkt,omitempty"`
	// X5TS256 is the SHA-256 thumbprint of the client certificate, base64url (RFC 8705, 3.1).
	X5TS256 string `json:"x5t#S256,omitempty"`
}

// IsZero tells whether nothing is confirmed.
func (c Confirmation) IsZero() bool { return c == Confirmation{} }

// TokenType is the token type that goes with the confirmation: DPoP for a DPoP
// key (RFC 9449, 5), Bearer for a certificate (RFC 8705, 3).
func (c Confirmation) TokenType() string {
	if c.JKT != "" {
		return TokenTypeDPoP
	}
	return TokenTypeBearer
}
