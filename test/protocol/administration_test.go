package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// An administrator ends a grant, all of a client's, or all of a person's: from
// the answer on, nothing that hangs on it is served any more, and what hangs on
// another grant is.
func TestRevocationByAnAdministrator(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	administrator := server.PrivateCaller(t, fapitest.AdministratorSAN)
	revoke := func(target string, want float64) {
		t.Helper()
		status, answer, err := server.Private(t, administrator, http.MethodDelete, "/administration"+target)
		if err != nil || status != http.StatusOK || answer["grants_revoked"] != want {
			t.Fatalf("revoking %s: status %d, %v, %v", target, status, answer, err)
		}
	}
	client := server.Register(t, "bank.shop", keyAndDPoP).Client
	other := server.Register(t, "bank.budget", keyAndMTLS).Client
	ended, remaining := flow(t, server, client), flow(t, server, other)
	listed := listGrants(t, server, administrator, "?client_id=bank.shop")
	if len(listed) != 1 {
		t.Fatalf("listed are %v", listed)
	}
	subject, _ := listed[0]["sub"].(string)
	id, _ := listed[0]["grant_id"].(string)
	wantNoCredential(t, listed, ended)

	revoke("/grants/"+id, 1)
	wantEnded(t, client, ended)
	revoke("/grants/"+id, 0)
	wantUserInfo(t, other, remaining.AccessToken)

	ended = flow(t, server, client)
	revoke("/clients/bank.shop/grants", 1)
	wantEnded(t, client, ended)
	wantUserInfo(t, other, remaining.AccessToken)

	ended = flow(t, server, client)
	revoke("/subjects/"+url.PathEscape(subject)+"/grants", 2)
	wantEnded(t, client, ended)
	wantEnded(t, other, remaining)
	if listed := listGrants(t, server, administrator, ""); len(listed) != 0 {
		t.Errorf("still listed are %v", listed)
	}
	// The person and the clients may begin again.
	wantUserInfo(t, client, flow(t, server, client).AccessToken)
}

func listGrants(t *testing.T, server *fapitest.Server, caller *http.Client, query string) []map[string]any {
	t.Helper()
	status, answer, err := server.Private(t, caller, http.MethodGet, "/administration/grants"+query)
	if err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v, %v", status, answer, err)
	}
	all, _ := answer["grants"].([]any)
	var listed []map[string]any
	for _, one := range all {
		grant, _ := one.(map[string]any)
		listed = append(listed, grant)
	}
	return listed
}

func wantNoCredential(t *testing.T, listed []map[string]any, tokens fapitest.TokenResponse) {
	t.Helper()
	for _, grant := range listed {
		for member, value := range grant {
			text, _ := value.(string)
			if text == tokens.RefreshToken || strings.Contains(tokens.AccessToken, text) && len(text) > 100 {
				t.Errorf("%s is a credential", member)
			}
		}
	}
}

// wantEnded checks that introspection, userinfo and the token endpoint refuse
// what hangs on a grant.
func wantEnded(t *testing.T, client *fapitest.Client, tokens fapitest.TokenResponse) {
	t.Helper()
	wantIntrospection(t, client, tokens.AccessToken, inactive)
	wantIntrospection(t, client, tokens.RefreshToken, inactive)
	_, err := client.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized})
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
}

// A browser that is logged in asks for the password again once the person's
// grants were revoked, and a consent page that stands open leads nowhere.
func TestRevokingAPersonsGrantsLogsThePersonOut(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.shop", keyAndDPoP).Client
	browser := client.NewBrowser()
	t.Cleanup(browser.Close)
	open := func() *fapitest.Page {
		t.Helper()
		address, err := client.AuthorizationURL(t.Context(), push(t, client))
		if err != nil {
			t.Fatal(err)
		}
		page, err := browser.Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	consent, err := server.Person.LogIn(t.Context(), browser, open())
	if err != nil {
		t.Fatal(err)
	}
	if page := open(); page.Has("login") || !page.Has("approve") {
		t.Fatal("the browser is not logged in")
	}
	callback, err := server.Person.Decide(t.Context(), browser, consent)
	if err != nil || callback.Callback == nil {
		t.Fatalf("the person could not consent: %v", err)
	}
	undecided := open()

	administrator := server.PrivateCaller(t, fapitest.AdministratorSAN)
	subject, _ := listGrants(t, server, administrator, "")[0]["sub"].(string)
	status, answer, err := server.Private(t, administrator, http.MethodDelete, "/administration/subjects/"+url.PathEscape(subject)+"/grants")
	if err != nil || status != http.StatusOK || answer["grants_revoked"] != 1.0 || answer["sessions_ended"] != 1.0 || answer["interactions_ended"] != 2.0 {
		t.Fatalf("status %d, %v, %v", status, answer, err)
	}
	if page, err := server.Person.Decide(t.Context(), browser, undecided); err != nil || page.Callback != nil {
		t.Errorf("the open consent page led to %v, %v", page.Callback, err)
	}
	if page := open(); !page.Has("login") {
		t.Error("the browser is still logged in")
	}
}

// Registration is the operator's and administration the administrator's; nobody
// else reaches the listener at all.
func TestNobodyDoesAnothersWorkAtThePrivateListener(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	operator, administrator := server.PrivateCaller(t, fapitest.OperatorSAN), server.PrivateCaller(t, fapitest.AdministratorSAN)
	got := map[string]int{}
	bound := server.PrivateCaller(t, fapitest.EastSAN)
	for name, caller := range map[string]*http.Client{"operator": operator, "bound operator": bound, "administrator": administrator} {
		for _, target := range []string{"/clients", "/administration/grants"} {
			status, _, err := server.Private(t, caller, http.MethodGet, target)
			if err != nil {
				t.Fatal(err)
			}
			got[name+" "+target] = status
		}
	}
	want := map[string]int{
		"operator /clients": 200, "operator /administration/grants": 403,
		"bound operator /clients": 200, "bound operator /administration/grants": 403,
		"administrator /clients": 403, "administrator /administration/grants": 200,
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("(-want +got):\n%s", difference)
	}
	if _, _, err := server.Private(t, server.PrivateCaller(t, "urn:example:stranger"), http.MethodGet, "/administration/grants"); err == nil {
		t.Error("a stranger reached the private listener")
	}
}

// What no rule is about is counted as that, and not under an empty rule, which
// Prometheus takes for a label that is not there.
func TestWhatNoRuleIsAboutIsCountedAsThat(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.shop", keyAndDPoP)
	if err := server.Registrar.Delete(t.Context(), client.ClientID, registration.Owner{Installation: "another", Namespace: "bank", Name: "shop"}); err == nil {
		t.Fatal("somebody else deleted the client")
	}
	administrator := server.PrivateCaller(t, fapitest.AdministratorSAN)
	if status, _, err := server.Private(t, administrator, http.MethodPost, "/administration/keys"); err != nil || status != http.StatusMethodNotAllowed {
		t.Fatalf("status %d, %v", status, err)
	}
	metrics, err := server.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range []string{
		`authserver_refusals_total{code="owned_by_another",endpoint="DELETE /clients/{client_id}",rule="none"} 1`,
		`authserver_refusals_total{code="method_not_allowed",endpoint="/administration/keys",rule="none"} 1`,
	} {
		if !strings.Contains(metrics, series) {
			t.Errorf("the metrics lack %s:\n%s", series, metrics)
		}
	}
}
