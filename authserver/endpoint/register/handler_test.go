package register_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestAClientIsRegisteredReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	api := newAPI(t)

	response := api.send(http.MethodPut, payments, body(t, owner, 1, machine()), http.Header{"If-None-Match": {"*"}})
	if response.Code != http.StatusCreated || response.Header().Get("ETag") != `"1"` || response.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, header %v: %s", response.Code, response.Header(), response.Body)
	}
	stated := machine()
	stated.ClientID = "team-a.payments"
	hash, err := registration.ContentHash(stated)
	if err != nil {
		t.Fatal(err)
	}
	want := registration.Record{
		Summary:  registration.Summary{ClientID: stated.ClientID, Owner: owner, Generation: 1, Revision: 1, ContentHash: hash},
		Issuer:   issuer,
		Metadata: stated.WithDefaults(),
	}
	created := decoded[registration.Record](t, response)
	if difference := cmp.Diff(want, created); difference != "" {
		t.Errorf("record (-want +got):\n%s", difference)
	}
	read := decoded[registration.Record](t, api.send(http.MethodGet, payments, "", nil))
	if difference := cmp.Diff(created, read); difference != "" {
		t.Errorf("record read (-created +read):\n%s", difference)
	}

	changed := machine()
	changed.Scope = "payments accounts"
	response = api.send(http.MethodPut, payments, body(t, owner, 2, changed), http.Header{"If-Match": {`"1"`}})
	if record := decoded[registration.Record](t, response); response.Code != http.StatusOK || record.Revision <= 1 || record.Metadata.Scope != changed.Scope {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}

	for _, status := range []int{http.StatusNoContent, http.StatusNotFound} {
		if response := api.send(http.MethodDelete, payments+ownedBy, "", nil); response.Code != status {
			t.Errorf("deletion: status %d, want %d", response.Code, status)
		}
	}
	response = api.send(http.MethodGet, payments, "", nil)
	refusal := decoded[registration.Refusal](t, response)
	if response.Code != http.StatusNotFound || refusal.Code != registration.ClientNotFound || refusal.ClientID != "team-a.payments" {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}

func TestRegisteringTheSameAgainChangesNothing(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	first := api.put(body(t, owner, 1, machine()))
	lines := strings.Count(api.log.String(), "\n")
	second := api.put(body(t, owner, 1, machine()))
	if difference := cmp.Diff(first, second); difference != "" {
		t.Errorf("record (-first +second):\n%s", difference)
	}
	if strings.Count(api.log.String(), "\n") != lines {
		t.Errorf("the audit log tells of a change:\n%s", api.log)
	}
}

func TestAClientBelongsToItsOwner(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.put(body(t, owner, 1, machine()))
	for name, response := range map[string]int{
		"replace": api.send(http.MethodPut, payments, body(t, another, 9, machine()), nil).Code,
		"delete":  api.send(http.MethodDelete, payments+"?installation=prod&namespace=team-b&name=payments", "", nil).Code,
	} {
		if response != http.StatusConflict {
			t.Errorf("%s: status %d", name, response)
		}
	}
	refusal := decoded[registration.Refusal](t, api.send(http.MethodPut, payments, body(t, another, 9, machine()), nil))
	if refusal.Code != registration.OwnedByAnother || refusal.Owner == nil || *refusal.Owner != owner {
		t.Errorf("the refusal does not name the owner: %+v", refusal)
	}
}

func TestAClientIsTakenOverFromTheOwnerThatIsNamed(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.put(body(t, owner, 1, machine()))
	request := registration.Request{Owner: another, PreviousOwner: &another, Generation: 1, Metadata: machine()}
	if response := api.send(http.MethodPut, payments, encoded(t, request), nil); response.Code != http.StatusConflict {
		t.Errorf("taken over from somebody else: status %d", response.Code)
	}
	request.PreviousOwner = &registration.Owner{Installation: "prod"}
	if response := api.send(http.MethodPut, payments, encoded(t, request), nil); response.Code != http.StatusBadRequest {
		t.Errorf("a part of an owner: status %d", response.Code)
	}
	request.PreviousOwner = &owner
	record := decoded[registration.Record](t, api.send(http.MethodPut, payments, encoded(t, request), nil))
	if record.Owner != another {
		t.Errorf("the client is %s's", record.Owner)
	}
	if response := api.send(http.MethodPut, payments, body(t, owner, 2, machine()), nil); response.Code != http.StatusConflict {
		t.Errorf("the previous owner's next write: status %d", response.Code)
	}
	if line := `msg="client taken over"`; !strings.Contains(api.log.String(), line) || !strings.Contains(api.log.String(), "previous_owner="+owner.String()) {
		t.Errorf("the audit log lacks %s", line)
	}
}

func TestPreconditionsGuardAgainstLostChanges(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.put(body(t, owner, 1, machine()))
	changed := body(t, owner, 2, machine())
	for name, test := range map[string]struct {
		target string
		header http.Header
	}{
		"create what is there":      {payments, http.Header{"If-None-Match": {"*"}}},
		"replace another revision":  {payments, http.Header{"If-Match": {`"77"`}}},
		"replace what is not there": {"/clients/team-a.absent", http.Header{"If-Match": {`"1"`}}},
	} {
		response := api.send(http.MethodPut, test.target, changed, test.header)
		if response.Code != http.StatusPreconditionFailed || decoded[registration.Refusal](t, response).Code != registration.PreconditionFailed {
			t.Errorf("%s: status %d: %s", name, response.Code, response.Body)
		}
	}
}

func TestBadInputIsRefusedAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	good := body(t, owner, 1, machine())
	edited := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the body does not contain %s: %s", from, good)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, test := range map[string]struct {
		method, target, body string
		header               http.Header
		status               int
		says                 string
	}{
		"no body":              {"PUT", payments, "", nil, 400, "empty"},
		"garbage":              {"PUT", payments, "\x00\xff{", nil, 400, "JSON"},
		"a list":               {"PUT", payments, "[]", nil, 400, "JSON"},
		"two documents":        {"PUT", payments, good + good, nil, 400, "JSON"},
		"deep nesting":         {"PUT", payments, strings.Repeat("[", 100000), nil, 400, "JSON"},
		"unknown member":       {"PUT", payments, edited(`"metadata":{`, `"metadata":{"redirect_url":"x",`), nil, 400, "redirect_url"},
		"member twice":         {"PUT", payments, edited(`"metadata":{`, `"metadata":{"scope":"x",`), nil, 400, "scope"},
		"wrong type":           {"PUT", payments, edited(`"scope":"payments"`, `"scope":["payments"]`), nil, 400, "scope"},
		"no owner":             {"PUT", payments, edited(`"namespace":"team-a",`, ""), nil, 400, "owner's namespace"},
		"ambiguous owner":      {"PUT", payments, edited(`"name":"payments"`, `"name":"a/b"`), nil, 400, "owner's name"},
		"negative generation":  {"PUT", payments, edited(`"generation":1`, `"generation":-1`), nil, 400, "generation"},
		"another client_id":    {"PUT", payments, edited(`"metadata":{`, `"metadata":{"client_id":"team-b.x",`), nil, 400, "client_id"},
		"too large":            {"PUT", payments, strings.Repeat(" ", registration.MaxBytes+1), nil, 413, "bytes"},
		"form":                 {"PUT", payments, good, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415, "application/json"},
		"no content type":      {"PUT", payments, good, http.Header{"Content-Type": nil}, 415, "application/json"},
		"weak ETag":            {"PUT", payments, good, http.Header{"If-Match": {`W/"1"`}}, 400, "If-Match"},
		"bare ETag":            {"PUT", payments, good, http.Header{"If-Match": {`1`}}, 400, "If-Match"},
		"any ETag":             {"PUT", payments, good, http.Header{"If-Match": {`*`}}, 400, "If-Match"},
		"revision as unless":   {"PUT", payments, good, http.Header{"If-None-Match": {`"1"`}}, 400, "If-None-Match"},
		"both preconditions":   {"PUT", payments, good, http.Header{"If-None-Match": {"*"}, "If-Match": {`"1"`}}, 400, "one of"},
		"foreign cursor":       {"GET", "/clients?cursor=***", "", nil, 400, "cursor"},
		"no page":              {"GET", "/clients?limit=0", "", nil, 400, "limit"},
		"huge page":            {"GET", "/clients?limit=501", "", nil, 400, "limit"},
		"page of words":        {"GET", "/clients?limit=all", "", nil, 400, "limit"},
		"limit twice":          {"GET", "/clients?limit=1&limit=2", "", nil, 400, "more than once"},
		"unknown parameter":    {"GET", "/clients?page=2", "", nil, 400, "known are"},
		"malformed query":      {"GET", "/clients?limit=%zz", "", nil, 400, "query"},
		"deletion by nobody":   {"DELETE", payments, "", nil, 400, "owner's installation"},
		"method on a client":   {"POST", payments, good, nil, 405, "PUT"},
		"method on the list":   {"DELETE", "/clients", "", nil, 405, "GET"},
		"unknown path":         {"GET", "/client", "", nil, 404, "/clients"},
		"path below a client":  {"GET", payments + "/keys", "", nil, 404, "/clients"},
		"no client in path":    {"PUT", "/clients/", good, nil, 404, "/clients"},
		"client that is a URL": {"GET", "/clients/" + url.PathEscape("https://a/b?c#d"), "", nil, 404, "no such client"},
	} {
		response := api.send(test.method, test.target, test.body, test.header)
		refusal := decoded[registration.Refusal](t, response)
		if response.Code != test.status || refusal.Code == "" || !strings.Contains(refusal.Description, test.says) {
			t.Errorf("%s: status %d, want %d ...%s...: %.300s", name, response.Code, test.status, test.says, response.Body)
		}
	}
	if response := api.send(http.MethodPost, payments, "", nil); response.Header().Get("Allow") != "GET, HEAD, PUT, DELETE" {
		t.Errorf("Allow %q", response.Header().Get("Allow"))
	}
}

// The endpoint names the same rules as the rule book, all at once.
func TestTheVectorsGetTheSameVerdict(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	for _, vector := range vectors.Registration() {
		var named struct {
			ClientID string `json:"client_id"`
		}
		if err := json.Unmarshal(vector.Metadata, &named); err != nil {
			t.Fatalf("%s: %v", vector.Name, err)
		}
		if named.ClientID == "" {
			continue // the path names the client, so this cannot be said here
		}
		request := fmt.Sprintf(`{"owner":{"installation":"prod","namespace":"team-a","name":"payments"},"metadata":%s}`, vector.Metadata)
		response := api.send(http.MethodPut, "/clients/"+url.PathEscape(named.ClientID), request, nil)
		if len(vector.Breaks) == 0 {
			if response.Code != http.StatusCreated && response.Code != http.StatusOK {
				t.Errorf("%s: status %d: %s", vector.Name, response.Code, response.Body)
			}
			continue
		}
		refusal := decoded[registration.Refusal](t, response)
		rules := (&registration.RejectedError{Violations: refusal.Violations}).Rules()
		if difference := cmp.Diff(vector.Breaks, rules); response.Code != http.StatusUnprocessableEntity || difference != "" {
			t.Errorf("%s: status %d %s, rules (-want +got):\n%s", vector.Name, response.Code, refusal.Description, difference)
		}
	}
}

func TestTheErrorCodeIsThatOfRFC7591(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	onlyRedirect := machine()
	onlyRedirect.GrantTypes = []string{"authorization_code"}
	onlyRedirect.RedirectURIs = []string{"http://app.example/callback"}
	more := onlyRedirect
	more.CodeChallengeMethod = "plain"
	for want, metadata := range map[oauth.ErrorCode]registration.Metadata{oauth.InvalidRedirectURI: onlyRedirect, oauth.InvalidClientMetadata: more} {
		response := api.send(http.MethodPut, payments, body(t, owner, 1, metadata), nil)
		if got := decoded[registration.Refusal](t, response).Code; got != want {
			t.Errorf("got %s, want %s: %s", got, want, response.Body)
		}
	}
}

// As long as the revision stays, nobody needs to read the listing again.
func TestTheListingTellsItsRevision(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	revision := func() int64 {
		page := decoded[registration.Page](t, api.send(http.MethodGet, "/clients?limit=1", "", nil))
		if page.Issuer != issuer {
			t.Errorf("issuer %q", page.Issuer)
		}
		return page.Revision
	}
	empty := revision()
	registered := api.put(body(t, owner, 1, machine())).Revision
	if got := revision(); empty != 0 || got != registered {
		t.Errorf("revision %d, then %d; want 0, then %d", empty, got, registered)
	}
	api.send(http.MethodDelete, payments+ownedBy, "", nil)
	if got := revision(); got <= registered {
		t.Errorf("the deletion left the revision at %d", got)
	}
}

func TestTheListingIsPaged(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if page := decoded[map[string]json.RawMessage](t, api.send(http.MethodGet, "/clients", "", nil)); string(page["clients"]) != "[]" {
		t.Errorf("the empty listing is %s", page)
	}
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("team-a.client-%d", i)
		want = append(want, id)
		if response := api.send(http.MethodPut, "/clients/"+id, body(t, owner, 1, machine()), nil); response.Code != http.StatusCreated {
			t.Fatalf("status %d: %s", response.Code, response.Body)
		}
	}
	for _, limit := range []int{1, 3, 6, 7, 8} {
		var got []string
		cursor, pages := "", 0
		for more := true; more; more = cursor != "" {
			page := decoded[registration.Page](t, api.send(http.MethodGet, fmt.Sprintf("/clients?limit=%d&cursor=%s", limit, cursor), "", nil))
			for _, client := range page.Clients {
				got = append(got, client.ClientID)
			}
			cursor = page.NextCursor
			pages++
		}
		if difference := cmp.Diff(want, got); difference != "" || pages != (len(want)+limit-1)/limit {
			t.Errorf("limit %d: %d pages (-want +got):\n%s", limit, pages, difference)
		}
	}
}

func TestTheAuditLogSaysWhoChangedWhat(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.put(body(t, owner, 1, machine()))
	changed := machine()
	changed.Scope = "accounts"
	changed.ClientName = "Confidential Name"
	api.put(body(t, owner, 2, changed))
	refused := machine()
	refused.TokenEndpointAuthMethod = "client_secret_basic"
	api.send(http.MethodPut, payments, body(t, owner, 3, refused), nil)
	api.send(http.MethodDelete, payments+ownedBy, "", nil)

	lines := strings.Split(strings.TrimSpace(api.log.String()), "\n")
	wanted := [][]string{
		{`msg="client registered"`, "revision=1", "previous_revision=0", "owner=prod/team-a/payments", "generation=1"},
		{`msg="client changed"`, "revision=2", "previous_revision=1", `members="[client_name scope]"`},
		{`msg="client change refused"`, "status=422", "error=invalid_client_metadata", "rules="},
		{`msg="client deleted"`, "previous_revision=2"},
	}
	if len(lines) != len(wanted) {
		t.Fatalf("%d lines:\n%s", len(lines), api.log)
	}
	for i, passages := range wanted {
		for _, passage := range append(passages, operator, "operator.svc", "client_id=team-a.payments") {
			if !strings.Contains(lines[i], passage) {
				t.Errorf("%s is not in: %s", passage, lines[i])
			}
		}
	}
	if strings.Contains(api.log.String(), "Confidential") {
		t.Error("the log holds values")
	}
}
