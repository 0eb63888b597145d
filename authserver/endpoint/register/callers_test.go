package register_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestOnlyListedCallersRegister(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	good := body(t, owner, 1, machine())
	for _, test := range []struct{ method, target string }{
		{http.MethodPut, payments}, {http.MethodGet, payments}, {http.MethodDelete, payments + ownedBy}, {http.MethodGet, "/clients"},
	} {
		response := api.sendAs(administrator, test.method, test.target, good, nil)
		refusal := decoded[registration.Refusal](t, response)
		if response.Code != http.StatusForbidden || refusal.Code != registration.CallerNotListed || !strings.Contains(refusal.Description, "allowedClientSANs") {
			t.Errorf("%s %s: status %d: %s", test.method, test.target, response.Code, response.Body)
		}
	}
	if _, err := api.store.Client(t.Context(), "team-a.payments"); err == nil {
		t.Error("an administrator registered a client")
	}
	if told := strings.Count(api.log.String(), administrator); told != 4 {
		t.Errorf("the audit log names the caller %d times:\n%s", told, api.log)
	}
}

func TestACallerWithoutACertificateIsRefused(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	response := httptest.NewRecorder()
	api.handler.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clients", nil))
	if response.Code != http.StatusForbidden {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}
