package register

import (
	"errors"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

func unknownEndpoint(*http.Request) (endpoint.Reply, error) {
	return endpoint.Reply{}, endpoint.Refuse(http.StatusNotFound, registration.UnknownEndpoint, "the registration API has /clients and /clients/{client_id}")
}

// refused turns a store's verdict into the answer about the client. Anything
// else is unforeseen and stays as it is.
func (h *Handler) refused(r *http.Request, err error) error {
	if owned, ok := errors.AsType[*store.OwnedByAnotherError](err); ok {
		if !h.installations(r).Include(owned.Owner.Installation) {
			return ofOtherInstallation()
		}
		conflict := endpoint.Refuse(http.StatusConflict, registration.OwnedByAnother, "the client belongs to %s", owned.Owner)
		conflict.Body.Owner = &owned.Owner
		return conflict
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		absent := endpoint.Refuse(http.StatusNotFound, registration.ClientNotFound, "there is no such client")
		absent.Body.ClientID = r.PathValue("client_id")
		return absent
	case errors.Is(err, store.ErrPreconditionFailed):
		return endpoint.Refuse(http.StatusPreconditionFailed, registration.PreconditionFailed, "the client is not in the state that If-Match or If-None-Match names; read it again")
	}
	return err
}

// serve runs the action for a caller who may register, and writes its outcome.
func (h *Handler) serve(do endpoint.Action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := h.act(r, do)
		h.auditFailure(r, err)
		h.Count(r, err)
		endpoint.WriteOutcome(w, h.Log, reply, err)
	})
}

func (h *Handler) act(r *http.Request, do endpoint.Action) (endpoint.Reply, error) {
	if err := h.Callers.Admit(r, "listeners.private.allowedClientSANs and boundClientSANs"); err != nil {
		return endpoint.Reply{}, err
	}
	return do(r)
}
