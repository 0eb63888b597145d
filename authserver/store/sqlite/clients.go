package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	clientColumns = `owner_installation, owner_namespace, owner_name, generation, revision, content_hash, metadata, updated_at, epoch, key_epoch`

	selectClient  = `SELECT ` + clientColumns + ` FROM clients WHERE client_id = ?`
	selectClients = `SELECT ` + clientColumns + ` FROM clients
		WHERE client_id > ?1 AND (?2 OR owner_installation IN (SELECT value FROM json_each(?3))) ORDER BY client_id LIMIT ?4`
	putClient = `INSERT INTO clients (client_id, ` + clientColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (client_id) DO UPDATE SET owner_installation = excluded.owner_installation, owner_namespace = excluded.owner_namespace,
			owner_name = excluded.owner_name, generation = excluded.generation, revision = excluded.revision,
			content_hash = excluded.content_hash, metadata = excluded.metadata, updated_at = excluded.updated_at,
			epoch = excluded.epoch, key_epoch = excluded.key_epoch`
	deleteClient = `DELETE FROM clients WHERE client_id = ?`

	selectClientRevision = `SELECT revision FROM client_revision`
	nextClientRevision   = `UPDATE client_revision SET revision = revision + 1 RETURNING revision`

	deleteOrigins = `DELETE FROM allowed_origins WHERE client_id = ?`
	insertOrigin  = `INSERT INTO allowed_origins (origin, client_id) VALUES (?, ?) ON CONFLICT DO NOTHING`
	originListed  = `SELECT EXISTS (SELECT 1 FROM allowed_origins WHERE origin = ?)`
)

// PutClient creates or replaces a client; see store.Clients.
func (s *Store) PutClient(ctx context.Context, write store.ClientWrite) (record store.ClientRecord, created bool, err error) {
	wanted, err := write.Record()
	if err != nil {
		return store.ClientRecord{}, false, fmt.Errorf("keep client: %w", err)
	}
	err = s.writer.do(ctx, func(tx transaction) error {
		record, created, err = put(tx, write, wanted)
		return err
	})
	if err != nil {
		return store.ClientRecord{}, false, fmt.Errorf("keep client %s: %w", write.Metadata.ClientID, err)
	}
	return record, created, nil
}

func put(tx transaction, write store.ClientWrite, wanted store.ClientRecord) (record store.ClientRecord, created bool, err error) {
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
	if err := tx.row(nextClientRevision, []any{&wanted.Revision}); err != nil {
		return record, false, err
	}
	written := wanted.After(stored)
	return written, stored == nil, writeClient(tx, written)
}

// storedClient is nil when there is no such client.
func storedClient(tx transaction, clientID string) (*store.ClientRecord, error) {
	record, err := scanClient(func(columns ...any) error { return tx.row(selectClient, columns, clientID) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &record, err
}

func writeClient(tx transaction, record store.ClientRecord) error {
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
func writeOrigins(tx transaction, metadata registration.Metadata) error {
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
	record, err := scanClient(func(columns ...any) error { return s.reads.row(ctx, selectClient, columns, clientID) })
	if err != nil {
		return store.ClientRecord{}, fmt.Errorf("read client %s: %w", clientID, err)
	}
	return record, nil
}

// ListClients gives one page of clients; see store.Clients.
func (s *Store) ListClients(ctx context.Context, of registration.Installations, after string, limit int) ([]store.ClientRecord, error) {
	if limit < 1 {
		return nil, fmt.Errorf("list clients: a page of %d clients; ask for at least 1", limit)
	}
	named, err := json.Marshal(of.Named)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	var records []store.ClientRecord
	err = s.reads.rows(ctx, selectClients, func(rows *sql.Rows) error {
		record, err := scanClient(rows.Scan)
		records = append(records, record)
		return err
	}, after, of.Any, string(named), limit)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return records, nil
}

func scanClient(scan func(columns ...any) error) (store.ClientRecord, error) {
	var record store.ClientRecord
	var metadata []byte
	err := scan(&record.Owner.Installation, &record.Owner.Namespace, &record.Owner.Name, &record.Generation,
		&record.Revision, &record.ContentHash, &metadata, column.Instant(&record.UpdatedAt), &record.Epoch, &record.KeyEpoch)
	if err != nil {
		return record, err
	}
	record.Metadata, err = registration.DecodeMetadata(metadata)
	return record, err
}

// DeleteClient removes the client and, by the schema's foreign keys, all that
// hangs on it; see store.Clients.
func (s *Store) DeleteClient(ctx context.Context, clientID string, owner registration.Owner, _ time.Time) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		stored, err := scanClient(func(columns ...any) error { return tx.row(selectClient, columns, clientID) })
		if err != nil {
			return err
		}
		if stored.Owner != owner {
			return &store.OwnedByAnotherError{Owner: stored.Owner}
		}
		if _, err := tx.exec(deleteClient, clientID); err != nil {
			return err
		}
		_, err = tx.exec(nextClientRevision)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete client %s: %w", clientID, err)
	}
	return nil
}

// ClientRevision is the revision of the latest write or deletion; see store.Clients.
func (s *Store) ClientRevision(ctx context.Context) (revision int64, err error) {
	if err := s.reads.row(ctx, selectClientRevision, []any{&revision}); err != nil {
		return 0, fmt.Errorf("read the client revision: %w", err)
	}
	return revision, nil
}

// OriginListed tells whether a client lists the web origin; see store.Clients.
func (s *Store) OriginListed(ctx context.Context, origin string) (listed bool, err error) {
	if err := s.reads.row(ctx, originListed, []any{&listed}, origin); err != nil {
		return false, fmt.Errorf("look up an allowed origin: %w", err)
	}
	return listed, nil
}
