package store

import (
	"context"
	"time"
)

// Administration is what administrators ask for. Ending many records goes in
// batches of at most limit, each of them atomic, so that no request waits long
// behind one; it is called until it gives 0.
type Administration interface {
	// ListGrants gives at most limit grants that live at now and were not revoked,
	// whose id is greater than after, by id.
	ListGrants(ctx context.Context, filter GrantFilter, after string, limit int, now time.Time) ([]Grant, error)
	// RevokeGrantOnce is RevokeGrant, and tells whether this call ended the grant:
	// of any number of calls at most one is told so.
	RevokeGrantOnce(ctx context.Context, id string, now time.Time) (ended bool, err error)
	// RevokeGrantsOfSubject ends grants of the person, each as RevokeGrant does,
	// and tells how many were ended by this call. Grants that have expired and are
	// not forgotten yet end as well.
	RevokeGrantsOfSubject(ctx context.Context, subject string, limit int, now time.Time) (int, error)
	// RevokeGrantsOfClient is the same for the grants of a client. The client stays
	// registered.
	RevokeGrantsOfClient(ctx context.Context, clientID string, limit int, now time.Time) (int, error)
	// EndSessionsOfSubject ends sessions of the person at whatever browser, and
	// tells how many.
	EndSessionsOfSubject(ctx context.Context, subject string, limit int) (int, error)
	// EndInteractionsOfSubject ends interactions in which the person has logged in
	// and has not decided, and tells how many: none of them leads to a grant any more.
	EndInteractionsOfSubject(ctx context.Context, subject string, limit int) (int, error)
}

// GrantFilter says which grants are listed; "" is any.
type GrantFilter struct {
	Subject  string
	ClientID string
}
