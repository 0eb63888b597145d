package endpoint

import (
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Responder answers in JSON, logs refusals and counts them.
type Responder struct {
	Log *slog.Logger
	// Refusals counts by endpoint, rule (or oauth.NoRule) and code: all three are closed sets.
	Refusals *prometheus.CounterVec
}

// NewResponder registers the refusal counter.
func NewResponder(log *slog.Logger, registry prometheus.Registerer) *Responder {
	refusals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authserver_refusals_total",
		Help: "Requests refused, by endpoint, rule and OAuth error code.",
	}, []string{"endpoint", "rule", "code"})
	registry.MustRegister(refusals)
	return &Responder{Log: log, Refusals: refusals}
}

// JSON answers with a value that encodes. Nothing of it may be cached
// (RFC 6749, 5.1; RFC 9126, 2.2).
func (p *Responder) JSON(w http.ResponseWriter, status int, value any) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		p.Log.Warn("the response was not sent whole", "error", err)
	}
}

// JWT answers with a JWT of the media type; nothing of it may be cached either.
func (p *Responder) JWT(w http.ResponseWriter, mediaType, compact string) {
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Set("Cache-Control", "no-store")
	if _, err := io.WriteString(w, compact); err != nil {
		p.Log.Warn("the response was not sent whole", "error", err)
	}
}

// errorResponse is RFC 6749, 5.2.
type errorResponse struct {
	Error       oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
}

// Refuse answers with the error's code and description; the cause goes to the log alone.
func (p *Responder) Refuse(w http.ResponseWriter, r *http.Request, refusal *oauth.Error) {
	p.RefuseWith(w, r, refusal.Code.Status(), refusal)
}

// RefuseWith is Refuse where another status is due than the code's.
func (p *Responder) RefuseWith(w http.ResponseWriter, r *http.Request, status int, refusal *oauth.Error) {
	p.Record(r, refusal)
	p.JSON(w, status, errorResponse{Error: refusal.Code, Description: refusal.ErrorDescription()})
}

// Record logs and counts a refusal that is answered in another form.
func (p *Responder) Record(r *http.Request, refusal *oauth.Error) {
	level := slog.LevelInfo
	if refusal.Code == oauth.ServerError {
		level = slog.LevelError
	}
	p.Log.Log(r.Context(), level, "request refused",
		"endpoint", r.Pattern, "code", refusal.Code, "rule", refusal.Rule,
		"description", refusal.Description, "cause", refusal.Cause)
	p.count(r, refusal.Rule, refusal.Code)
}

func (p *Responder) count(r *http.Request, rule oauth.RuleID, code oauth.ErrorCode) {
	p.Refusals.WithLabelValues(r.Pattern, string(cmp.Or(rule, oauth.NoRule)), string(code)).Inc()
}
