package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	insertServerKey  = `INSERT INTO server_keys (id, use, algorithm, sealed, created_at) VALUES (?, ?, ?, ?, ?)`
	selectServerKeys = `SELECT id, use, algorithm, sealed, created_at FROM server_keys ORDER BY created_at, id`
	deleteServerKey  = `DELETE FROM server_keys WHERE id = ?`
)

// AddServerKey keeps a key; see store.ServerKeys.
func (s *Store) AddServerKey(ctx context.Context, key store.ServerKey) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		_, err := tx.exec(insertServerKey, key.ID, key.Use, key.Algorithm, key.Sealed, column.Micros(key.CreatedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep server key %s: %w", key.ID, err)
	}
	return nil
}

// ServerKeys lists every key; see store.ServerKeys.
func (s *Store) ServerKeys(ctx context.Context) ([]store.ServerKey, error) {
	var keys []store.ServerKey
	err := s.reads.rows(ctx, selectServerKeys, func(rows *sql.Rows) error {
		var key store.ServerKey
		err := rows.Scan(&key.ID, &key.Use, &key.Algorithm, &key.Sealed, column.Instant(&key.CreatedAt))
		keys = append(keys, key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list server keys: %w", err)
	}
	return keys, nil
}

// DeleteServerKey removes a key; see store.ServerKeys.
func (s *Store) DeleteServerKey(ctx context.Context, id string) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		_, err := tx.exec(deleteServerKey, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete server key %s: %w", id, err)
	}
	return nil
}
