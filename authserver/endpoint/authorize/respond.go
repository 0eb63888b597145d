package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Finisher ends an authorization: it keeps the grant with its code, or the
// refusal, and redirects to the client.
type Finisher struct {
	Issuer    string
	Store     store.Interactions
	Clients   endpoint.Clients
	Responder *endpoint.Responder
	// Minter signs JARM responses, and encrypts them to Keys where a client asks for it.
	Minter *token.Minter
	Keys   endpoint.ClientKeys
	// ShowError shows a refusal that must not be redirected.
	ShowError func(http.ResponseWriter, *http.Request, *oauth.Error)
	// GrantLifetime is how long a grant lives, as its refresh token does.
	GrantLifetime time.Duration
	Now           func() time.Time
}

// Approve issues a code for what the person granted.
func (f *Finisher) Approve(w http.ResponseWriter, r *http.Request, interaction store.Interaction, scope []string) {
	code := oauth.NewSecret()
	if err := f.complete(r.Context(), interaction, scope, code); err != nil {
		f.refuse(w, r, interaction, err)
		return
	}
	f.redirect(w, r, interaction, map[string]string{oauth.ParamCode: code.Reveal()})
}

// Refuse tells the client why there is no code: the person declined, or could
// not be asked without a page.
func (f *Finisher) Refuse(w http.ResponseWriter, r *http.Request, interaction store.Interaction, reason *oauth.Error) {
	if err := f.Store.RefuseAuthorization(r.Context(), interaction.ID, f.Now()); err != nil {
		f.refuse(w, r, interaction, err)
		return
	}
	f.Responder.Record(r, reason)
	f.redirect(w, r, interaction, map[string]string{
		oauth.ParamError: string(reason.Code), oauth.ParamErrorDescription: reason.ErrorDescription(),
	})
}

func (f *Finisher) complete(ctx context.Context, interaction store.Interaction, scope []string, code oauth.Secret) error {
	now := f.Now()
	grant := store.Grant{
		ID: oauth.NewSecret().Reveal(), Request: interaction.Request, Authentication: *interaction.Authentication,
		Scope: scope, CreatedAt: now, ExpiresAt: now.Add(f.GrantLifetime),
	}
	return f.Store.CompleteAuthorization(ctx, interaction.ID, grant, store.Code{
		Digest: code.Digest(), GrantID: grant.ID, ClientID: grant.Request.ClientID, ExpiresAt: now.Add(fapi.CodeLifetime),
	}, now)
}

// refuse shows what went wrong when the authorization could not be ended. A
// request_uri that was used before redirects nowhere: whoever replays it must
// not get an answer at the client.
func (f *Finisher) refuse(w http.ResponseWriter, r *http.Request, interaction store.Interaction, err error) {
	refusal := oauth.AsError(err)
	if errors.Is(err, store.ErrAlreadyUsed) || errors.Is(err, store.ErrNotFound) {
		refusal = f.alreadyUsed(r.Context(), interaction, err)
	}
	f.Responder.Record(r, refusal)
	f.ShowError(w, r, refusal)
}

func (f *Finisher) alreadyUsed(ctx context.Context, interaction store.Interaction, cause error) *oauth.Error {
	client, err := f.Clients.Client(ctx, interaction.Request.ClientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return oauth.AsError(err)
	}
	return fapi.CheckAuthorizationRequest(fapi.AuthorizationRequest{Client: client, RequestFound: false}).WithCause(cause)
}

// redirect answers with 303, so that a form's fields are never sent on
// (FAPI 2.0 Security Profile, 5.3.2.2-10, -11).
func (f *Finisher) redirect(w http.ResponseWriter, r *http.Request, interaction store.Interaction, parameters map[string]string) {
	location, err := f.location(r.Context(), interaction.Request, parameters)
	if err != nil {
		f.refuse(w, r, interaction, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func (f *Finisher) location(ctx context.Context, request store.AuthorizationRequest, parameters map[string]string) (string, error) {
	if request.State != "" {
		parameters[oauth.ParamState] = request.State
	}
	if request.ResponseMode == oauth.ResponseModeJWT {
		return f.signedLocation(ctx, request, parameters)
	}
	parameters[oauth.ParamIss] = f.Issuer // RFC 9207, 2
	return withQuery(request.RedirectURI, parameters)
}

// signedLocation is JARM, 2.3.1; the response's iss is inside the JWT (FAPI 2.0
// Message Signing, 5.4.1).
func (f *Finisher) signedLocation(ctx context.Context, request store.AuthorizationRequest, parameters map[string]string) (string, error) {
	client, err := f.Clients.Client(ctx, request.ClientID)
	if err != nil {
		return "", err
	}
	keys, err := endpoint.EncryptionKeys(ctx, f.Keys, client, client.Metadata().AuthorizationEncryptedResponseAlg)
	if err != nil {
		return "", err
	}
	response, err := f.Minter.AuthorizationResponse(client, keys, parameters)
	if err != nil {
		return "", err
	}
	return withQuery(request.RedirectURI, map[string]string{oauth.ParamResponse: response})
}

// withQuery adds parameters to a redirect URI, whose own query stays as it is
// (RFC 6749, 3.1.2).
func withQuery(redirectURI string, parameters map[string]string) (string, error) {
	uri, err := url.Parse(redirectURI)
	if err != nil {
		return "", err
	}
	added := url.Values{}
	for name, value := range parameters {
		added.Set(name, value)
	}
	if uri.RawQuery != "" {
		uri.RawQuery += "&"
	}
	uri.RawQuery += added.Encode()
	return uri.String(), nil
}
