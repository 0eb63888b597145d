package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/admin"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

func TestAGrantIsListedWithoutCredentials(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.grant("g1", "bank.shop", "~alice")
	response := api.send(http.MethodGet, grants)
	want := admin.Page{Grants: []admin.Grant{{
		ID: "g1", ClientID: "bank.shop", Subject: "~alice", Scope: "openid accounts",
		AuthorizationDetails: json.RawMessage(details), CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}}}
	if difference := cmp.Diff(want, decoded[admin.Page](t, response)); response.Code != http.StatusOK || difference != "" {
		t.Errorf("status %d (-want +got):\n%s", response.Code, difference)
	}
	if strings.Contains(response.Body.String(), "confidential") {
		t.Errorf("the list tells of the request: %s", response.Body)
	}
}

func TestGrantsAreListedInPagesAndByWhose(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if page := decoded[map[string]any](t, api.send(http.MethodGet, grants)); cmp.Diff(map[string]any{"grants": []any{}}, page) != "" {
		t.Errorf("the empty list is %v", page)
	}
	for i := range 3 {
		api.grant(fmt.Sprintf("a%d", i), "bank.shop", "~alice")
		api.grant(fmt.Sprintf("b%d", i), "bank.shop", "~bob")
		api.grant(fmt.Sprintf("c%d", i), "bank.budget", "~alice")
	}
	for filter, want := range map[string]string{
		"":                                 "a0 a1 a2 b0 b1 b2 c0 c1 c2",
		"sub=~alice":                       "a0 a1 a2 c0 c1 c2",
		"client_id=bank.shop":              "a0 a1 a2 b0 b1 b2",
		"sub=~alice&client_id=bank.budget": "c0 c1 c2",
		"sub=~nobody":                      "",
	} {
		for _, limit := range []int{1, 2, 3, 9, 500} {
			var got []string
			cursor := ""
			for more := true; more; more = cursor != "" {
				page := decoded[admin.Page](t, api.send(http.MethodGet, fmt.Sprintf("%s?%s&limit=%d&cursor=%s", grants, filter, limit, cursor)))
				for _, grant := range page.Grants {
					got = append(got, grant.ID)
				}
				cursor = page.NextCursor
			}
			if strings.Join(got, " ") != want {
				t.Errorf("filter %q, limit %d: listed %v, want %s", filter, limit, got, want)
			}
		}
	}
}

func TestARevocationTellsWhatItHasEndedAndEndsItOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target string
		want   map[string]float64
		remain []string
	}{
		"grant":   {grants + "/a-shop", map[string]float64{"grants_revoked": 1}, []string{"a-budget", "b-shop"}},
		"client":  {toShop, map[string]float64{"grants_revoked": 2}, []string{"a-budget"}},
		"subject": {ofAlice, map[string]float64{"grants_revoked": 2, "sessions_ended": 2, "interactions_ended": 1}, []string{"b-shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t)
			api.grant("a-shop", "bank.shop", "~alice")
			api.grant("a-budget", "bank.budget", "~alice")
			api.grant("b-shop", "bank.shop", "~bob")
			api.session("one", "~alice")
			api.session("two", "~alice")
			visit := api.interact("undecided", store.AuthorizationRequest{ClientID: "bank.shop"})
			api.must(api.store.AuthenticateInteraction(t.Context(), visit, store.Authentication{Subject: "~alice"}, now))
			bob := api.session("bob's", "~bob")

			response := api.send(http.MethodDelete, test.target)
			if difference := cmp.Diff(test.want, decoded[map[string]float64](t, response)); response.Code != http.StatusOK || difference != "" {
				t.Errorf("status %d (-want +got):\n%s", response.Code, difference)
			}
			if remain := api.inForce("a-budget", "a-shop", "b-shop"); cmp.Diff(test.remain, remain) != "" {
				t.Errorf("in force remain %v, want %v", remain, test.remain)
			}
			if _, err := api.store.Session(t.Context(), bob, now); err != nil {
				t.Errorf("another person's session: %v", err)
			}
			for what, count := range decoded[map[string]float64](t, api.send(http.MethodDelete, test.target)) {
				if count != 0 {
					t.Errorf("the second time %s is %v", what, count)
				}
			}
		})
	}
}

// More than one batch holds ends in one call.
func TestEveryGrantOfAPersonEndsInOneCall(t *testing.T) {
	t.Parallel()
	const many = 201
	api := newAPI(t)
	for i := range many {
		api.grant(fmt.Sprint(i), "bank.shop", "~alice")
	}
	if revoked := decoded[admin.SubjectRevoked](t, api.send(http.MethodDelete, ofAlice)); revoked.Grants != many {
		t.Errorf("%d grants ended", revoked.Grants)
	}
}

func TestOnlyAdministratorsAdminister(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.grant("g1", "bank.shop", "~alice")
	for _, call := range [][2]string{
		{http.MethodGet, grants}, {http.MethodDelete, grants + "/g1"}, {http.MethodDelete, ofAlice}, {http.MethodDelete, toShop},
		{http.MethodGet, serverKeys}, {http.MethodDelete, serverKeys + "/kid"},
	} {
		response := api.sendAs(operator, call[0], call[1])
		refusal := decoded[registration.Refusal](t, response)
		if response.Code != http.StatusForbidden || refusal.Code != registration.CallerNotListed || !strings.Contains(refusal.Description, "administratorSANs") {
			t.Errorf("%v: status %d: %s", call, response.Code, response.Body)
		}
	}
	response := httptest.NewRecorder()
	api.handler.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), http.MethodDelete, toShop, nil))
	if response.Code != http.StatusForbidden {
		t.Errorf("without a certificate: status %d", response.Code)
	}
	if len(api.inForce("g1")) != 1 {
		t.Error("a grant was revoked by somebody else than an administrator")
	}
}

// Nobody administers where nobody is said to.
func TestWithoutAListNobodyAdministers(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.handler.Callers = nil
	if response := api.send(http.MethodGet, grants); response.Code != http.StatusForbidden {
		t.Errorf("status %d", response.Code)
	}
}

func TestBadInputIsRefusedAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.grant("g1", "bank.shop", "~alice")
	for name, test := range map[string]struct {
		method, target string
		status         int
		says           string
	}{
		"foreign cursor":             {"GET", grants + "?cursor=***", 400, "cursor"},
		"no page":                    {"GET", grants + "?limit=0", 400, "limit"},
		"huge page":                  {"GET", grants + "?limit=501", 400, "limit"},
		"another filter":             {"GET", grants + "?subject=~alice", 400, "known are"},
		"filter twice":               {"GET", grants + "?sub=~alice&sub=~bob", 400, "more than once"},
		"malformed query":            {"GET", grants + "?sub=%zz", 400, "query"},
		"revocation with a filter":   {"DELETE", toShop + "?sub=~alice", 400, "known are"},
		"person with a filter":       {"DELETE", ofAlice + "?client_id=bank.shop", 400, "known are"},
		"grant with a filter":        {"DELETE", grants + "/g1?sub=~bob", 400, "known are"},
		"revocation of everything":   {"DELETE", grants, 405, "GET"},
		"reading one":                {"GET", grants + "/g1", 405, "DELETE"},
		"revocation by POST":         {"POST", ofAlice, 405, "DELETE"},
		"dropping every key":         {"DELETE", serverKeys, 405, "GET"},
		"reading one key":            {"GET", serverKeys + "/kid", 405, "DELETE"},
		"keys with a filter":         {"GET", serverKeys + "?use=sig", 400, "known are"},
		"a key with a filter":        {"DELETE", serverKeys + "/kid?force=true", 400, "known are"},
		"unknown path":               {"GET", "/administration/clients", 404, grants},
		"revocation of nobody's":     {"DELETE", "/administration/subjects//grants", 0, ""},
		"a person that looks like a": {"DELETE", "/administration/subjects/" + url.PathEscape("../clients/bank.shop") + "/grants", 200, ""},
	} {
		response := api.send(test.method, test.target)
		if test.status == 0 {
			if response.Code < 300 {
				t.Errorf("%s: status %d", name, response.Code)
			}
			continue
		}
		if response.Code != test.status || !strings.Contains(response.Body.String(), test.says) {
			t.Errorf("%s: status %d, want %d ...%s...: %s", name, response.Code, test.status, test.says, response.Body)
		}
	}
	if len(api.inForce("g1")) != 1 {
		t.Error("bad input has revoked a grant")
	}
}

func TestEveryCallIsRecorded(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.grant("g1", "bank.shop", "~alice")
	api.grant("g2", "bank.shop", "~bob")
	api.session("browser", "~alice")
	api.send(http.MethodGet, grants+"?sub=~alice")
	api.send(http.MethodDelete, ofAlice)
	api.send(http.MethodDelete, toShop)
	api.send(http.MethodDelete, grants+"/g1")
	api.send(http.MethodGet, grants+"?limit=x")
	api.send(http.MethodPost, grants)
	api.sendAs(operator, http.MethodDelete, ofAlice)
	api.must(api.store.Close())
	api.send(http.MethodDelete, ofAlice)

	lines := strings.Split(strings.TrimSpace(api.log.String()), "\n")
	wanted := [][]string{
		{administrator, "operation=listGrants", "sub=~alice", "outcome=done", "grants_listed=1"},
		{administrator, "operation=revokeGrantsOfSubject", "sub=~alice", "outcome=done", "grants_revoked=1", "sessions_ended=1", "interactions_ended=0"},
		{administrator, "operation=revokeGrantsOfClient", "client_id=bank.shop", "outcome=done", "grants_revoked=1"},
		{administrator, "operation=revokeGrant", "grant_id=g1", "outcome=done", "grants_revoked=0"},
		{administrator, "operation=listGrants", "outcome=refused", "error=invalid_request"},
		{administrator, "operation=unknown", "method=POST", "outcome=refused", "error=method_not_allowed"},
		{operator, "operation=revokeGrantsOfSubject", "sub=~alice", "outcome=refused", "error=caller_not_listed"},
		{administrator, "level=ERROR", "operation=revokeGrantsOfSubject", "sub=~alice", "outcome=failed", "cause=", "grants_revoked=0"},
	}
	if len(lines) != len(wanted) {
		t.Fatalf("%d records:\n%s", len(lines), api.log)
	}
	for i, passages := range wanted {
		for _, passage := range append(passages, "msg=administration", "caller.svc") {
			if !strings.Contains(lines[i], passage) {
				t.Errorf("%s is not in: %s", passage, lines[i])
			}
		}
	}
	for _, secret := range []string{"-secret-of-", "confidential"} {
		if strings.Contains(api.log.String(), secret) {
			t.Errorf("a record holds %s", secret)
		}
	}
}

func TestAFailureTellsNothingInternal(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.must(api.store.Close())
	answer := api.send(http.MethodGet, grants)
	if text := strings.TrimSpace(answer.Body.String()); answer.Code != http.StatusInternalServerError || text != `{"error":"server_error"}` {
		t.Errorf("status %d: %s", answer.Code, text)
	}
}
