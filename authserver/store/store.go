// Package store declares what the authorization server keeps: operations named
// for their security meaning, and the records they take and give. A backend
// makes each operation atomic; storetest holds every backend to this contract.
//
// Credentials are kept as digests. Times are UTC, cut off to the microsecond.
// Nothing here reads a clock: callers hand in now, so that expiry is decided in
// one place. A record lives while now is before its ExpiresAt; at ExpiresAt it
// has expired, as a JWT has at its exp (RFC 7519, 4.1.4).
package store

import (
	"context"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Store is everything the server keeps. Every method is safe for concurrent use.
type Store interface {
	Clients
	PushedRequests
	Interactions
	Sessions
	Grants
	SingleUse
	ServerKeys
	Administration

	// DeleteExpired removes at most limit rows of each class that expired before
	// now, and tells how many went. It is called until it gives 0.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
	// FinishCheck checks, while the store is in use, what could not be checked within
	// the second that its opening may take, and tells whether there was such a thing.
	// An error that is not ctx's means that the store is damaged: whoever uses it
	// must end.
	FinishCheck(ctx context.Context) (checked bool, err error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	// Schema tells in which form the store is kept.
	Schema() Schema
	Close() error
}

// Schema is the form in which a store is kept.
type Schema struct {
	// Backend is sqlite or postgres.
	Backend string
	// Version is the newest that this program knows, to which it has brought the
	// store when it opened it.
	Version int64
}

// Examined is a store that was opened to be read, beside the servers that are at
// work on it. Nothing in it is changed, its schema included.
type Examined interface {
	// SchemaVersion gives the version of the schema, and the newest that this
	// program knows. A backend opens no schema that is newer.
	SchemaVersion(ctx context.Context) (version, known int64, err error)
	// CheckIntegrity tells what is wrong with what is kept, as far as the backend
	// can see; each says how far that is.
	CheckIntegrity(ctx context.Context) error
	// ServerKeys is ServerKeys.ServerKeys.
	ServerKeys(ctx context.Context) ([]ServerKey, error)
	// ListClients is Clients.ListClients.
	ListClients(ctx context.Context, of registration.Installations, after string, limit int) ([]ClientRecord, error)
	Close() error
}

// PushedRequests keeps pushed authorization requests (RFC 9126).
type PushedRequests interface {
	// PushRequest keeps a request until its expiry. ErrAlreadyExists when the
	// digest is taken; ErrNotFound when the client is not registered (any more).
	PushRequest(ctx context.Context, request PushedRequest) error
	// PushedRequest gives the request with this digest, if it belongs to the
	// client, has not expired at now and has not been consumed; else ErrNotFound.
	// It may be read any number of times: one-time use is enforced when the
	// authorization completes (FAPI 2.0 Security Profile, 5.3.2.2, note 3).
	PushedRequest(ctx context.Context, uri oauth.Digest, clientID string, now time.Time) (PushedRequest, error)
}

// MaxInteractions is how many interactions one pushed request may have: one for
// each time that a browser follows its link. It bounds what whoever holds a
// request_uri can make the store keep; our own choice.
const MaxInteractions = 32

// Interactions keeps what a person is being asked: a login and a consent that
// stand between the authorization request and its response.
type Interactions interface {
	// BeginInteraction keeps the interaction until its expiry. It may outlive its
	// pushed request: what is remembered of that is kept as long. session is the one
	// whose login the interaction takes over; nil where it takes over none. An
	// interaction that is kept began while its session was there: whoever ends
	// sessions and then interactions misses none. ErrAlreadyExists when the id is
	// taken; ErrNotFound when the pushed request is gone; ErrSessionEnded when the
	// session is; ErrTooMany when MaxInteractions stand over the request.
	BeginInteraction(ctx context.Context, interaction Interaction, session *oauth.Digest) error
	// Interaction gives an interaction that has neither expired at now nor ended
	// with its pushed request; else ErrNotFound.
	Interaction(ctx context.Context, id oauth.Digest, now time.Time) (Interaction, error)
	// AuthenticateInteraction records who logged in. ErrNotFound when it is gone.
	AuthenticateInteraction(ctx context.Context, id oauth.Digest, authentication Authentication, now time.Time) error
	// CompleteAuthorization consumes the interaction's pushed request, ends every
	// interaction over it, and keeps the grant and its code: all or nothing.
	// ErrAlreadyUsed when the pushed request was consumed before; ErrNotFound when
	// the interaction has expired or is gone.
	CompleteAuthorization(ctx context.Context, id oauth.Digest, grant Grant, code Code, now time.Time) error
	// RefuseAuthorization consumes the pushed request without a grant. Same errors.
	RefuseAuthorization(ctx context.Context, id oauth.Digest, now time.Time) error
}

// Sessions keeps who is logged in at which browser.
type Sessions interface {
	BeginSession(ctx context.Context, session Session) error
	// Session gives a session that has not expired at now; else ErrNotFound.
	Session(ctx context.Context, id oauth.Digest, now time.Time) (Session, error)
	EndSession(ctx context.Context, id oauth.Digest) error
}

// Grants keeps what was granted, its authorization code and its refresh token.
type Grants interface {
	// Code gives a code that has not expired at now and whose grant was not
	// revoked, used or not; else ErrNotFound. A caller checks the request against
	// it before RedeemCode.
	Code(ctx context.Context, code oauth.Digest, now time.Time) (Code, Grant, error)
	// RedeemCode marks the code as used and keeps the grant's refresh token, if
	// one is given, in one atomic step. Of any number of concurrent calls exactly
	// one succeeds. A call for a used code gives ErrAlreadyUsed, and has revoked
	// the grant (RFC 6749, 4.1.2). ErrNotFound when the code was never used and
	// has expired, or its grant was revoked.
	RedeemCode(ctx context.Context, code oauth.Digest, refresh *RefreshToken, now time.Time) error
	// Grant gives the grant; ErrNotFound when there is none or it was revoked.
	Grant(ctx context.Context, id string) (Grant, error)
	// RefreshToken gives the grant of a refresh token that has neither expired
	// nor been revoked; else ErrNotFound.
	RefreshToken(ctx context.Context, token oauth.Digest, now time.Time) (RefreshToken, Grant, error)
	// RevokeGrant ends the grant with its refresh token, code and access tokens.
	// Revoking what is gone is no error.
	RevokeGrant(ctx context.Context, id string, now time.Time) error
	// RevokeAccessToken ends one access token, by its jti, until it expires.
	RevokeAccessToken(ctx context.Context, jti string, expiresAt time.Time) error
	// AccessTokenActive tells whether neither the token nor its grant was
	// revoked; a grant that is forgotten counts as revoked. grantID is empty for
	// client credentials.
	AccessTokenActive(ctx context.Context, jti, grantID string) (bool, error)
}

// SingleUse keeps values that may be used once.
type SingleUse interface {
	// UseOnce records the value in its space until expiresAt. It is false when
	// the value was there already: a replay, also after expiresAt as long as
	// DeleteExpired has not removed it.
	UseOnce(ctx context.Context, space Space, value oauth.Digest, expiresAt time.Time) (fresh bool, err error)
}

// Space separates values of different kinds and clients from one another.
type Space string

// The spaces of values used once.
const (
	SpaceClientAssertion Space = "client_assertion"
	SpaceDPoPProof       Space = "dpop_proof"
)

// ServerKeys keeps the server's own keys, which the keys package has encrypted.
type ServerKeys interface {
	// AddServerKey keeps a key. ErrAlreadyExists when the id is taken.
	AddServerKey(ctx context.Context, key ServerKey) error
	// ServerKeys lists every key, oldest first.
	ServerKeys(ctx context.Context) ([]ServerKey, error)
	DeleteServerKey(ctx context.Context, id string) error
}
