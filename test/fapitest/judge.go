package fapitest

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Refusal is what a refusal says of itself, in whatever form it came: JSON, a
// redirect to the client, or a page.
type Refusal struct {
	// Step is the endpoint that refused, as its metadata member.
	Step string
	// Path is the endpoint's; "" for a redirect or a page, to which several lead.
	Path string
	Code oauth.ErrorCode
	Rule oauth.RuleID
	// Secrets are those of the request: tokens, codes and proofs.
	Secrets []string
}

// judge demands that the server has told its operator of a refusal: the log and
// the metric authserver_refusals_total name code and rule, and the endpoint where
// it is known, and the log shows no secret of the request. Refusals of the accounts
// API are another server's, and a server that runs elsewhere keeps its log there.
func (s *Server) judge(refusal Refusal) error {
	if refusal.Step == StepAccounts || s.stop == nil {
		return nil
	}
	log := s.Log()
	for _, secret := range refusal.Secrets {
		if strings.Contains(log, secret) {
			return mustBeRefused("the log shows a secret of a request that %s refused by %s", refusal.Step, refusal.Rule)
		}
	}
	metrics, err := s.Metrics()
	if err != nil {
		return err
	}
	code, rule := regexp.QuoteMeta(string(refusal.Code)), regexp.QuoteMeta(string(refusal.Rule))
	counted := regexp.QuoteMeta(string(cmp.Or(refusal.Rule, oauth.NoRule)))
	if rule == "" {
		rule = `""`
	}
	for _, told := range []struct{ where, text, pattern string }{
		{"log", log, `endpoint=` + refusal.endpoint() + ` code=` + code + ` rule=` + rule + ` `},
		{"metrics", metrics, `authserver_refusals_total{code="` + code + `",endpoint=` + refusal.endpoint() + `,rule="` + counted + `"} [1-9]`},
	} {
		if !regexp.MustCompile(told.pattern).MatchString(told.text) {
			return mustBeRefused("%s refuses with %s by %s, and the %s have no %s", refusal.Step, refusal.Code, refusal.Rule, told.where, told.pattern)
		}
	}
	return nil
}

// endpoint matches the endpoint in the log and in the metrics.
func (r Refusal) endpoint() string {
	if r.Path == "" {
		return `("[^"]*"|[^" ]*)`
	}
	return `"?` + regexp.QuoteMeta(r.Path) + `"?`
}

// Metrics is what the health listener tells Prometheus.
func (s *Server) Metrics() (string, error) {
	response, err := http.Get(s.HealthURL + "/metrics")
	if err != nil {
		return "", fmt.Errorf("read the metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // All that counts has been read by then.
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("read the metrics: %w", err)
	}
	return string(text), nil
}
