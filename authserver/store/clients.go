package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Clients keeps registered clients. The store keeps metadata as it was stated;
// loading admits it again.
type Clients interface {
	// PutClient creates or replaces a client and gives it a revision that only
	// grows, over all clients and deletions. *OwnedByAnotherError comes first, unless
	// the write names the owner as the previous one; grants and tokens stay then. Then,
	// same owner, generation and metadata: nothing is written, the stored record
	// comes back, whatever the preconditions, since a caller that repeats a write
	// whose answer was lost has succeeded. Then ErrPreconditionFailed. A write that
	// states a revoked key which the stored record does not ends, in the same step,
	// every grant of the client with its refresh token and code, however many there
	// are, and by another epoch its access tokens.
	PutClient(ctx context.Context, write ClientWrite) (record ClientRecord, created bool, err error)
	// Client gives one client; ErrNotFound.
	Client(ctx context.Context, clientID string) (ClientRecord, error)
	// ListClients gives at most limit clients of the installations whose id is greater
	// than after, by id.
	ListClients(ctx context.Context, of registration.Installations, after string, limit int) ([]ClientRecord, error)
	// DeleteClient removes the client with its grants, refresh tokens, codes, pushed
	// requests and interactions, in one step. ErrNotFound, or *OwnedByAnotherError.
	DeleteClient(ctx context.Context, clientID string, owner registration.Owner, now time.Time) error
	// ClientRevision is the revision of the latest write or deletion; 0 at first.
	ClientRevision(ctx context.Context) (int64, error)
	// OriginListed tells whether some client that is not suspended lists the web origin (indexed).
	OriginListed(ctx context.Context, origin string) (bool, error)
}

// ClientRecord is a client as the store keeps it.
type ClientRecord struct {
	Owner       registration.Owner
	Generation  int64
	Revision    int64
	ContentHash string
	// Metadata is as stated, without defaults.
	Metadata  registration.Metadata
	UpdatedAt time.Time
	// Epoch is the revision with which the client was registered, with which it was
	// last suspended, or with which a key of it was last revoked, whichever is latest:
	// access tokens of an epoch that is over are worth nothing. 0 for a client that
	// had none of these since epochs are kept.
	Epoch int64
	// KeyEpoch is the revision with which a key of the client was last revoked:
	// grants from before are worth nothing. 0 where none was.
	KeyEpoch int64
}

// After gives the record, whose revision is known, its epochs: those of the stored
// record, from which it goes on unless it suspends the client or revokes a key of
// it. stored is nil when there is no such client.
func (r ClientRecord) After(stored *ClientRecord) ClientRecord {
	r.Epoch = r.Revision
	switch {
	case stored == nil:
		return r
	case r.revokesKey(*stored):
		r.KeyEpoch = r.Revision
		return r
	case stored.suspended() || !r.suspended():
		r.Epoch = stored.Epoch
	}
	r.KeyEpoch = stored.KeyEpoch
	return r
}

func (r ClientRecord) revokesKey(stored ClientRecord) bool {
	return slices.ContainsFunc(r.Metadata.RevokedKeyIDs, func(kid string) bool {
		return !slices.Contains(stored.Metadata.RevokedKeyIDs, kid)
	})
}

func (r ClientRecord) suspended() bool { return r.Metadata.Suspended != nil && *r.Metadata.Suspended }

// ClientWrite is one write of a client.
type ClientWrite struct {
	Owner      registration.Owner
	Generation int64
	Metadata   registration.Metadata
	Now        time.Time
	// PreviousOwner may be whose the client is: the write takes it over. Nobody's where it is empty.
	PreviousOwner registration.Owner
	// MustNotExist is If-None-Match: *.
	MustNotExist bool
	// MatchRevision is If-Match: the revision that the caller has seen; 0 asks for none.
	MatchRevision int64
}

// Record is the record that the write asks for, without its revision and epochs.
func (w ClientWrite) Record() (ClientRecord, error) {
	if w.Metadata.ClientID == "" {
		return ClientRecord{}, errors.New("its metadata has no client_id")
	}
	hash, err := registration.ContentHash(w.Metadata)
	return ClientRecord{
		Owner: w.Owner, Generation: w.Generation, ContentHash: hash, Metadata: w.Metadata,
		UpdatedAt: w.Now.UTC().Truncate(time.Microsecond),
	}, err
}

// Judge tells what becomes of a write that asks for the wanted record, in the
// order that PutClient states; stored is nil when there is no such client.
func (w ClientWrite) Judge(wanted ClientRecord, stored *ClientRecord) (unchanged bool, err error) {
	switch {
	case stored == nil && w.MatchRevision != 0:
		return false, ErrPreconditionFailed
	case stored == nil:
		return false, nil
	case stored.Owner != w.Owner && stored.Owner != w.PreviousOwner:
		return false, &OwnedByAnotherError{Owner: stored.Owner}
	case stored.Owner == w.Owner && stored.Generation == wanted.Generation && stored.ContentHash == wanted.ContentHash:
		return true, nil
	case w.MustNotExist, w.MatchRevision != 0 && w.MatchRevision != stored.Revision:
		return false, ErrPreconditionFailed
	}
	return false, nil
}
