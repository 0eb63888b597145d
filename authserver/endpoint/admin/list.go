package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Page is a part of the list of grants. It is the last one without NextCursor.
type Page struct {
	Grants     []Grant `json:"grants"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

// Grant is what an administrator is told of a grant. None of it is a credential.
type Grant struct {
	ID       string `json:"grant_id"`
	ClientID string `json:"client_id"`
	Subject  string `json:"sub"`
	Scope    string `json:"scope"` // RFC 6749, 3.3
	// AuthorizationDetails is what was granted beside the scope (RFC 9396, 2).
	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`
	CreatedAt            time.Time       `json:"created_at"`
	ExpiresAt            time.Time       `json:"expires_at"`
}

func (p Page) counts() []any { return []any{"grants_listed", len(p.Grants)} }

func (h *Handler) list(r *http.Request) (answer, error) {
	query, err := endpoint.ReadQuery(r, "sub", "client_id", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	after, size, err := endpoint.ReadPage(query)
	if err != nil {
		return nil, err
	}
	filter := store.GrantFilter{Subject: query.Get("sub"), ClientID: query.Get("client_id")}
	// One more than the page holds tells whether there is another page.
	stored, err := h.Store.ListGrants(r.Context(), filter, after, size+1, h.Now())
	if err != nil {
		return nil, err
	}
	page := Page{Grants: []Grant{}}
	for _, grant := range stored[:min(size, len(stored))] {
		page.Grants = append(page.Grants, told(grant))
	}
	if len(stored) > size {
		page.NextCursor = endpoint.Cursor(page.Grants[size-1].ID)
	}
	return page, nil
}

func told(grant store.Grant) Grant {
	return Grant{
		ID:                   grant.ID,
		ClientID:             grant.Request.ClientID,
		Subject:              grant.Authentication.Subject,
		Scope:                strings.Join(grant.Scope, " "),
		AuthorizationDetails: grant.Request.AuthorizationDetails,
		CreatedAt:            grant.CreatedAt,
		ExpiresAt:            grant.ExpiresAt,
	}
}
