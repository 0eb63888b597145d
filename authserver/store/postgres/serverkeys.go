package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	insertServerKey  = `INSERT INTO server_keys (id, use, algorithm, sealed, created_at) VALUES ($1, $2, $3, $4, $5)`
	selectServerKeys = `SELECT id, use, algorithm, sealed, created_at FROM server_keys ORDER BY created_at, id`
	deleteServerKey  = `DELETE FROM server_keys WHERE id = $1`
)

// AddServerKey keeps a key; see store.ServerKeys. Replicas choose the same ids, so
// after a lost answer ErrAlreadyExists may mean this very key: the caller reads
// the keys again, as it does when another replica was first.
func (s *Store) AddServerKey(ctx context.Context, key store.ServerKey) error {
	_, err := s.exec(ctx, insertServerKey, key.ID, key.Use, key.Algorithm, key.Sealed, column.Micros(key.CreatedAt))
	if err != nil {
		return fmt.Errorf("keep server key %s: %w", key.ID, err)
	}
	return nil
}

// ServerKeys lists every key; see store.ServerKeys.
func (s *Store) ServerKeys(ctx context.Context) (keys []store.ServerKey, err error) {
	err = s.attempt(ctx, nil, func(on session) error {
		keys = nil
		return on.rows(selectServerKeys, func(rows pgx.Rows) error {
			var key store.ServerKey
			err := rows.Scan(&key.ID, &key.Use, &key.Algorithm, &key.Sealed, column.Instant(&key.CreatedAt))
			keys = append(keys, key)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list server keys: %w", err)
	}
	return keys, nil
}

// DeleteServerKey removes a key; see store.ServerKeys.
func (s *Store) DeleteServerKey(ctx context.Context, id string) error {
	if _, err := s.exec(ctx, deleteServerKey, id); err != nil {
		return fmt.Errorf("delete server key %s: %w", id, err)
	}
	return nil
}
