package admin

import (
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
)

// Keys are the server's own keys, by use and algorithm, oldest first.
type Keys struct {
	Keys []Key `json:"keys"`
}

// Key is what an administrator is told of a key of the server's; none of it is secret.
type Key struct {
	ID        string    `json:"id"`  // use, algorithm and generation
	KeyID     string    `json:"kid"` // RFC 7517, 4.5
	Use       string    `json:"use"` // RFC 7517, 4.2
	Algorithm string    `json:"alg"` // RFC 7517, 4.4
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	// TakesOverAt is zero for the oldest key of its use and algorithm, DoneAt for the
	// newest, and SuccessorAt for all but the newest.
	TakesOverAt time.Time `json:"takes_over_at,omitzero"`
	DoneAt      time.Time `json:"done_at,omitzero"`
	SuccessorAt time.Time `json:"successor_at,omitzero"`
}

// Dropped tells how many keys a call has dropped: one or none.
type Dropped struct {
	Keys int `json:"keys_dropped"`
}

func (k Keys) counts() []any    { return []any{"keys_listed", len(k.Keys)} }
func (d Dropped) counts() []any { return []any{"keys_dropped", d.Keys} }

func (h *Handler) listKeys(r *http.Request) (answer, error) {
	if _, err := endpoint.ReadQuery(r); err != nil {
		return nil, err
	}
	described, err := h.Keys.List(r.Context())
	if err != nil {
		return nil, err
	}
	listed := Keys{Keys: []Key{}}
	for _, key := range described {
		listed.Keys = append(listed.Keys, Key(key))
	}
	return listed, nil
}

func (h *Handler) dropKey(r *http.Request) (answer, error) {
	if _, err := endpoint.ReadQuery(r); err != nil {
		return nil, err
	}
	dropped, err := h.Keys.Drop(r.Context(), r.PathValue("kid"))
	if !dropped {
		return Dropped{}, err
	}
	return Dropped{Keys: 1}, err
}
