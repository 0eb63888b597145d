package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// accessTokenAlgorithm signs access tokens: ES256 costs a thirty-fifth of PS256
// and every resource server that speaks FAPI verifies it; our own choice among
// FAPI 2.0 Security Profile, 5.4.1.
const accessTokenAlgorithm = jose.ES256

// AccessToken is what an access token says (RFC 9068, 2.2).
type AccessToken struct {
	// Issuer, ID and IssuedAt are the Minter's to fill in.
	Issuer   string
	ID       string // jti, by which it can be revoked
	IssuedAt time.Time
	// Subject is a person's subject, or with client credentials the client_id.
	Subject  string
	ClientID string
	// Audience are the identifiers of the resources that it is for.
	Audience []string
	Scope    []string
	// AuthorizationDetails is an array (RFC 9396, 9.1); nil without any.
	AuthorizationDetails json.RawMessage
	ExpiresAt            time.Time
	// AuthTime (zero when nobody logged in) and ACR tell of the person's authentication.
	AuthTime     time.Time
	ACR          string
	Confirmation oauth.Confirmation
	// GrantID is the grant with which the token can be revoked; empty with client credentials.
	GrantID string
	// ClientEpoch is that of the client (fapi.Client.Epoch): the token ends with it.
	ClientEpoch int64
}

// accessTokenClaims is the AccessToken as JSON. What every access token has is
// absent where introspection tells of a refresh token.
type accessTokenClaims struct {
	Issuer       string             `json:"iss,omitempty"`
	Subject      string             `json:"sub"`
	Audience     jose.Audience      `json:"aud,omitzero"`
	ExpiresAt    *jose.NumericDate  `json:"exp"`
	IssuedAt     *jose.NumericDate  `json:"iat"`
	ID           string             `json:"jti,omitempty"`
	ClientID     string             `json:"client_id"`
	Scope        string             `json:"scope,omitempty"`
	AuthTime     *jose.NumericDate  `json:"auth_time,omitempty"`
	ACR          string             `json:"acr,omitempty"`
	Confirmation oauth.Confirmation `json:"cnf,omitzero"`
	GrantID      string             `json:"fapi_operator_grant_id,omitempty"`
	ClientEpoch  int64              `json:"fapi_operator_client_epoch,omitempty"`

	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`
}

// AccessToken signs an access token (RFC 9068) and returns it with what it says.
// It refuses to make one that is not sender-constrained (FAPI 2.0 Security
// Profile, 5.3.2.1-4) or whose subject could be taken for another's.
func (m *Minter) AccessToken(content AccessToken) (string, AccessToken, error) {
	content.Issuer, content.ID = m.Issuer, oauth.NewSecret().Reveal()
	content.IssuedAt, content.ExpiresAt = m.Now().Truncate(time.Second), content.ExpiresAt.Truncate(time.Second)
	if err := content.check(); err != nil {
		return "", AccessToken{}, fmt.Errorf("mint access token: %w", err)
	}
	signed, err := m.sign(accessTokenAlgorithm, oauth.TypeAccessToken, content.claims())
	if err != nil {
		return "", AccessToken{}, fmt.Errorf("mint access token: %w", err)
	}
	return signed, content, nil
}

// check holds what must be true of every access token, minted or verified.
func (t AccessToken) check() error {
	switch {
	case (t.Confirmation.JKT == "") == (t.Confirmation.X5TS256 == ""):
		return errors.New("it is bound to neither a DPoP key nor a certificate, or to both")
	case t.ID == "" || t.ClientID == "" || len(t.Audience) == 0:
		return errors.New("jti, client_id or aud is missing")
	case !t.ExpiresAt.After(t.IssuedAt):
		return errors.New("it would expire before it is issued")
	case t.isForPerson() != IsPersonSubject(t.Subject), !t.isForPerson() && t.Subject != t.ClientID:
		return errors.New("its subject is neither a person's, with a grant, nor the client itself, without one")
	}
	return nil
}

// isForPerson tells a person's grant from client credentials.
func (t AccessToken) isForPerson() bool { return t.GrantID != "" }

func (t AccessToken) claims() accessTokenClaims {
	return accessTokenClaims{
		Issuer: t.Issuer, Subject: t.Subject, Audience: audience(t.Audience),
		ExpiresAt: date(t.ExpiresAt), IssuedAt: date(t.IssuedAt), ID: t.ID,
		ClientID: t.ClientID, Scope: strings.Join(t.Scope, " "),
		AuthTime: date(t.AuthTime), ACR: t.ACR, Confirmation: t.Confirmation, GrantID: t.GrantID, ClientEpoch: t.ClientEpoch,
		AuthorizationDetails: t.AuthorizationDetails,
	}
}

func (c accessTokenClaims) accessToken() AccessToken {
	return AccessToken{
		Issuer: c.Issuer, ID: c.ID, IssuedAt: instant(c.IssuedAt), Subject: c.Subject, ClientID: c.ClientID,
		Audience: c.Audience.Values(), Scope: oauth.SpaceSeparated(c.Scope), ExpiresAt: instant(c.ExpiresAt),
		AuthTime: instant(c.AuthTime), ACR: c.ACR, Confirmation: c.Confirmation, GrantID: c.GrantID, ClientEpoch: c.ClientEpoch,
		AuthorizationDetails: c.AuthorizationDetails,
	}
}

// audience writes a single value as a string (RFC 7519, 4.1.3).
func audience(values []string) jose.Audience {
	if len(values) == 1 {
		return jose.SingleAudience(values[0])
	}
	return jose.AudienceList(values...)
}

// date leaves a zero time out.
func date(t time.Time) *jose.NumericDate {
	if t.IsZero() {
		return nil
	}
	numeric := jose.NewNumericDate(t)
	return &numeric
}

func instant(numeric *jose.NumericDate) time.Time {
	if numeric == nil {
		return time.Time{}
	}
	return numeric.Time()
}
