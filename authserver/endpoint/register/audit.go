package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// auditWrite says who changed what. Members are named, their values are not: a
// security officer finds the revision's content in Git, and no log holds keys.
func (h *Handler) auditWrite(r *http.Request, before, after store.ClientRecord) {
	if before.Revision == after.Revision {
		return // nothing was written
	}
	event := "client changed"
	if before.Revision == 0 {
		event = "client registered"
	}
	if before.Revision != 0 && before.Owner != after.Owner {
		h.Log.WarnContext(r.Context(), "client taken over",
			"caller", endpoint.CallerNames(r), correlation(r), "client_id", after.Metadata.ClientID, "owner", after.Owner.String(), "previous_owner", before.Owner.String())
	}
	h.Log.InfoContext(r.Context(), event,
		"caller", endpoint.CallerNames(r), correlation(r), "client_id", after.Metadata.ClientID, "owner", after.Owner.String(), "generation", after.Generation,
		"revision", after.Revision, "previous_revision", before.Revision, "members", changedMembers(before.Metadata, after.Metadata))
}

func (h *Handler) auditDeletion(r *http.Request, before store.ClientRecord) {
	h.Log.InfoContext(r.Context(), "client deleted",
		"caller", endpoint.CallerNames(r), correlation(r), "client_id", before.Metadata.ClientID, "owner", before.Owner.String(), "previous_revision", before.Revision)
}

// auditFailure notes what kept a request from being served. A refused reading is
// no news, unless it is refused for its caller.
func (h *Handler) auditFailure(r *http.Request, err error) {
	switch refusal, ok := errors.AsType[*endpoint.Refusal](err); {
	case err == nil:
	case !ok:
		h.Log.ErrorContext(r.Context(), "registration request failed", "method", r.Method, "caller", endpoint.CallerNames(r), correlation(r), "cause", err)
	case refusal.Status == http.StatusForbidden:
		h.Log.InfoContext(r.Context(), "caller refused", "caller", endpoint.CallerNames(r), correlation(r), "method", r.Method, "client_id", r.PathValue("client_id"),
			"error", refusal.Body.Code, "description", refusal.Body.Description)
	case r.Method == http.MethodPut, r.Method == http.MethodDelete:
		h.auditRefusal(r, refusal)
	}
}

func (h *Handler) auditRefusal(r *http.Request, refusal *endpoint.Refusal) {
	var rules []oauth.RuleID
	for _, violation := range refusal.Body.Violations {
		rules = append(rules, violation.Rule)
	}
	h.Log.InfoContext(r.Context(), "client change refused",
		"caller", endpoint.CallerNames(r), correlation(r), "method", r.Method, "client_id", r.PathValue("client_id"), "status", refusal.Status, "error", refusal.Body.Code, "rules", rules)
}

// correlation is the caller's own identifier of the change; nothing is decided by it.
func correlation(r *http.Request) slog.Attr {
	id := r.Header.Get(registration.CorrelationHeader)
	return slog.String("correlation_id", id[:min(len(id), registration.MaxCorrelationBytes)])
}

// changedMembers names the metadata members whose values differ, sorted.
func changedMembers(before, after registration.Metadata) []string {
	old, current := members(before), members(after)
	union := maps.Clone(old)
	maps.Copy(union, current)
	maps.DeleteFunc(union, func(name string, _ json.RawMessage) bool {
		return bytes.Equal(old[name], current[name])
	})
	return slices.Sorted(maps.Keys(union))
}

// members gives the stated members. Metadata that the store has kept encodes.
func members(metadata registration.Metadata) map[string]json.RawMessage {
	stated := map[string]json.RawMessage{}
	if encoded, err := metadata.Encode(); err == nil {
		_ = json.Unmarshal(encoded, &stated)
	}
	return stated
}
