package protocol

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

const formType = "application/x-www-form-urlencoded"

// TestBadInput: whatever is posted, the answer is JSON with an error code, a
// client's error and never the server's, and the server goes on.
func TestBadInput(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "honest", keyAndDPoP).Client
	many := strings.Repeat("a=b&", 5000)
	for name, bad := range map[string]struct{ contentType, body string }{
		"empty":                {formType, ""},
		"no-content-type":      {"", "client_id=honest"},
		"JSON":                 {"application/json", `{"client_id":"honest"}`},
		"multipart":            {"multipart/form-data; boundary=x", "--x--"},
		"broken-content-type":  {"application/x-www-form-urlencoded; =", "client_id=honest"},
		"one-MiB":              {formType, "client_id=honest&state=" + strings.Repeat("s", 1<<20)},
		"five-thousand-fields": {formType, many},
		"bad-escape":           {formType, "client_id=%zz"},
		"semicolons":           {formType, "client_id=honest;grant_type=x"},
		"NUL":                  {formType, "client_id=%00&client_assertion=%00"},
		"not-UTF-8":            {formType, "client_id=%ff%fe"},
		"binary":               {formType, "\x00\x01\x02\xff"},
		"client_id-repeated":   {formType, "client_id=honest&client_id=honest"},
		"client_id-huge":       {formType, "client_id=" + strings.Repeat("c", 100_000)},
		"assertion-garbage":    {formType, "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c"},
		"secret":               {formType, "client_id=honest&client_secret=x"},
	} {
		for _, path := range []string{"/par", "/token", "/revoke"} {
			for _, base := range []string{server.Issuer, server.MTLSBaseURL} {
				t.Run(name+path, func(t *testing.T) {
					wantJSONRefusal(t, client, http.MethodPost, base+path, bad.contentType, bad.body)
				})
			}
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodGet, http.MethodDelete, "NONSENSE"} {
		for _, path := range []string{"/par", "/token", "/revoke"} {
			t.Run("par-attempt-invalid-http-method/"+method+path, func(t *testing.T) {
				wantJSONRefusal(t, client, method, server.Issuer+path, formType, "client_id=honest")
			})
		}
	}
	flow(t, server, client)
}

func wantJSONRefusal(t *testing.T, client *fapitest.Client, method, address, contentType, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, text := do(t, client, request, false)
	err = client.JudgeAnswer(fapitest.Answer{
		Step: request.URL.Path, Path: request.URL.Path, Status: response.StatusCode, Header: response.Header, Body: text,
	})
	refusal, ok := errors.AsType[*fapitest.ErrorResponse](err)
	if !ok || refusal.Status >= http.StatusInternalServerError {
		t.Errorf("%d %q: %v", response.StatusCode, text, err)
	}
}

// TestBadPages: what people's browsers may be made to ask.
func TestBadPages(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "honest", keyAndDPoP).Client
	for _, path := range []string{
		"/authorize", "/authorize?%zz", "/authorize?client_id=%00&request_uri=%00", "/authorize?" + strings.Repeat("a=b&", 1000),
		"/interaction/login", "/interaction/consent", "/interaction/consent?interaction=x", "/interaction/nothing", "/nothing",
	} {
		response, body := get(t, client, server.Issuer+path)
		if response.StatusCode < 400 || response.StatusCode >= 500 || len(body) == 0 {
			t.Errorf("%.40s answers %d with %d bytes", path, response.StatusCode, len(body))
		}
		if bytes.Contains(body, []byte("goroutine")) {
			t.Errorf("%.40s shows a stack", path)
		}
	}
}

// TestFormsOfOthers: a consent that another site posts is none.
func TestFormsOfOthers(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "honest", keyAndDPoP).Client
	browser := client.NewBrowser()
	defer browser.Close()
	address, err := client.AuthorizationURL(t.Context(), push(t, client))
	if err != nil {
		t.Fatal(err)
	}
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if page, err = server.Person.LogIn(t.Context(), browser, page); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"decision": {"approve"}, "token": {"guessed"}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page.URL.String(), strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", formType)
	response, _ := do(t, client, request, false)
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign form is answered %d", response.StatusCode)
	}
}

// TestPrivateListener admits the operator's certificate alone.
// TestRefusedRegistrationIsCounted: under each rule that it breaks.
func TestRefusedRegistrationIsCounted(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	metadata := server.Register(t, "honest", keyAndDPoP).Metadata
	metadata.ResponseTypes, metadata.TokenEndpointAuthMethod = []string{"token"}, "none"
	_, err := server.Registrar.Register(t.Context(), metadata.ClientID, registration.NoRevision, registration.Request{
		Owner: registration.Owner{Installation: "test", Namespace: "bank", Name: metadata.ClientID}, Generation: 2, Metadata: metadata,
	})
	if _, refused := errors.AsType[*registration.RejectedError](err); !refused {
		t.Fatalf("want a refusal, got: %v", err)
	}
	metrics, err := server.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"FAPI2-SP-FINAL-5.3.2.2-1", "FAPI2-SP-FINAL-5.3.2.1-3"} {
		if !strings.Contains(metrics, `endpoint="PUT /clients/{client_id}",rule="`+rule+`"`) {
			t.Errorf("%s is not counted", rule)
		}
	}
}

func TestPrivateListener(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "honest", fapitest.Profile{AuthMethod: "tls_client_auth"}).Client
	for name, certificates := range map[string][]tls.Certificate{
		"without certificate": nil, "a client's certificate of the same authority": {*client.Certificate},
	} {
		settings := &tls.Config{RootCAs: server.Authority.Pool(), Time: server.Clock.Now, Certificates: certificates}
		connection, err := tls.Dial("tcp", server.PrivateAddress, settings)
		if err != nil {
			continue
		}
		// With TLS 1.3 the client learns of the refusal when it reads.
		_, err = io.WriteString(connection, "GET /clients HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err == nil {
			_, err = connection.Read(make([]byte, 1))
		}
		if err == nil {
			t.Errorf("%s: the private listener answers", name)
		}
		_ = connection.Close() // It is broken already.
	}
}

// TestNothingSecretIsLogged: a whole flow leaves none of its secrets in the log.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "honest", keyAndDPoP).Client
	authorization, issued := code(t, server, client)
	tokens, err := client.Redeem(t.Context(), authorization, issued)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = client.Redeem(t.Context(), authorization, issued) // A refusal is logged, too.
	log := server.Log()
	for name, secret := range map[string]string{
		"code": issued, "access token": tokens.AccessToken, "refresh token": tokens.RefreshToken, "ID token": tokens.IDToken,
		"verifier": authorization.CodeVerifier, "password": server.Person.Password, "request_uri": authorization.Pushed.RequestURI,
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows the %s", name)
		}
	}
	if !strings.Contains(log, "FAPI2-SP-FINAL-5.3.2.2-9") {
		t.Error("the log does not name the rule that the second use of the code breaks")
	}
}
