package register_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/openapitest"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Every route and status of the document is served, in the form that it
// describes, and no other status is seen here.
func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	document := openapitest.Read(t)
	see := func(route string, answer *httptest.ResponseRecorder) {
		t.Helper()
		document.See(t, route, answer)
	}
	const putClient, getClient, deleteClient, listClients = "PUT /clients/{client_id}", "GET /clients/{client_id}", "DELETE /clients/{client_id}", "GET /clients"
	api := newAPI(t)
	good := body(t, owner, 1, machine())
	foreignOwner := "?installation=prod&namespace=team-b&name=payments"

	for method, route := range map[string]string{http.MethodPut: putClient, http.MethodGet: getClient, http.MethodDelete: deleteClient} {
		see(route, api.sendAs(administrator, method, payments, good, nil))
	}
	see(listClients, api.sendAs(administrator, http.MethodGet, "/clients", "", nil))
	see(getClient, api.send(http.MethodGet, payments, "", nil))
	see(putClient, api.send(http.MethodPut, payments, good, nil))
	see(putClient, api.sendAsRetail(http.MethodPut, payments, good))
	see(getClient, api.sendAsRetail(http.MethodGet, payments, ""))
	see(putClient, api.send(http.MethodPut, payments, good, nil))
	see(putClient, api.send(http.MethodPut, payments, "", nil))
	see(putClient, api.send(http.MethodPut, payments, body(t, another, 1, machine()), nil))
	see(putClient, api.send(http.MethodPut, payments, body(t, owner, 2, machine()), http.Header{"If-Match": {`"9"`}}))
	see(putClient, api.send(http.MethodPut, payments, strings.Repeat(" ", registration.MaxBytes+1), nil))
	see(putClient, api.send(http.MethodPut, payments, good, http.Header{"Content-Type": {"text/plain"}}))
	see(putClient, api.send(http.MethodPut, payments, body(t, owner, 2, registration.Metadata{}), nil))
	see(getClient, api.send(http.MethodGet, payments, "", nil))
	see(listClients, api.send(http.MethodGet, "/clients", "", nil))
	see(listClients, api.send(http.MethodGet, "/clients?limit=x", "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments, "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+foreignOwner, "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+ownedBy, "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+ownedBy, "", nil))
	if err := api.store.Close(); err != nil {
		t.Fatal(err)
	}
	see(putClient, api.send(http.MethodPut, payments, good, nil))
	see(getClient, api.send(http.MethodGet, payments, "", nil))
	see(listClients, api.send(http.MethodGet, "/clients", "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+ownedBy, "", nil))
	document.WantAllSeen(t)
}

func TestTheDocumentKnowsEveryMetadataMember(t *testing.T) {
	t.Parallel()
	document := openapitest.Read(t)
	var described, declared []string
	for name := range document.Components.Schemas["Metadata"].Properties {
		described = append(described, name)
	}
	for i := range reflect.TypeFor[registration.Metadata]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[registration.Metadata]().Field(i).Tag.Get("json"), ",")
		declared = append(declared, name)
	}
	slices.Sort(described)
	slices.Sort(declared)
	if difference := cmp.Diff(declared, described); difference != "" {
		t.Errorf("members (-struct +document):\n%s", difference)
	}
}

func TestAFailureTellsNothingInternal(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if err := api.store.Close(); err != nil {
		t.Fatal(err)
	}
	answer := api.send(http.MethodGet, payments, "", nil)
	if text := strings.TrimSpace(answer.Body.String()); answer.Code != http.StatusInternalServerError || text != `{"error":"server_error"}` {
		t.Errorf("status %d: %s", answer.Code, text)
	}
	if !strings.Contains(api.log.String(), "registration request failed") {
		t.Errorf("the cause is not in the log: %s", api.log)
	}
}
