package fapitest

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestReadErrorRefuses: a refusal that a client could not rely on is none.
func TestReadErrorRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"error":"invalid_request","error_description":"the request has a parameter twice (RFC6749-3.2)"}`
	token := strings.Repeat("A", 43)
	for name, bad := range map[string]struct {
		status                       int
		contentType, caching, answer string
	}{
		"success":           {200, "application/json", "no-store", good},
		"HTML":              {400, "text/html", "no-store", good},
		"cached":            {400, "application/json", "", good},
		"no JSON":           {400, "application/json", "no-store", "invalid_request"},
		"no error":          {400, "application/json", "no-store", `{}`},
		"no rule":           {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"it is wrong"}`},
		"quote in error":    {400, "application/json", "no-store", `{"error":"invalid\"","error_description":"x (RFC6749-3.2)"}`},
		"line break":        {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"a\nb (RFC6749-3.2)"}`},
		"backslash":         {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"a\\b (RFC6749-3.2)"}`},
		"not ASCII":         {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"é (RFC6749-3.2)"}`},
		"error_uri":         {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"x (RFC6749-3.2)","error_uri":"%zz"}`},
		"a path":            {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"open /var/lib/db (RFC6749-3.2)"}`},
		"a stack":           {500, "application/json", "no-store", `{"error":"server_error","error_description":"goroutine 1 (RFC6749-3.2)"}`},
		"something random":  {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"` + token + ` (RFC6749-3.2)"}`},
		"the request's own": {400, "application/json", "no-store", `{"error":"invalid_request","error_description":"no secret-of-the-request (RFC6749-3.2)"}`},
	} {
		header := http.Header{"Content-Type": {bad.contentType}, "Cache-Control": {bad.caching}}
		err := readError(StepToken, answer{status: bad.status, header: header, body: []byte(bad.answer), sent: []string{"secret-of-the-request"}})
		if _, refused := errors.AsType[*CheckError](err); !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	header := http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}
	refusal, ok := errors.AsType[*ErrorResponse](readError(StepToken, answer{status: http.StatusBadRequest, header: header, body: []byte(good)}))
	if !ok || refusal.Rule() != "RFC6749-3.2" {
		t.Errorf("a good refusal: %v", refusal)
	}
}

// TestJudgeDemandsLogAndMetric: a refusal of which the server has told nobody is found out.
func TestJudgeDemandsLogAndMetric(t *testing.T) {
	t.Parallel()
	server := StartServer(t)
	told := Refusal{Step: StepToken, Path: "/token", Code: "invalid_request", Rule: "LOCAL-METHOD"}
	if err := server.judge(told); err == nil {
		t.Error("a refusal that never was is in the log")
	}
	response, err := (&Client{Issuer: server.Issuer, Roots: server.Authority.Pool(), Now: server.Clock.Now}).HTTP(false).Get(server.Issuer + "/token")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := server.judge(told); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Refusal){
		"another rule": func(r *Refusal) { r.Rule = "LOCAL-METHODS" }, "another code": func(r *Refusal) { r.Code = "invalid_client" },
		"another endpoint": func(r *Refusal) { r.Path = "/par" }, "a secret in the log": func(r *Refusal) { r.Secrets = []string{"request refused"} },
	} {
		other := told
		change(&other)
		if err := server.judge(other); err == nil {
			t.Errorf("%s was not found out", name)
		}
	}
}
