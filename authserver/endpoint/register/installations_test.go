package register_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var (
	retail = registration.Owner{Installation: "retail", Namespace: "team-a", Name: "payments"}
	outlet = registration.Owner{Installation: "outlet", Namespace: "team-a", Name: "payments"}
)

const (
	budget       = "/clients/team-a.budget"
	retailsQuery = "?installation=retail&namespace=team-a&name=payments"
)

func TestABoundCallerActsForItsInstallationsAlone(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.put(body(t, owner, 1, machine()))
	before, err := api.store.Client(t.Context(), "team-a.payments")
	if err != nil {
		t.Fatal(err)
	}
	adopting := encoded(t, registration.Request{Owner: retail, PreviousOwner: &owner, Generation: 2, Metadata: machine()})
	renewing := encoded(t, registration.Request{Owner: owner, PreviousOwner: &retail, Generation: 2, Metadata: machine()})
	const notAllowed, othersClient = registration.InstallationNotAllowed, registration.OwnedByOtherInstallation
	for name, test := range map[string]struct {
		method, target, body string
		want                 oauth.ErrorCode
	}{
		"reads another's client":                {http.MethodGet, payments, "", othersClient},
		"looks for another's client":            {http.MethodHead, payments, "", othersClient},
		"changes a client in another's name":    {http.MethodPut, payments, body(t, owner, 2, machine()), notAllowed},
		"changes another's client":              {http.MethodPut, payments, body(t, retail, 2, machine()), othersClient},
		"adopts another's client":               {http.MethodPut, payments, adopting, notAllowed},
		"adopts in another's name":              {http.MethodPut, payments, renewing, notAllowed},
		"deletes a client in another's name":    {http.MethodDelete, payments + ownedBy, "", notAllowed},
		"deletes another's client":              {http.MethodDelete, payments + retailsQuery, "", othersClient},
		"registers one in another's name":       {http.MethodPut, budget, body(t, owner, 1, machine()), notAllowed},
		"names a part of its installation":      {http.MethodPut, budget, body(t, registration.Owner{Installation: "retai", Namespace: "a", Name: "b"}, 1, machine()), notAllowed},
		"names its installation in capitals":    {http.MethodPut, budget, body(t, registration.Owner{Installation: "RETAIL", Namespace: "a", Name: "b"}, 1, machine()), notAllowed},
		"is told no rule of another's client":   {http.MethodPut, payments, body(t, owner, 2, registration.Metadata{}), notAllowed},
		"deletes in another's name what is not": {http.MethodDelete, budget + ownedBy, "", notAllowed},
	} {
		answer := api.sendAsRetail(test.method, test.target, test.body)
		refusal := decoded[registration.Refusal](t, answer)
		if answer.Code != http.StatusForbidden || refusal.Code != test.want || !strings.Contains(refusal.Description, "boundClientSANs") {
			t.Errorf("a caller that %s: status %d: %s", name, answer.Code, answer.Body)
		}
		if refusal.Owner != nil || answer.Header().Get("ETag") != "" {
			t.Errorf("a caller that %s is told of the client: %s", name, answer.Body)
		}
		line := lastLine(api.log.String())
		for _, said := range []string{"caller refused", retailOperator, test.method, string(test.want)} {
			if !strings.Contains(line, said) {
				t.Errorf("a caller that %s: the audit log does not say %q: %s", name, said, line)
			}
		}
	}
	after, err := api.store.Client(t.Context(), "team-a.payments")
	if difference := cmp.Diff(before, after); err != nil || difference != "" {
		t.Errorf("the other's client is another (%v, -before +after):\n%s", err, difference)
	}
	if _, err := api.store.Client(t.Context(), "team-a.budget"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a client was registered: %v", err)
	}
}

func lastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return lines[len(lines)-1]
}

// A client may go from one of a caller's installations to another, and to nobody else.
func TestABoundCallerHasTheWholeLifeOfItsClients(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	for _, step := range []struct {
		method, target, body string
		want                 int
	}{
		{http.MethodGet, payments, "", http.StatusNotFound},
		{http.MethodPut, payments, body(t, outlet, 1, machine()), http.StatusCreated},
		{http.MethodPut, payments, body(t, outlet, 2, machine()), http.StatusOK},
		{http.MethodGet, payments, "", http.StatusOK},
		{http.MethodPut, payments, body(t, retail, 3, machine()), http.StatusConflict},
		{http.MethodPut, payments, encoded(t, registration.Request{Owner: retail, PreviousOwner: &outlet, Generation: 3, Metadata: machine()}), http.StatusOK},
		{http.MethodDelete, payments + retailsQuery, "", http.StatusNoContent},
		{http.MethodDelete, payments + retailsQuery, "", http.StatusNotFound},
	} {
		if answer := api.sendAsRetail(step.method, step.target, step.body); answer.Code != step.want {
			t.Fatalf("%s %s: status %d, want %d: %s", step.method, step.target, answer.Code, step.want, answer.Body)
		}
	}
}

func TestABoundCallerListsTheClientsOfItsInstallations(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	for i, installation := range []string{"prod", "retail", "prod", "outlet", "retail", "prod"} {
		target := "/clients/team-a." + string(rune('a'+i))
		answer := api.send(http.MethodPut, target, body(t, registration.Owner{Installation: installation, Namespace: "team-a", Name: "x"}, 1, machine()), nil)
		if answer.Code != http.StatusCreated {
			t.Fatalf("status %d: %s", answer.Code, answer.Body)
		}
	}
	for _, limit := range []string{"1", "2", "3", "500"} {
		var listed []string
		cursor := ""
		for more := true; more; more = cursor != "" {
			page := decoded[registration.Page](t, api.sendAsRetail(http.MethodGet, "/clients?limit="+limit+"&cursor="+cursor, ""))
			for _, client := range page.Clients {
				listed = append(listed, client.Owner.Installation+" "+client.ClientID)
			}
			cursor = page.NextCursor
		}
		want := []string{"retail team-a.b", "outlet team-a.d", "retail team-a.e"}
		if difference := cmp.Diff(want, listed); difference != "" {
			t.Errorf("pages of %s (-want +listed):\n%s", limit, difference)
		}
	}
}

func TestWithoutADecisionNobodyActsForAnInstallation(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.handler.Installations = nil
	if answer := api.send(http.MethodPut, payments, body(t, owner, 1, machine()), nil); answer.Code != http.StatusForbidden {
		t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
}
