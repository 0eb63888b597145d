package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// suite is the running suite's HTTP API.
type suite struct {
	base    string
	token   string
	client  *http.Client
	version string
	// run is part of every alias, so that two runs do not interrupt each other.
	run string
}

const (
	// longPoll is the longest that the suite lets a caller wait for a state.
	longPoll = 30 * time.Second
	// callPatience bounds one call of the API, beyond a long poll.
	callPatience = time.Minute
)

// States and results of a module, in the suite's words.
const (
	stateFinished    = "FINISHED"
	stateInterrupted = "INTERRUPTED"

	resultPassed  = "PASSED"
	resultReview  = "REVIEW"
	resultWarning = "WARNING"
	resultSkipped = "SKIPPED"
	resultFailed  = "FAILED"
)

// openSuite asks the suite for its version, to learn that it is there.
func openSuite(ctx context.Context, address, token string) (*suite, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("the suite's address is %q, not https://host:port: start the suite as test/conformance/README.md says, then make conformance SUITE=https://host:port", address)
	}
	s := &suite{base: "https://" + base.Host + strings.TrimRight(base.Path, "/"), token: token, client: suiteClient(), run: strings.ToLower(rand.Text()[:8])}
	var info struct{ Version, Revision string }
	if err := s.call(ctx, http.MethodGet, "/api/server", nil, nil, &info); err != nil {
		return nil, fmt.Errorf("reach the suite: %w", err)
	}
	s.version = strings.TrimSpace(info.Version + " " + info.Revision)
	return s, nil
}

// suiteClient takes any certificate: a suite on one's own machine signs its own,
// and what is sent to it are throw-away keys.
func suiteClient() *http.Client {
	return &http.Client{
		Timeout:   longPoll + callPatience,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
}

// alias makes the suite's addresses of a plan known before it runs.
func (s *suite) alias(plan plan) string { return "fapi-operator-" + s.run + "-" + plan.Name }

// baseURL is where the suite's endpoints of a plan are.
func (s *suite) baseURL(plan plan) string { return s.base + "/test/a/" + s.alias(plan) }

// suiteModule is a module of a plan, with the variants that the plan gives it.
type suiteModule struct {
	TestModule string          `json:"testModule"`
	Variant    json.RawMessage `json:"variant"`
}

// createPlan makes a plan and tells which modules it has.
func (s *suite) createPlan(ctx context.Context, p plan, configuration configuration) (id string, modules []suiteModule, err error) {
	variant, err := json.Marshal(p.Variant)
	if err != nil {
		return "", nil, fmt.Errorf("create plan %s: %w", p.Name, err)
	}
	var created struct {
		ID      string        `json:"id"`
		Modules []suiteModule `json:"modules"`
	}
	query := url.Values{"planName": {p.suitePlan}, "variant": {string(variant)}}
	if err := s.call(ctx, http.MethodPost, "/api/plan", query, configuration, &created); err != nil {
		return "", nil, fmt.Errorf("create plan %s: %w", p.Name, err)
	}
	return created.ID, created.Modules, nil
}

// startModule starts a module of a plan; it runs by itself from then on.
func (s *suite) startModule(ctx context.Context, planID string, module suiteModule) (id, baseURL string, err error) {
	query := url.Values{"plan": {planID}, "test": {module.TestModule}}
	if len(module.Variant) > 0 {
		query.Set("variant", string(module.Variant))
	}
	var created struct{ ID, URL string }
	if err := s.call(ctx, http.MethodPost, "/api/runner", query, nil, &created); err != nil {
		return "", "", fmt.Errorf("start module %s: %w", module.TestModule, err)
	}
	return created.ID, created.URL, nil
}

// awaitEnd waits until the module has finished or was interrupted, or patience is
// over; it tells whether it has ended.
func (s *suite) awaitEnd(ctx context.Context, id string, patience time.Duration) (ended bool, err error) {
	deadline := time.Now().Add(patience)
	for {
		left := min(time.Until(deadline), longPoll)
		if left <= 0 {
			return false, nil
		}
		query := url.Values{
			"states":    {stateFinished + "," + stateInterrupted},
			"timeoutMs": {strconv.FormatInt(max(left.Milliseconds(), 1), 10)},
		}
		var answer struct{ State string }
		if err := s.call(ctx, http.MethodGet, "/api/runner/"+id+"/wait-state", query, nil, &answer); err != nil {
			return false, fmt.Errorf("wait for module %s: %w", id, err)
		}
		if answer.State != "" {
			return true, nil
		}
	}
}

// moduleInfo is how a module stands.
type moduleInfo struct{ Status, Result string }

func (s *suite) info(ctx context.Context, id string) (moduleInfo, error) {
	var info moduleInfo
	if err := s.call(ctx, http.MethodGet, "/api/info/"+id, nil, nil, &info); err != nil {
		return moduleInfo{}, fmt.Errorf("read the result of module %s: %w", id, err)
	}
	return info, nil
}

// log reads a module's log, as it is.
func (s *suite) log(ctx context.Context, id string) (json.RawMessage, error) {
	var log json.RawMessage
	if err := s.call(ctx, http.MethodGet, "/api/log/"+id, nil, nil, &log); err != nil {
		return nil, fmt.Errorf("read the log of module %s: %w", id, err)
	}
	return log, nil
}

// cancel stops a module.
func (s *suite) cancel(ctx context.Context, id string) error {
	if err := s.call(ctx, http.MethodDelete, "/api/runner/"+id, nil, nil, nil); err != nil {
		return fmt.Errorf("cancel module %s: %w", id, err)
	}
	return nil
}

// logURL is where a person reads a module's log.
func (s *suite) logURL(id string) string {
	return s.base + "/log-detail.html?log=" + url.QueryEscape(id)
}

// call makes a request and decodes the answer, unless into is nil.
func (s *suite) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	request, err := s.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, refusal(content))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}

func (s *suite) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	var content []byte
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request of %s: %w", path, err)
		}
		content = encoded
	}
	address := s.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the request of %s", path), err)
	}
	request.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	return request, nil
}

// refusal is what the suite says about an error, in short.
func refusal(content []byte) string {
	const shown = 300
	var answer struct{ Error, Message string }
	if json.Unmarshal(content, &answer) == nil && cmp.Or(answer.Error, answer.Message) != "" {
		return cmp.Or(answer.Error, answer.Message)
	}
	return string(content[:min(len(content), shown)])
}
