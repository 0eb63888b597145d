package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/openapitest"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
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
	api := newAPI(t)
	for _, id := range []string{"g1", "g2", "g3"} {
		api.grant(id, "bank.shop", "~alice")
	}
	kid := api.withKeys().Signer(jose.ES256).KeyID()
	calls := map[string][2]string{
		"GET /administration/grants":                        {http.MethodGet, grants},
		"DELETE /administration/grants/{grant_id}":          {http.MethodDelete, grants + "/g1"},
		"DELETE /administration/subjects/{sub}/grants":      {http.MethodDelete, ofAlice},
		"DELETE /administration/clients/{client_id}/grants": {http.MethodDelete, toShop},
		"GET /administration/keys":                          {http.MethodGet, serverKeys},
		"DELETE /administration/keys/{kid}":                 {http.MethodDelete, serverKeys + "/" + kid},
	}
	see("GET /administration/grants", api.send(http.MethodGet, grants+"?limit=2"))
	for route, call := range calls {
		see(route, api.send(call[0], call[1]))
		see(route, api.send(call[0], call[1]+"?page=2"))
		see(route, api.sendAs(operator, call[0], call[1]))
	}
	api.must(api.store.Close())
	for route, call := range calls {
		see(route, api.send(call[0], call[1]))
	}
	document.WantAllSeen(t)
}
