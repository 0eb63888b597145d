package protocol

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestAccessTokenInTheBodyIsRefused, also beside one in the header: two readers
// must not take two different tokens (RFC 6750, 2).
func TestAccessTokenInTheBodyIsRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndMTLS)
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int{"access_token=" + tokens.AccessToken: http.StatusBadRequest, "a=b": http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.MTLSBaseURL+"/userinfo", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", formType)
		request.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		if answered, text := do(t, client.Client, request, true); answered.StatusCode != want {
			t.Errorf("the body %.20q is answered %d %s, want %d", body, answered.StatusCode, text, want)
		}
	}
}
