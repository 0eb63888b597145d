package register

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func (h *Handler) get(r *http.Request) (endpoint.Reply, error) {
	clientID := r.PathValue("client_id")
	stored, err := h.Store.Client(r.Context(), clientID)
	if err != nil {
		return endpoint.Reply{}, h.refused(r, err)
	}
	if !h.installations(r).Include(stored.Owner.Installation) {
		return endpoint.Reply{}, ofOtherInstallation()
	}
	return endpoint.Reply{Status: http.StatusOK, Revision: stored.Revision, Body: h.record(stored)}, nil
}

func (h *Handler) list(r *http.Request) (endpoint.Reply, error) {
	query, err := endpoint.ReadQuery(r, "cursor", "limit")
	if err != nil {
		return endpoint.Reply{}, err
	}
	after, size, err := endpoint.ReadPage(query)
	if err != nil {
		return endpoint.Reply{}, err
	}
	revision, err := h.Store.ClientRevision(r.Context())
	if err != nil {
		return endpoint.Reply{}, err
	}
	// One more than the page holds tells whether there is another page.
	stored, err := h.Store.ListClients(r.Context(), h.installations(r), after, size+1)
	if err != nil {
		return endpoint.Reply{}, err
	}
	page := registration.Page{Clients: []registration.Summary{}, Issuer: h.Issuer, Revision: revision}
	for _, client := range stored[:min(size, len(stored))] {
		page.Clients = append(page.Clients, summary(client))
	}
	if len(stored) > size {
		page.NextCursor = endpoint.Cursor(page.Clients[size-1].ClientID)
	}
	return endpoint.Reply{Status: http.StatusOK, Body: page}, nil
}
