package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	insertSession = `INSERT INTO sessions (id, authentication, expires_at) VALUES ($1, $2, $3)`
	selectSession = `SELECT id, authentication, expires_at FROM sessions WHERE id = $1 AND expires_at > $2`
	deleteSession = `DELETE FROM sessions WHERE id = $1`
)

// BeginSession keeps a session; see store.Sessions. Its id is fresh, so that one
// which is there after a lost answer is this one.
func (s *Store) BeginSession(ctx context.Context, session store.Session) error {
	err := s.insert(ctx, insertSession, session.ID[:], column.Document(session.Authentication), column.Micros(session.ExpiresAt))
	if err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// Session gives a session; see store.Sessions.
func (s *Store) Session(ctx context.Context, id oauth.Digest, now time.Time) (store.Session, error) {
	var session store.Session
	columns := []any{column.Digest(&session.ID), column.Document(&session.Authentication), column.Instant(&session.ExpiresAt)}
	if err := s.row(ctx, selectSession, columns, id[:], column.Micros(now)); err != nil {
		return store.Session{}, fmt.Errorf("read session: %w", err)
	}
	return session, nil
}

// EndSession forgets a session; see store.Sessions.
func (s *Store) EndSession(ctx context.Context, id oauth.Digest) error {
	if _, err := s.exec(ctx, deleteSession, id[:]); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
