package admin

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
)

// batch is how many records are ended in one step, so that no other request
// waits long behind it, some 20 ms; our own choice.
const batch = 100

// Revoked tells how many grants a call has ended, with their access tokens,
// refresh tokens and codes.
type Revoked struct {
	Grants int `json:"grants_revoked"`
}

// SubjectRevoked tells also how many sessions and interactions of the person it
// has ended.
type SubjectRevoked struct {
	Revoked
	Sessions     int `json:"sessions_ended"`
	Interactions int `json:"interactions_ended"`
}

func (v Revoked) counts() []any { return []any{"grants_revoked", v.Grants} }

func (v SubjectRevoked) counts() []any {
	return append(v.Revoked.counts(), "sessions_ended", v.Sessions, "interactions_ended", v.Interactions)
}

func (h *Handler) revokeGrant(r *http.Request) (answer, error) {
	if _, err := endpoint.ReadQuery(r); err != nil {
		return nil, err
	}
	ended, err := h.Store.RevokeGrantOnce(r.Context(), r.PathValue("grant_id"), h.Now())
	if !ended {
		return Revoked{}, err
	}
	return Revoked{Grants: 1}, err
}

func (h *Handler) revokeClient(r *http.Request) (answer, error) {
	if _, err := endpoint.ReadQuery(r); err != nil {
		return nil, err
	}
	grants, err := untilNone(func() (int, error) {
		return h.Store.RevokeGrantsOfClient(r.Context(), r.PathValue("client_id"), batch, h.Now())
	})
	return Revoked{Grants: grants}, err
}

// revokeSubject ends the grants last: a session or an interaction that went on
// meanwhile could lead to another one.
func (h *Handler) revokeSubject(r *http.Request) (answer, error) {
	if _, err := endpoint.ReadQuery(r); err != nil {
		return nil, err
	}
	var done SubjectRevoked
	var err error
	subject := r.PathValue("sub")
	if done.Sessions, err = untilNone(func() (int, error) {
		return h.Store.EndSessionsOfSubject(r.Context(), subject, batch)
	}); err != nil {
		return done, err
	}
	if done.Interactions, err = untilNone(func() (int, error) {
		return h.Store.EndInteractionsOfSubject(r.Context(), subject, batch)
	}); err != nil {
		return done, err
	}
	done.Grants, err = untilNone(func() (int, error) {
		return h.Store.RevokeGrantsOfSubject(r.Context(), subject, batch, h.Now())
	})
	return done, err
}

// untilNone ends batch after batch, and tells how many there were, also when one
// of them fails.
func untilNone(end func() (int, error)) (total int, err error) {
	for {
		ended, err := end()
		total += ended
		if err != nil || ended == 0 {
			return total, err
		}
	}
}
