package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	insertSession = `INSERT INTO sessions (id, authentication, expires_at) VALUES (?, ?, ?)`
	selectSession = `SELECT id, authentication, expires_at FROM sessions WHERE id = ? AND expires_at > ?`
	sessionKept   = `SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ?)`
	deleteSession = `DELETE FROM sessions WHERE id = ?`
)

// BeginSession keeps a session; see store.Sessions.
func (s *Store) BeginSession(ctx context.Context, session store.Session) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		_, err := tx.exec(insertSession, session.ID[:], column.Document(session.Authentication), column.Micros(session.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// Session gives a session; see store.Sessions.
func (s *Store) Session(ctx context.Context, id oauth.Digest, now time.Time) (store.Session, error) {
	var session store.Session
	columns := []any{column.Digest(&session.ID), column.Document(&session.Authentication), column.Instant(&session.ExpiresAt)}
	if err := s.reads.row(ctx, selectSession, columns, id[:], column.Micros(now)); err != nil {
		return store.Session{}, fmt.Errorf("read session: %w", err)
	}
	return session, nil
}

// EndSession forgets a session; see store.Sessions.
func (s *Store) EndSession(ctx context.Context, id oauth.Digest) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		_, err := tx.exec(deleteSession, id[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
