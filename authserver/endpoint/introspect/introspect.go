// Package introspect is the introspection endpoint (RFC 7662), with signed
// answers (RFC 9701; FAPI 2.0 Message Signing, 5.5.1).
package introspect

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Handler serves the endpoint.
type Handler struct {
	Front        *endpoint.Front
	Responder    *endpoint.Responder
	Grants       store.Grants
	AccessTokens *token.Verifier
	// ActiveTokens tells whether an access token was revoked, and whether its person is known.
	ActiveTokens *endpoint.ActiveTokens
	// Minter signs answers, and encrypts them to Keys where a client asks for it.
	Minter *token.Minter
	Keys   endpoint.ClientKeys
	Now    func() time.Time
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, refusal := h.Front.Accept(w, r)
	if refusal != nil {
		h.Responder.Refuse(w, r, refusal)
		return
	}
	if refusal := fapi.CheckIntrospectionRequest(request.Form); refusal != nil {
		h.Responder.Refuse(w, r, refusal)
		return
	}
	told, err := h.introspect(r, request.Form.Get(oauth.ParamToken), request.Caller.Client)
	if err != nil {
		h.Responder.Refuse(w, r, oauth.AsError(err))
		return
	}
	h.answer(w, r, request.Caller.Client, told)
}

// introspect tells of the token what the rules let this client know. The hint
// would only change the order in which its kinds are tried (RFC 7662, 2.1).
func (h *Handler) introspect(r *http.Request, presented string, client *fapi.Client) (token.Introspection, error) {
	facts := fapi.IntrospectedToken{Client: client}
	told, err := h.accessToken(r.Context(), presented, &facts)
	if err == nil && !facts.Active {
		told, err = h.refreshToken(r.Context(), presented, &facts)
	}
	if err != nil {
		return token.Introspection{}, err
	}
	if refusal := fapi.CheckIntrospectedToken(facts); refusal != nil {
		h.Responder.Record(r, refusal)
		return token.Introspection{}, nil
	}
	return told, nil
}

func (h *Handler) accessToken(ctx context.Context, presented string, facts *fapi.IntrospectedToken) (token.Introspection, error) {
	access, err := h.AccessTokens.Verify(presented)
	if err != nil {
		return token.Introspection{}, nil //nolint:nilerr // a token that does not verify is none.
	}
	facts.Active, err = h.ActiveTokens.Active(ctx, presented, access)
	facts.IssuedTo, facts.Audience = access.ClientID, access.Audience
	return access.Introspection(), err
}

func (h *Handler) refreshToken(ctx context.Context, presented string, facts *fapi.IntrospectedToken) (token.Introspection, error) {
	refresh, grant, err := h.Grants.RefreshToken(ctx, oauth.SecretFrom(presented).Digest(), h.Now())
	if errors.Is(err, store.ErrNotFound) {
		return token.Introspection{}, nil
	}
	if err != nil {
		return token.Introspection{}, err
	}
	facts.Active, facts.IssuedTo = h.ActiveTokens.KnowsPerson(grant.Authentication.Subject), refresh.ClientID
	return token.IntrospectRefreshToken(refresh, grant, fapi.ScopesForGrant(facts.Client, grant.Scope)), nil
}

// answer signs where the request asks for it, and always for a client that has
// registered an algorithm.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, client *fapi.Client, told token.Introspection) {
	metadata := client.Metadata()
	if metadata.IntrospectionSignedResponseAlg == "" && !accepts(r.Header, mediaTypeIntrospection) {
		h.Responder.JSON(w, http.StatusOK, told)
		return
	}
	keys, err := endpoint.EncryptionKeys(r.Context(), h.Keys, client, metadata.IntrospectionEncryptedResponseAlg)
	if err != nil {
		h.Responder.Refuse(w, r, oauth.AsError(err))
		return
	}
	signed, err := h.Minter.IntrospectionResponse(client, keys, told)
	if err != nil {
		h.Responder.Refuse(w, r, oauth.AsError(err))
		return
	}
	h.Responder.JWT(w, mediaTypeIntrospection, signed)
}

// mediaTypeIntrospection is RFC 9701, 4.
const mediaTypeIntrospection = "application/" + oauth.TypeIntrospection

// accepts tells whether an Accept header names the media type itself; a wildcard
// asks for no signature.
func accepts(header http.Header, mediaType string) bool {
	for _, list := range header.Values("Accept") {
		for item := range strings.SplitSeq(list, ",") {
			if named, _, err := mime.ParseMediaType(item); err == nil && named == mediaType {
				return true
			}
		}
	}
	return false
}
