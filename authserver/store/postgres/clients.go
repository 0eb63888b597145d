package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	clientColumns = `owner_installation, owner_namespace, owner_name, generation, revision, content_hash, metadata, updated_at, epoch, key_epoch`

	selectClient  = `SELECT ` + clientColumns + ` FROM clients WHERE client_id = $1`
	selectClients = `SELECT ` + clientColumns + ` FROM clients
		WHERE client_id > $1 AND ($2 OR owner_installation = ANY($3)) ORDER BY client_id LIMIT $4`
	putClient = `INSERT INTO clients (client_id, ` + clientColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (client_id) DO UPDATE SET owner_installation = excluded.owner_installation, owner_namespace = excluded.owner_namespace,
			owner_name = excluded.owner_name, generation = excluded.generation, revision = excluded.revision,
			content_hash = excluded.content_hash, metadata = excluded.metadata, updated_at = excluded.updated_at,
			epoch = excluded.epoch, key_epoch = excluded.key_epoch`
	deleteClient = `DELETE FROM clients WHERE client_id = $1`

	selectClientRevision = `SELECT revision FROM client_revision`
	lockClientRevision   = `SELECT revision FROM client_revision FOR UPDATE`
	setClientRevision    = `UPDATE client_revision SET revision = $1`

	deleteOrigins = `DELETE FROM allowed_origins WHERE client_id = $1`
	insertOrigin  = `INSERT INTO allowed_origins (origin, client_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	originListed  = `SELECT EXISTS (SELECT 1 FROM allowed_origins WHERE origin = $1)`
)

// PutClient creates or replaces a client; see store.Clients. After a lost answer
// the next try finds the write repeated and gives the stored record.
func (s *Store) PutClient(ctx context.Context, write store.ClientWrite) (record store.ClientRecord, created bool, err error) {
	wanted, err := write.Record()
	if err != nil {
		return store.ClientRecord{}, false, fmt.Errorf("keep client: %w", err)
	}
	var createdAt int64 // The revision under which a try of this call created the client.
	err = s.changeClients(ctx, nil, func(tx session, revision int64) error {
		wanted.Revision = revision
		record, created, err = put(tx, write, wanted)
		if created {
			createdAt = revision
		}
		created = err == nil && record.Revision == createdAt
		return err
	})
	if err != nil {
		return store.ClientRecord{}, false, fmt.Errorf("keep client %s: %w", write.Metadata.ClientID, err)
	}
	return record, created, nil
}

// changeClients makes one change of clients, under the next revision. The lock on
// the revision lasts until the commit: nobody reads a revision without the write
// that it stands for, and revisions are committed in their order.
func (s *Store) changeClients(ctx context.Context, done error, change func(tx session, revision int64) error) error {
	return s.attempt(ctx, done, func(on session) error {
		return inTransaction(on, func(tx session) error {
			var revision int64
			if err := tx.row(lockClientRevision, []any{&revision}); err != nil {
				return fmt.Errorf("lock the client revision: %w", err)
			}
			return change(tx, revision+1)
		})
	})
}

func put(tx session, write store.ClientWrite, wanted store.ClientRecord) (record store.ClientRecord, created bool, err error) {
	stored, err := storedClient(tx, wanted.Metadata.ClientID)
	if err != nil {
		return record, false, err
	}
	unchanged, err := write.Judge(wanted, stored)
	if err != nil {
		return record, false, err
	}
	if unchanged {
		return *stored, false, nil
	}
	if _, err := tx.exec(setClientRevision, wanted.Revision); err != nil {
		return record, false, err
	}
	written := wanted.After(stored)
	return written, stored == nil, writeClient(tx, written)
}

// storedClient is nil when there is no such client.
func storedClient(tx session, clientID string) (*store.ClientRecord, error) {
	record, err := scanClient(func(columns ...any) error { return tx.row(selectClient, columns, clientID) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &record, err
}

func writeClient(tx session, record store.ClientRecord) error {
	metadata, err := record.Metadata.Encode()
	if err != nil {
		return err
	}
	clientID, owner := record.Metadata.ClientID, record.Owner
	if _, err := tx.exec(putClient, clientID, owner.Installation, owner.Namespace, owner.Name,
		record.Generation, record.Revision, record.ContentHash, string(metadata), column.Micros(record.UpdatedAt), record.Epoch, record.KeyEpoch); err != nil {
		return err
	}
	return writeOrigins(tx, record.Metadata)
}

// writeOrigins keeps the origins of the client; those of a suspended one are not listed.
func writeOrigins(tx session, metadata registration.Metadata) error {
	if _, err := tx.exec(deleteOrigins, metadata.ClientID); err != nil {
		return err
	}
	if metadata.Suspended != nil && *metadata.Suspended {
		return nil
	}
	for _, origin := range metadata.AllowedOrigins {
		if _, err := tx.exec(insertOrigin, origin, metadata.ClientID); err != nil {
			return err
		}
	}
	return nil
}

// Client gives one client; see store.Clients.
func (s *Store) Client(ctx context.Context, clientID string) (store.ClientRecord, error) {
	record, err := scanClient(func(columns ...any) error { return s.row(ctx, selectClient, columns, clientID) })
	if err != nil {
		return store.ClientRecord{}, fmt.Errorf("read client %s: %w", clientID, err)
	}
	return record, nil
}

// ListClients gives one page of clients; see store.Clients.
func (s *Store) ListClients(ctx context.Context, of registration.Installations, after string, limit int) (records []store.ClientRecord, err error) {
	if limit < 1 {
		return nil, fmt.Errorf("list clients: a page of %d clients; ask for at least 1", limit)
	}
	err = s.attempt(ctx, nil, func(on session) error {
		records = nil
		return on.rows(selectClients, func(rows pgx.Rows) error {
			record, err := scanClient(rows.Scan)
			records = append(records, record)
			return err
		}, after, of.Any, of.Named, limit)
	})
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return records, nil
}

func scanClient(scan func(columns ...any) error) (store.ClientRecord, error) {
	var record store.ClientRecord
	var metadata string
	err := scan(&record.Owner.Installation, &record.Owner.Namespace, &record.Owner.Name, &record.Generation,
		&record.Revision, &record.ContentHash, &metadata, column.Instant(&record.UpdatedAt), &record.Epoch, &record.KeyEpoch)
	if err != nil {
		return record, err
	}
	record.Metadata, err = registration.DecodeMetadata([]byte(metadata))
	return record, err
}

// DeleteClient removes the client and, by the schema's foreign keys, all that
// hangs on it; see store.Clients. A client that is gone after a lost answer was
// deleted.
func (s *Store) DeleteClient(ctx context.Context, clientID string, owner registration.Owner, _ time.Time) error {
	err := s.changeClients(ctx, store.ErrNotFound, func(tx session, revision int64) error {
		stored, err := storedClient(tx, clientID)
		switch {
		case err != nil:
			return err
		case stored == nil:
			return store.ErrNotFound
		case stored.Owner != owner:
			return &store.OwnedByAnotherError{Owner: stored.Owner}
		}
		if _, err := tx.exec(deleteClient, clientID); err != nil {
			return err
		}
		_, err = tx.exec(setClientRevision, revision)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete client %s: %w", clientID, err)
	}
	return nil
}

// ClientRevision is the revision of the latest write or deletion; see store.Clients.
func (s *Store) ClientRevision(ctx context.Context) (revision int64, err error) {
	if err := s.row(ctx, selectClientRevision, []any{&revision}); err != nil {
		return 0, fmt.Errorf("read the client revision: %w", err)
	}
	return revision, nil
}

// OriginListed tells whether a client lists the web origin; see store.Clients.
func (s *Store) OriginListed(ctx context.Context, origin string) (listed bool, err error) {
	err = s.row(ctx, originListed, []any{&listed}, origin)
	if errors.Is(err, store.ErrNotFound) { // What is not text is listed by nobody.
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up an allowed origin: %w", err)
	}
	return listed, nil
}
