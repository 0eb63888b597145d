// Package register is the private listener's API, with which the operator
// registers clients. openapi.yaml describes it.
package register

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Handler serves /clients and /clients/{client_id}. All fields are required.
type Handler struct {
	Store store.Clients
	// Callers may register clients.
	Callers endpoint.Callers
	// Installations are those that the owner of a certificate, one of Callers, may
	// act for.
	Installations func(caller *x509.Certificate) registration.Installations
	// Limits are what the installation allows on top of the rule book.
	Limits fapi.Limits
	// Issuer is the server's issuer identifier, told with every record.
	Issuer string
	Now    func() time.Time
	// Log gets an audit line for every change and every refused one.
	Log *slog.Logger
	// Count counts a request that was refused.
	Count func(r *http.Request, err error)

	once sync.Once
	mux  *http.ServeMux
}

// ServeHTTP answers a request of the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.route)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) route() {
	h.mux = http.NewServeMux()
	h.mux.Handle("PUT /clients/{client_id}", h.serve(h.put))
	h.mux.Handle("GET /clients/{client_id}", h.serve(h.get))
	h.mux.Handle("DELETE /clients/{client_id}", h.serve(h.delete))
	h.mux.Handle("GET /clients", h.serve(h.list))
	h.mux.Handle("/clients/{client_id}", h.serve(endpoint.MethodNotAllowed("GET, HEAD, PUT, DELETE")))
	h.mux.Handle("/clients", h.serve(endpoint.MethodNotAllowed("GET, HEAD")))
	h.mux.Handle("/", h.serve(unknownEndpoint))
}

// record is what is answered about a client: its metadata with the defaults in force.
func (h *Handler) record(stored store.ClientRecord) registration.Record {
	return registration.Record{
		Summary:  summary(stored),
		Issuer:   h.Issuer,
		Metadata: stored.Metadata.WithDefaults(),
	}
}

func summary(stored store.ClientRecord) registration.Summary {
	return registration.Summary{
		ClientID:    stored.Metadata.ClientID,
		Owner:       stored.Owner,
		Generation:  stored.Generation,
		Revision:    stored.Revision,
		ContentHash: stored.ContentHash,
	}
}
