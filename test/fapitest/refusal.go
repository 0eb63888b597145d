package fapitest

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// readError reads a refusal; its form is checked, since a client depends on it.
func readError(step string, response answer) error {
	refusal := &ErrorResponse{Step: step, Path: response.path, Status: response.status, Header: response.header, sent: response.sent}
	mediaType, _, err := mime.ParseMediaType(response.header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return mustBeRefused("%s answers %d as %q, which is not JSON", step, response.status, response.header.Get("Content-Type"))
	}
	if err := json.Unmarshal(response.body, refusal); err != nil || refusal.Code == "" {
		return mustBeRefused("%s answers %d without an error code", step, response.status)
	}
	if err := refusal.check(string(response.body)); err != nil {
		return err
	}
	return refusal
}

// JudgeAnswer is the *ErrorResponse of an answer to a request that a test has made
// by itself, read and judged as other refusals are.
func (c *Client) JudgeAnswer(given Answer) error {
	return c.judged(readError(given.Step, answer{status: given.Status, header: given.Header, body: given.Body, path: given.Path}))
}

// JudgePage is the *PageError of a page that stands where an authorization
// response was expected, judged as other refusals are if it is an error page. A
// login that failed shows the login again, and refuses no request.
func (c *Client) JudgePage(page *Page) error {
	shown := &PageError{Page: page}
	if !page.Has(idError) {
		return shown
	}
	if err := shown.check(); err != nil {
		return err
	}
	return c.judged(shown)
}

// Characters of error and error_description (RFC 6749, 5.2): visible ASCII and
// spaces, without " and \.
var errorText = regexp.MustCompile(`^[ !#-\[\]-~]*$`)

// internals are what only the inside of a server knows: stacks, source files,
// paths, addresses in memory, its database.
var internals = regexp.MustCompile(`(?i)goroutine|panic|\.go\b|/(tmp|home|root|usr|var|etc)/|0x[0-9a-f]{6}|sqlite|\bsql\b|authserver/`)

// tokenLike is as long, in the alphabet of base64url, as no word is: a token, a key or a digest.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{40}`)

// check holds what every refusal must hold: a status of 4xx or 5xx, an answer
// that nobody caches, texts in their alphabet that name the rule, and nothing
// that a stranger must not learn.
func (e *ErrorResponse) check(body string) error {
	switch {
	case e.Status < http.StatusBadRequest:
		return mustBeRefused("%s answers an error with status %d", e.Step, e.Status)
	case !strings.Contains(e.Header.Get("Cache-Control"), "no-store"):
		return mustBeRefused("the refusal of %s may be cached", e.Step)
	case !errorText.MatchString(string(e.Code)) || !errorText.MatchString(e.Description):
		return mustBeRefused("%s answers with characters that RFC 6749, 5.2 forbids: %q %q", e.Step, e.Code, e.Description)
	case !isURIReference(e.URI):
		return mustBeRefused("error_uri is no URI: %q", e.URI)
	case e.Rule() == "" && e.Code != oauth.ServerError: // Of what is unforeseen a stranger learns nothing.
		return mustBeRefused("the refusal of %s names no rule: %q", e.Step, e.Description)
	case internals.MatchString(body) || tokenLike.MatchString(body):
		return mustBeRefused("the refusal of %s shows what is inside the server: %s", e.Step, body)
	}
	for _, secret := range e.sent {
		if strings.Contains(body, secret) {
			return mustBeRefused("the refusal of %s repeats a secret of the request: %s", e.Step, body)
		}
	}
	return nil
}

func isURIReference(text string) bool {
	_, err := url.Parse(text)
	return err == nil
}

// namedRule is where a description names its rule: at its end.
var namedRule = regexp.MustCompile(`\(([A-Z][A-Za-z0-9.-]+)\)$`)

// Rule is the rule that the description names; "" where it names none.
func (e *ErrorResponse) Rule() oauth.RuleID { return ruleIn(e.Description) }

func (e *ErrorResponse) refusal() Refusal {
	return Refusal{Step: e.Step, Path: e.Path, Code: e.Code, Rule: e.Rule(), Secrets: e.sent}
}

// Rule is the rule that the description names; "" where it names none.
func (c Callback) Rule() oauth.RuleID { return ruleIn(c.ErrorDescription) }

func (e *CallbackError) refusal() Refusal {
	return Refusal{Step: StepAuthorize, Code: e.Callback.Error, Rule: e.Callback.Rule()}
}

// check holds a redirected error to what holds for errors in JSON (RFC 6749, 4.1.2.1).
func (e *CallbackError) check() error {
	text := e.Callback.ErrorDescription
	switch {
	case !errorText.MatchString(string(e.Callback.Error)) || !errorText.MatchString(text):
		return mustBeRefused("the authorization response has characters that RFC 6749, 4.1.2.1 forbids: %q %q", e.Callback.Error, text)
	case e.Callback.Rule() == "" || e.Callback.Code != "":
		return mustBeRefused("the refusal names no rule, or comes with a code: %v", e)
	case internals.MatchString(text) || tokenLike.MatchString(text):
		return mustBeRefused("the refusal shows what is inside the server: %v", e)
	}
	return nil
}

// check holds an error page to a status of its own, to no cache, and to naming the rule.
func (e *PageError) check() error {
	switch {
	case e.Page.Status < http.StatusBadRequest || e.Page.Header.Get("Cache-Control") != "no-store":
		return mustBeRefused("an error page with status %d and Cache-Control %q", e.Page.Status, e.Page.Header.Get("Cache-Control"))
	case e.refusal().Code == "" || e.refusal().Rule == "":
		return mustBeRefused("the error page names no rule: %v", e)
	case internals.MatchString(e.Page.Text()) || tokenLike.MatchString(e.Page.Text()):
		return mustBeRefused("the error page shows what is inside the server: %v", e)
	}
	return nil
}

func (e *PageError) refusal() Refusal {
	return Refusal{Step: StepAuthorize, Code: oauth.ErrorCode(e.Page.defined("Error")), Rule: oauth.RuleID(e.Page.defined("Rule"))}
}

func ruleIn(description string) oauth.RuleID {
	if found := namedRule.FindStringSubmatch(description); found != nil {
		return oauth.RuleID(found[1])
	}
	return ""
}

// minSecretLength of a value that counts as a secret, in characters: what tests
// make up to be refused is shorter.
const minSecretLength = 20

// secretParameters hold what whoever reads an answer or a log must not learn.
var secretParameters = []string{
	oauth.ParamClientAssertion, oauth.ParamClientSecret, oauth.ParamCode, oauth.ParamCodeVerifier,
	oauth.ParamRefreshToken, oauth.ParamRequest, oauth.ParamRequestURI, oauth.ParamToken,
}

// secretsOf are a request's tokens, codes and proofs.
func secretsOf(request call, header http.Header) []string {
	values := append(header.Values("DPoP"), tokensOf(header.Values("Authorization"))...)
	for _, name := range secretParameters {
		values = append(values, request.form[name]...)
	}
	var secrets []string
	for _, value := range values {
		if len(value) >= minSecretLength {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

func tokensOf(authorizations []string) []string {
	tokens := make([]string, len(authorizations))
	for i, authorization := range authorizations {
		_, tokens[i], _ = strings.Cut(authorization, " ")
	}
	return tokens
}
