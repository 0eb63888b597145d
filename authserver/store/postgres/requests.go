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
	insertPushedRequest = `INSERT INTO pushed_requests (uri, client_id, request, expires_at, kept_until) VALUES ($1, $2, $3, $4, $4)`
	selectPushedRequest = `SELECT uri, request, expires_at FROM pushed_requests
		WHERE uri = $1 AND client_id = $2 AND expires_at > $3 AND consumed_by IS NULL`

	// The row of the pushed request counts its interactions, one statement after the
	// other. The session is held: whoever ends it waits until the interaction is
	// there, or has ended it before.
	insertInteraction = `WITH counted AS (
			UPDATE pushed_requests SET interactions = interactions + 1, kept_until = greatest(kept_until, $5)
			WHERE uri = $2 AND interactions < $6
				AND ($7::bytea IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE id = $7 FOR SHARE))
			RETURNING uri)
		INSERT INTO interactions (id, request_uri, request, authentication, expires_at)
		SELECT $1::bytea, uri, $3::text, $4::text, $5::bigint FROM counted`
	whatIsKnown = `SELECT EXISTS (SELECT 1 FROM pushed_requests WHERE uri = $1), EXISTS (SELECT 1 FROM interactions WHERE id = $2),
		$3::bytea IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE id = $3)`
	// An interaction ends with its pushed request.
	selectInteraction = `SELECT i.id, i.request_uri, i.request, i.authentication, i.expires_at
		FROM interactions AS i JOIN pushed_requests AS p ON p.uri = i.request_uri
		WHERE i.id = $1 AND i.expires_at > $2 AND p.consumed_by IS NULL`
	authenticateInteraction = `UPDATE interactions SET authentication = $3 WHERE id = $1 AND expires_at > $2
		AND EXISTS (SELECT 1 FROM pushed_requests WHERE uri = request_uri AND consumed_by IS NULL)`

	// The interaction is held, so that whoever ends it meanwhile is waited for, or waits.
	consumePushedRequest = `UPDATE pushed_requests SET consumed_by = $3
		WHERE uri = (SELECT request_uri FROM interactions WHERE id = $1 AND expires_at > $2 FOR SHARE) AND (consumed_by IS NULL OR consumed_by = $3)`
	completeAuthorization = `WITH consumed AS (` + consumePushedRequest + ` RETURNING uri),
		granted AS (
			INSERT INTO grants (id, client_id, request, authentication, scope, created_at, expires_at, key_epoch)
			SELECT $4::text, $5::text, $6::text, $7::text, $8::text, $9::bigint, $10::bigint,
				coalesce((SELECT key_epoch FROM clients WHERE client_id = $5), 0) FROM consumed RETURNING id)
		INSERT INTO codes (digest, grant_id, client_id, expires_at)
		SELECT $11::bytea, id, $12::text, $13::bigint FROM granted`
	interactionKnown = `SELECT EXISTS (SELECT 1 FROM interactions WHERE id = $1 AND expires_at > $2)`
)

// insert keeps a row under an identifier that was drawn at random: one that is
// there after a lost answer is this row.
func (s *Store) insert(ctx context.Context, query string, args ...any) error {
	return s.attempt(ctx, store.ErrAlreadyExists, func(on session) error {
		_, err := on.exec(query, args...)
		return err
	})
}

// PushRequest keeps a request; see store.PushedRequests. Its digest is that of a
// fresh secret, so that one which is there after a lost answer is this one.
func (s *Store) PushRequest(ctx context.Context, request store.PushedRequest) error {
	err := s.insert(ctx, insertPushedRequest, request.URI[:], request.Request.ClientID, column.Document(request.Request), column.Micros(request.ExpiresAt))
	if err != nil {
		return fmt.Errorf("keep pushed request: %w", err)
	}
	return nil
}

// PushedRequest gives a request; see store.PushedRequests.
func (s *Store) PushedRequest(ctx context.Context, uri oauth.Digest, clientID string, now time.Time) (store.PushedRequest, error) {
	var request store.PushedRequest
	columns := []any{column.Digest(&request.URI), column.Document(&request.Request), column.Instant(&request.ExpiresAt)}
	if err := s.row(ctx, selectPushedRequest, columns, uri[:], clientID, column.Micros(now)); err != nil {
		return store.PushedRequest{}, fmt.Errorf("read pushed request: %w", err)
	}
	return request, nil
}

// BeginInteraction keeps an interaction; see store.Interactions. Its id is fresh,
// so that one which is there after a lost answer is this one; it is counted once,
// since the insertion that is refused undoes its count.
func (s *Store) BeginInteraction(ctx context.Context, interaction store.Interaction, over *oauth.Digest) error {
	var sessionID []byte // NULL without one.
	if over != nil {
		sessionID = over[:]
	}
	err := s.attempt(ctx, store.ErrAlreadyExists, func(on session) error {
		inserted, err := on.exec(insertInteraction, interaction.ID[:], interaction.RequestURI[:], column.Document(interaction.Request),
			column.Document(interaction.Authentication), column.Micros(interaction.ExpiresAt), store.MaxInteractions, sessionID)
		if err != nil || inserted == 1 {
			return err
		}
		return whyNoInteraction(on, interaction, sessionID)
	})
	if err != nil {
		return fmt.Errorf("keep interaction: %w", err)
	}
	return nil
}

func whyNoInteraction(on session, interaction store.Interaction, sessionID []byte) error {
	var requestKnown, interactionKept, sessionKept bool
	columns := []any{&requestKnown, &interactionKept, &sessionKept}
	if err := on.row(whatIsKnown, columns, interaction.RequestURI[:], interaction.ID[:], sessionID); err != nil {
		return err
	}
	switch {
	case !requestKnown:
		return store.ErrNotFound
	case interactionKept:
		return store.ErrAlreadyExists
	case !sessionKept:
		return store.ErrSessionEnded
	}
	return store.ErrTooMany
}

// Interaction gives an interaction; see store.Interactions.
func (s *Store) Interaction(ctx context.Context, id oauth.Digest, now time.Time) (store.Interaction, error) {
	var interaction store.Interaction
	columns := []any{column.Digest(&interaction.ID), column.Digest(&interaction.RequestURI), column.Document(&interaction.Request),
		column.Document(&interaction.Authentication), column.Instant(&interaction.ExpiresAt)}
	if err := s.row(ctx, selectInteraction, columns, id[:], column.Micros(now)); err != nil {
		return store.Interaction{}, fmt.Errorf("read interaction: %w", err)
	}
	return interaction, nil
}

// AuthenticateInteraction records who logged in; see store.Interactions. A try
// after a lost answer records the same again.
func (s *Store) AuthenticateInteraction(ctx context.Context, id oauth.Digest, authentication store.Authentication, now time.Time) error {
	changed, err := s.exec(ctx, authenticateInteraction, id[:], column.Micros(now), column.Document(authentication))
	if err == nil && changed == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("authenticate interaction: %w", err)
	}
	return nil
}

// CompleteAuthorization consumes the pushed request and keeps the grant and its
// code, in one statement; see store.Interactions. After a lost answer the request
// that this call consumed is no used one to it, and the fresh grant that is there
// is its own: the person gets the code and need not begin again.
func (s *Store) CompleteAuthorization(ctx context.Context, id oauth.Digest, grant store.Grant, code store.Code, now time.Time) error {
	args := []any{id[:], column.Micros(now), newCall(),
		grant.ID, grant.Request.ClientID, column.Document(grant.Request), column.Document(grant.Authentication),
		column.Document(&grant.Scope), column.Micros(grant.CreatedAt), column.Micros(grant.ExpiresAt),
		code.Digest[:], code.ClientID, column.Micros(code.ExpiresAt)}
	if err := s.consume(ctx, id, now, completeAuthorization, args...); err != nil {
		return fmt.Errorf("complete authorization: %w", err)
	}
	return nil
}

// RefuseAuthorization consumes the pushed request; see store.Interactions. After
// a lost answer the request that this call consumed is no used one to it.
func (s *Store) RefuseAuthorization(ctx context.Context, id oauth.Digest, now time.Time) error {
	if err := s.consume(ctx, id, now, consumePushedRequest, id[:], column.Micros(now), newCall()); err != nil {
		return fmt.Errorf("refuse authorization: %w", err)
	}
	return nil
}

// consume runs a statement that consumes the interaction's pushed request, which
// ends every interaction over it.
func (s *Store) consume(ctx context.Context, id oauth.Digest, now time.Time, statement string, args ...any) error {
	return s.attempt(ctx, store.ErrAlreadyExists, func(on session) error {
		consumed, err := on.exec(statement, args...)
		if err != nil || consumed == 1 {
			return err
		}
		var known bool
		if err := on.row(interactionKnown, []any{&known}, id[:], column.Micros(now)); err != nil {
			return err
		}
		if known {
			return store.ErrAlreadyUsed
		}
		return store.ErrNotFound
	})
}
