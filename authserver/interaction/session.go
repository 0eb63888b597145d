package interaction

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// sessionCookie lasts until the browser closes; the session may end before.
const sessionCookie = "__Host-session"

// currentSession gives the browser's live session; nil without one. A user who
// has left the users' file has no session any more.
func (p *Pages) currentSession(r *http.Request, now time.Time) (*store.Session, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, nil
	}
	session, err := p.Sessions.Session(r.Context(), oauth.SecretFrom(cookie.Value).Digest(), now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, known := p.Users.BySubject(session.Authentication.Subject); !known {
		return nil, nil
	}
	return &session, nil
}

// renewSession ends the browser's session and begins another under a new
// secret, so that a secret which was known before the login is worth nothing
// after it (session fixation).
func (p *Pages) renewSession(w http.ResponseWriter, r *http.Request, authentication store.Authentication) error {
	if err := p.endSession(r.Context(), r); err != nil {
		return err
	}
	secret := oauth.NewSecret()
	session := store.Session{
		ID:             secret.Digest(),
		Authentication: authentication,
		ExpiresAt:      authentication.Time.Add(p.SessionLifetime),
	}
	if err := p.Sessions.BeginSession(r.Context(), session); err != nil {
		return err
	}
	http.SetCookie(w, hostCookie(sessionCookie, secret.Reveal(), 0))
	return nil
}

func (p *Pages) endSession(ctx context.Context, r *http.Request) error {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	err = p.Sessions.EndSession(ctx, oauth.SecretFrom(cookie.Value).Digest())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
