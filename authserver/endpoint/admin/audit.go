package admin

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
)

// audit records a call: who asked for what, on whom, and what came of it.
func (h *Handler) audit(r *http.Request, operation string, answer answer, err error) {
	level, outcome := slog.LevelInfo, []any{"outcome", "done"}
	switch refusal, ok := errors.AsType[*endpoint.Refusal](err); {
	case ok:
		outcome = []any{"outcome", "refused", "error", refusal.Body.Code}
	case err != nil:
		level, outcome = slog.LevelError, []any{"outcome", "failed", "cause", err}
	}
	attributes := []any{"caller", endpoint.CallerNames(r), "operation", operation, "method", r.Method}
	attributes = append(append(attributes, target(r)...), outcome...)
	if answer != nil {
		attributes = append(attributes, answer.counts()...)
	}
	h.Log.Log(r.Context(), level, "administration", attributes...)
}

// target names whose grants or which key the call is about, as far as the request says.
func target(r *http.Request) []any {
	var named []any
	query := r.URL.Query()
	for _, name := range []string{"grant_id", "sub", "client_id", "kid"} {
		value := r.PathValue(name)
		if value == "" {
			value = query.Get(name)
		}
		if value != "" {
			named = append(named, name, value)
		}
	}
	return named
}
