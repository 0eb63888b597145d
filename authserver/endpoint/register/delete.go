package register

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// delete removes a client on behalf of its owner, who stands in the query: the
// content of a DELETE has no defined meaning (RFC 9110, 9.3.5).
func (h *Handler) delete(r *http.Request) (endpoint.Reply, error) {
	clientID := r.PathValue("client_id")
	owner, err := readOwner(r)
	if err != nil {
		return endpoint.Reply{}, err
	}
	if err := h.mayActFor(r, owner); err != nil {
		return endpoint.Reply{}, err
	}
	before, err := h.Store.Client(r.Context(), clientID)
	if err != nil {
		return endpoint.Reply{}, h.refused(r, err)
	}
	if err := h.Store.DeleteClient(r.Context(), clientID, owner, h.Now()); err != nil {
		return endpoint.Reply{}, h.refused(r, err)
	}
	h.auditDeletion(r, before)
	return endpoint.Reply{Status: http.StatusNoContent}, nil
}

func readOwner(r *http.Request) (registration.Owner, error) {
	query, err := endpoint.ReadQuery(r, "installation", "namespace", "name")
	if err != nil {
		return registration.Owner{}, err
	}
	owner := registration.Owner{Installation: query.Get("installation"), Namespace: query.Get("namespace"), Name: query.Get("name")}
	return owner, checkOwner(owner)
}
