// Package replica is the private listener's API with which the operator asks one
// replica what it is and what it serves. openapi.yaml describes it.
package replica

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Path is where a replica tells of itself.
const Path = "/server"

// Handler serves Path. All fields are required.
type Handler struct {
	// Issuer, MTLSBaseURL, MetadataURL, Endpoints, Host, StartedAt and Version are
	// told as they are; see registration.Replica.
	Issuer      string
	MTLSBaseURL string
	MetadataURL string
	Endpoints   registration.Endpoints
	Host        string
	StartedAt   time.Time
	Version     string
	Schema      store.Schema
	// ClientRevision gives the revision of the clients that this replica serves.
	ClientRevision func(ctx context.Context) (int64, error)
	// Keys are the server's own.
	Keys *keys.Ring
	// Callers may register clients.
	Callers endpoint.Callers
	// Log is told of callers that are refused, and of what fails.
	Log *slog.Logger
	// Count counts a request that was refused.
	Count func(r *http.Request, err error)
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply, err := h.act(r)
	h.note(r, err)
	h.Count(r, err)
	endpoint.WriteOutcome(w, h.Log, reply, err)
}

func (h *Handler) act(r *http.Request) (endpoint.Reply, error) {
	if err := h.Callers.Admit(r, "listeners.private.allowedClientSANs and boundClientSANs"); err != nil {
		return endpoint.Reply{}, err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return endpoint.MethodNotAllowed("GET, HEAD")(r)
	}
	if _, err := endpoint.ReadQuery(r); err != nil {
		return endpoint.Reply{}, err
	}
	told, err := h.tell(r.Context())
	return endpoint.Reply{Status: http.StatusOK, Body: told}, err
}

func (h *Handler) tell(ctx context.Context) (registration.Replica, error) {
	revision, err := h.ClientRevision(ctx)
	if err != nil {
		return registration.Replica{}, err
	}
	listed, err := h.Keys.List(ctx)
	if err != nil {
		return registration.Replica{}, err
	}
	told := registration.Replica{
		Issuer: h.Issuer, MTLSBaseURL: h.MTLSBaseURL, MetadataURL: h.MetadataURL, Endpoints: h.Endpoints,
		Host: h.Host, StartedAt: h.StartedAt, Version: h.Version,
		Store:          registration.ReplicaStore{Backend: h.Schema.Backend, SchemaVersion: h.Schema.Version},
		ClientRevision: revision,
	}
	for _, key := range listed {
		told.Keys = append(told.Keys, registration.ReplicaKey(key))
	}
	return told, nil
}

// note logs what kept a request from being served. Only a caller who is refused
// and a failure are news.
func (h *Handler) note(r *http.Request, err error) {
	switch refusal, ok := errors.AsType[*endpoint.Refusal](err); {
	case err == nil:
	case !ok:
		h.Log.ErrorContext(r.Context(), "the replica could not tell of itself", "caller", endpoint.CallerNames(r), "cause", err)
	case refusal.Status == http.StatusForbidden:
		h.Log.InfoContext(r.Context(), "caller refused", "caller", endpoint.CallerNames(r), "method", r.Method, "path", Path)
	}
}
