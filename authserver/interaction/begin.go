package interaction

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Values of prompt (OpenID Connect Core, 3.1.2.1). The value consent needs no
// name here: consent is always asked.
const (
	promptNone          = "none"
	promptLogin         = "login"
	promptSelectAccount = "select_account"
)

// Begin takes over from the authorization endpoint. The interaction comes with
// RequestURI and Request; Begin gives it identity, expiry and, where a session
// allows it, the authentication. It keeps the interaction and sends the browser
// to the login or the consent page, or calls Finish when prompt=none forbids both
// or no login could answer the request.
func (p *Pages) Begin(w http.ResponseWriter, r *http.Request, interaction store.Interaction) {
	now := p.Now()
	session, err := p.currentSession(r, now)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	v := newVisit(now)
	interaction.ID = v.secret.Digest()
	interaction.ExpiresAt = now.Add(fapi.InteractionLifetime)
	claims, err := fapi.ParseClaimsRequest(interaction.Request.Claims)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	if interaction, err = p.keep(r.Context(), interaction, reusable(session, interaction.Request, claims, now)); err != nil {
		p.renderFailure(w, r, err)
		return
	}
	if refusal := fapi.CheckAttainable(claims, p.PasswordACR); refusal != nil {
		p.finish(w, r, Outcome{Interaction: interaction, Error: refusal})
		return
	}
	if slices.Contains(interaction.Request.Prompt, promptNone) {
		p.finish(w, r, Outcome{Interaction: interaction, Error: refuseToAsk(interaction)})
		return
	}
	setInteractionCookies(w, r, v)
	if interaction.Authentication == nil {
		p.redirect(w, r, loginPath, v.handle)
		return
	}
	p.redirect(w, r, consentPath, v.handle)
}

// keep keeps the interaction, in which whoever the session is about has logged in,
// and gives it as it is kept. A session that an administrator, or the browser,
// has ended since it was read is none.
func (p *Pages) keep(ctx context.Context, interaction store.Interaction, session *store.Session) (store.Interaction, error) {
	if session == nil {
		return interaction, whyNotKept(p.Interactions.BeginInteraction(ctx, interaction, nil))
	}
	resumed := interaction
	resumed.Authentication = &session.Authentication
	err := p.Interactions.BeginInteraction(ctx, resumed, &session.ID)
	if errors.Is(err, store.ErrSessionEnded) {
		return p.keep(ctx, interaction, nil)
	}
	return resumed, whyNotKept(err)
}

// whyNotKept: the pushed request may have gone since it was read, when it expired
// in that moment or its client was deleted.
func whyNotKept(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return oauth.Refuse(oauth.InvalidRequestURI, "PAR-4", "the request_uri has expired, or its client is gone").WithCause(err)
	}
	if errors.Is(err, store.ErrTooMany) {
		return oauth.Refuse(oauth.InvalidRequestURI, "PAR-4", "the request_uri was opened too often").WithCause(err)
	}
	return err
}

// reusable gives the session back if the request is content with its login.
func reusable(session *store.Session, request store.AuthorizationRequest, claims fapi.ClaimsRequest, now time.Time) *store.Session {
	switch {
	case session == nil,
		unfit(session.Authentication, request, claims) != nil,
		slices.Contains(request.Prompt, promptLogin),
		slices.Contains(request.Prompt, promptSelectAccount),
		olderThanMaxAge(session.Authentication.Time, request.MaxAge, now):
		return nil
	}
	return session
}

// unfit is why the request cannot be answered on this login; nil when it can.
func unfit(authentication store.Authentication, request store.AuthorizationRequest, claims fapi.ClaimsRequest) *oauth.Error {
	return fapi.CheckAuthentication(fapi.Authentication{
		Subject: authentication.Subject, ACR: authentication.ACR, Claims: claims, HintedSubject: request.HintedSubject,
	})
}

// olderThanMaxAge: OpenID Connect Core, 3.1.2.1. max_age=0 asks for a login now,
// as prompt=login does, even within the second of the last one.
func olderThanMaxAge(authTime time.Time, maxAge *int64, now time.Time) bool {
	if maxAge == nil {
		return false
	}
	elapsed := int64(now.Sub(authTime) / time.Second)
	return *maxAge <= 0 || elapsed > *maxAge
}

// refuseToAsk is the answer to prompt=none. As no consent is remembered, there is
// always something to ask (OpenID Connect Core, 3.1.2.6).
func refuseToAsk(interaction store.Interaction) *oauth.Error {
	if interaction.Authentication == nil {
		return oauth.Refuse(oauth.LoginRequired, "OIDCC-3.1.2.6", "the person must log in, and prompt=none forbids to ask")
	}
	return oauth.Refuse(oauth.ConsentRequired, "OIDCC-3.1.2.6", "the person must consent, and prompt=none forbids to ask")
}
