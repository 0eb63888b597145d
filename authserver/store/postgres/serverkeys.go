package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	// A row changes when it is new, or when this call made it in a try before.
	insertServerKey = `INSERT INTO server_keys (id, use, algorithm, sealed, created_at, added_by) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET added_by = excluded.added_by WHERE server_keys.added_by = excluded.added_by`
	selectServerKeys = `SELECT id, use, algorithm, sealed, created_at FROM server_keys ORDER BY created_at, id`
	deleteServerKey  = `DELETE FROM server_keys WHERE id = $1`
)

// AddServerKey keeps a key; see store.ServerKeys. Replicas choose the same ids, so
// it is the name of the call that tells a lost success from another's key.
func (s *Store) AddServerKey(ctx context.Context, key store.ServerKey) error {
	changed, err := s.exec(ctx, insertServerKey, key.ID, key.Use, key.Algorithm, key.Sealed, column.Micros(key.CreatedAt), newCall())
	if err == nil && changed == 0 {
		err = store.ErrAlreadyExists
	}
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
