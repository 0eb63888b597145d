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
	insertPushedRequest = `INSERT INTO pushed_requests (uri, client_id, request, expires_at, kept_until) VALUES (?1, ?2, ?3, ?4, ?4)`
	selectPushedRequest = `SELECT uri, request, expires_at FROM pushed_requests
		WHERE uri = ? AND client_id = ? AND expires_at > ? AND consumed = 0`
	keepPushedRequest = `UPDATE pushed_requests SET kept_until = max(kept_until, ?2) WHERE uri = ?1`

	// An interaction ends with its pushed request.
	insertInteraction = `INSERT INTO interactions (id, request_uri, request, authentication, expires_at) VALUES (?, ?, ?, ?, ?)`
	countInteractions = `SELECT count(*) FROM interactions WHERE request_uri = ?`
	selectInteraction = `SELECT i.id, i.request_uri, i.request, i.authentication, i.expires_at
		FROM interactions AS i JOIN pushed_requests AS p ON p.uri = i.request_uri
		WHERE i.id = ? AND i.expires_at > ? AND p.consumed = 0`
	authenticateInteraction = `UPDATE interactions SET authentication = ?3 WHERE id = ?1 AND expires_at > ?2
		AND EXISTS (SELECT 1 FROM pushed_requests WHERE uri = request_uri AND consumed = 0)`
	consumePushedRequest = `UPDATE pushed_requests SET consumed = 1
		WHERE uri = (SELECT request_uri FROM interactions WHERE id = ? AND expires_at > ?) AND consumed = 0`
	interactionKnown = `SELECT EXISTS (SELECT 1 FROM interactions WHERE id = ? AND expires_at > ?)`
)

// PushRequest keeps a request; see store.PushedRequests.
func (s *Store) PushRequest(ctx context.Context, request store.PushedRequest) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		_, err := tx.exec(insertPushedRequest, request.URI[:], request.Request.ClientID, column.Document(request.Request), column.Micros(request.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep pushed request: %w", err)
	}
	return nil
}

// PushedRequest gives a request; see store.PushedRequests.
func (s *Store) PushedRequest(ctx context.Context, uri oauth.Digest, clientID string, now time.Time) (store.PushedRequest, error) {
	var request store.PushedRequest
	columns := []any{column.Digest(&request.URI), column.Document(&request.Request), column.Instant(&request.ExpiresAt)}
	if err := s.reads.row(ctx, selectPushedRequest, columns, uri[:], clientID, column.Micros(now)); err != nil {
		return store.PushedRequest{}, fmt.Errorf("read pushed request: %w", err)
	}
	return request, nil
}

// BeginInteraction keeps an interaction; see store.Interactions.
func (s *Store) BeginInteraction(ctx context.Context, interaction store.Interaction, session *oauth.Digest) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		if err := requireSession(tx, session); err != nil {
			return err
		}
		if err := requireRoom(tx, interaction.RequestURI); err != nil {
			return err
		}
		if _, err := tx.exec(insertInteraction, interaction.ID[:], interaction.RequestURI[:], column.Document(interaction.Request),
			column.Document(interaction.Authentication), column.Micros(interaction.ExpiresAt)); err != nil {
			return err
		}
		_, err := tx.exec(keepPushedRequest, interaction.RequestURI[:], column.Micros(interaction.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep interaction: %w", err)
	}
	return nil
}

func requireSession(tx transaction, session *oauth.Digest) error {
	if session == nil {
		return nil
	}
	var kept bool
	if err := tx.row(sessionKept, []any{&kept}, session[:]); err != nil {
		return err
	}
	if !kept {
		return store.ErrSessionEnded
	}
	return nil
}

func requireRoom(tx transaction, requestURI oauth.Digest) error {
	var interactions int
	if err := tx.row(countInteractions, []any{&interactions}, requestURI[:]); err != nil {
		return err
	}
	if interactions >= store.MaxInteractions {
		return store.ErrTooMany
	}
	return nil
}

// Interaction gives an interaction; see store.Interactions.
func (s *Store) Interaction(ctx context.Context, id oauth.Digest, now time.Time) (store.Interaction, error) {
	var interaction store.Interaction
	columns := []any{column.Digest(&interaction.ID), column.Digest(&interaction.RequestURI), column.Document(&interaction.Request),
		column.Document(&interaction.Authentication), column.Instant(&interaction.ExpiresAt)}
	if err := s.reads.row(ctx, selectInteraction, columns, id[:], column.Micros(now)); err != nil {
		return store.Interaction{}, fmt.Errorf("read interaction: %w", err)
	}
	return interaction, nil
}

// AuthenticateInteraction records who logged in; see store.Interactions.
func (s *Store) AuthenticateInteraction(ctx context.Context, id oauth.Digest, authentication store.Authentication, now time.Time) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		changed, err := tx.exec(authenticateInteraction, id[:], column.Micros(now), column.Document(authentication))
		if err == nil && changed == 0 {
			return store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("authenticate interaction: %w", err)
	}
	return nil
}

// CompleteAuthorization consumes the pushed request and keeps the grant and its
// code; see store.Interactions.
func (s *Store) CompleteAuthorization(ctx context.Context, id oauth.Digest, grant store.Grant, code store.Code, now time.Time) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		if err := consume(tx, id, now); err != nil {
			return err
		}
		if err := keepGrant(tx, grant); err != nil {
			return err
		}
		return keepCode(tx, code)
	})
	if err != nil {
		return fmt.Errorf("complete authorization: %w", err)
	}
	return nil
}

// RefuseAuthorization consumes the pushed request; see store.Interactions.
func (s *Store) RefuseAuthorization(ctx context.Context, id oauth.Digest, now time.Time) error {
	err := s.writer.do(ctx, func(tx transaction) error { return consume(tx, id, now) })
	if err != nil {
		return fmt.Errorf("refuse authorization: %w", err)
	}
	return nil
}

// consume marks the interaction's pushed request, which ends every interaction over it.
func consume(tx transaction, id oauth.Digest, now time.Time) error {
	consumed, err := tx.exec(consumePushedRequest, id[:], column.Micros(now))
	if err != nil || consumed == 1 {
		return err
	}
	var known bool
	if err := tx.row(interactionKnown, []any{&known}, id[:], column.Micros(now)); err != nil {
		return err
	}
	if known {
		return store.ErrAlreadyUsed
	}
	return store.ErrNotFound
}
