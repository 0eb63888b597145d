package register

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Page sizes of the listing; our own choices.
const (
	defaultPageSize = 100
	maxPageSize     = 500
)

func (h *Handler) get(r *http.Request) (reply, error) {
	clientID := r.PathValue("client_id")
	stored, err := h.Store.Client(r.Context(), clientID)
	if err != nil {
		return reply{}, refused(err, clientID)
	}
	return reply{http.StatusOK, stored.Revision, h.record(stored)}, nil
}

func (h *Handler) list(r *http.Request) (reply, error) {
	query, err := readQuery(r, "cursor", "limit")
	if err != nil {
		return reply{}, err
	}
	after, err := parseCursor(query.Get("cursor"))
	if err != nil {
		return reply{}, err
	}
	size, err := parsePageSize(query.Get("limit"))
	if err != nil {
		return reply{}, err
	}
	// One more than the page holds tells whether there is another page.
	stored, err := h.Store.ListClients(r.Context(), after, size+1)
	if err != nil {
		return reply{}, err
	}
	page := registration.Page{Clients: []registration.Summary{}}
	for _, client := range stored[:min(size, len(stored))] {
		page.Clients = append(page.Clients, summary(client))
	}
	if len(stored) > size {
		page.NextCursor = cursor(page.Clients[size-1].ClientID)
	}
	return reply{status: http.StatusOK, body: page}, nil
}

// readQuery takes each of the named parameters at most once, and no other.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed("the query is not application/x-www-form-urlencoded")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, malformed("the query has a parameter that is not known here; known are %v", known)
		}
		if len(values) > 1 {
			return nil, malformed("the query has %s more than once", name)
		}
	}
	return query, nil
}

// cursor stands for the client_id after which the next page starts. It is
// encoded so that nobody builds one.
func cursor(clientID string) string { return base64.RawURLEncoding.EncodeToString([]byte(clientID)) }

func parseCursor(text string) (after string, err error) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", malformed("the cursor is not one of this API; start again without one")
	}
	return string(decoded), nil
}

func parsePageSize(text string) (int, error) {
	if text == "" {
		return defaultPageSize, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 1 || size > maxPageSize {
		return 0, malformed("limit is not a number from 1 to %d", maxPageSize)
	}
	return size, nil
}
