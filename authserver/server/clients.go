package server

import (
	"context"
	"fmt"
	"log/slog"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// maxCachedClients bounds the admitted clients that are kept parsed: about
// 50 MB at 5 KB each. Our own choice; the rest are read again when they call.
const maxCachedClients = 10_000

// directory gives admitted clients. The store keeps metadata as it was stated;
// the rule book admits it again, once for each revision, so that a rule which
// became stricter disables a client by name.
type directory struct {
	store  store.Clients
	limits fapi.Limits
	log    *slog.Logger
	cache  *lru.Cache[string, admitted]
}

// admitted is what today's rules make of one revision of a client's record, as
// it stood when the store was at a revision. A nil client is one that they refuse.
type admitted struct {
	client         *fapi.Client
	rejected       *registration.RejectedError
	recordRevision int64
	storeRevision  int64
}

func newDirectory(clients store.Clients, limits fapi.Limits, log *slog.Logger) (*directory, error) {
	cache, err := lru.New[string, admitted](maxCachedClients)
	if err != nil {
		return nil, fmt.Errorf("make the client cache: %w", err)
	}
	return &directory{store: clients, limits: limits, log: log, cache: cache}, nil
}

// Client gives an admitted client, never older than the store's latest write.
// store.ErrNotFound when there is none, or when today's rules refuse it.
func (d *directory) Client(ctx context.Context, clientID string) (*fapi.Client, error) {
	// The revision is read before the record: a write between the two only means
	// that the record is newer than what it is filed under.
	revision, err := d.Revision(ctx)
	if err != nil {
		return nil, err
	}
	cached, known := d.cache.Get(clientID)
	if known && cached.storeRevision == revision {
		return cached.outcome()
	}
	record, err := d.store.Client(ctx, clientID)
	if err != nil {
		return nil, err
	}
	if !known || cached.recordRevision != record.Revision {
		cached = d.admit(record)
	}
	cached.storeRevision = revision
	d.cache.Add(clientID, cached)
	return cached.outcome()
}

// Revision is the one that this replica serves: every client that Client gives
// from now on is at least as new, since Client reads the same before each answer.
func (d *directory) Revision(ctx context.Context) (int64, error) {
	return d.store.ClientRevision(ctx)
}

// admit asks the rule book, and names in the log a client that it refuses: once
// for each revision, however often a stranger asks for it.
func (d *directory) admit(record store.ClientRecord) admitted {
	client, violations := fapi.AdmitClient(record.Metadata, d.limits)
	found := admitted{recordRevision: record.Revision}
	if client != nil {
		found.client = client.InEpoch(record.Epoch)
	} else {
		found.rejected = &registration.RejectedError{Violations: violations}
		d.log.Warn("a registered client is disabled: today's rules refuse it",
			"client_id", record.Metadata.ClientID, "rules", found.rejected.Rules())
	}
	return found
}

// outcome makes a client that the rules refuse look like none to a stranger.
func (a admitted) outcome() (*fapi.Client, error) {
	if a.client == nil {
		return nil, fmt.Errorf("%w: %w", store.ErrNotFound, a.rejected)
	}
	return a.client, nil
}
