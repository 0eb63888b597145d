package protocol

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// protectedResource is one place where access tokens are taken.
type protectedResource struct {
	step string
	call func(context.Context, *fapitest.Client, string) error
}

// protectedResources are the server's own userinfo endpoint, and an API elsewhere.
func protectedResources(api *fapitest.Accounts) map[string]protectedResource {
	return map[string]protectedResource{
		"userinfo": {fapitest.StepUserinfo, func(ctx context.Context, client *fapitest.Client, token string) error {
			_, err := client.UserInfo(ctx, token)
			return err
		}},
		"accounts": {fapitest.StepAccounts, func(ctx context.Context, client *fapitest.Client, token string) error {
			_, err := client.GetAccounts(ctx, api.URL, token)
			return err
		}},
	}
}

// suiteHeaders are header fields of FAPI 1 that banks' clients still send.
var suiteHeaders = map[string]string{
	"x-fapi-auth-date": "Sun, 10 Sep 2017 19:43:31 UTC", "x-fapi-interaction-id": "c770aef3-6784-41f7-8e0e-ff5f97bddb3a",
}

func sending(fields map[string]string) fapitest.Misbehave {
	return fapitest.Misbehave{Header: func(header http.Header) {
		for name, value := range fields {
			header.Set(name, value)
		}
	}}
}

// TestResourceRequests is section 2.11 for what must be served, with either kind
// of binding, at either resource.
func TestResourceRequests(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	for binding, profile := range map[string]fapitest.Profile{"dpop": keyAndDPoP, "mtls": keyAndMTLS} {
		client := server.Register(t, "bank.app-"+binding, profile).Client
		tokens := flow(t, server, client)
		for name, resource := range protectedResources(api) {
			for request, misbehave := range map[string]fapitest.Misbehave{
				"fapi-headers":            sending(suiteHeaders),
				"customer-ip-address-v4":  sending(map[string]string{"x-fapi-customer-ip-address": "198.51.100.119"}),
				"customer-ip-address-v6":  sending(map[string]string{"x-fapi-customer-ip-address": "2001:db8::1893:25c8:1946"}),
				"accept-json":             sending(map[string]string{"Accept": "application/json"}),
				"accept-json-in-UTF-8":    sending(map[string]string{"Accept": "application/json;charset=UTF-8", "Accept-Charset": "UTF-8"}),
				"accept-anything":         sending(map[string]string{"Accept": "application/json, application/*+json, */*"}),
				"scheme-case-inverted":    {Header: swapScheme},
				"scheme-in-lower-case":    {Header: scheme(strings.ToLower)},
				"scheme-in-upper-case":    {Header: scheme(strings.ToUpper)},
				"url-with-query":          {Endpoint: func(address string) string { return address + "?page=2" }},
				"htu-with-query-in-proof": {Proof: editHTU(func(htu string) string { return htu + "?page=2#top" })},
			} {
				t.Run(name+"/"+binding+"/"+request, func(t *testing.T) {
					asking := client.With(misbehave)
					last := observing(asking)
					if err := resource.call(t.Context(), asking, tokens.AccessToken); err != nil {
						t.Fatal(err)
					}
					wantJSONAnswer(t, last[resource.step], http.StatusOK)
					wantInteractionID(t, last[resource.step], misbehave)
				})
			}
		}
	}
}

func scheme(change func(string) string) func(http.Header) {
	return func(header http.Header) {
		if name, token, found := strings.Cut(header.Get("Authorization"), " "); found {
			header.Set("Authorization", change(name)+" "+token)
		}
	}
}

func editHTU(change func(string) string) func(fapitest.Claims) {
	return func(claims fapitest.Claims) { claims["htu"] = change(claims["htu"].(string)) }
}

// uuid is RFC 9562, 4.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// wantInteractionID: an answer that has an interaction identifier has the request's.
func wantInteractionID(t *testing.T, answer fapitest.Answer, misbehave fapitest.Misbehave) {
	t.Helper()
	sent := http.Header{}
	if misbehave.Header != nil {
		misbehave.Header(sent)
	}
	const name = "x-fapi-interaction-id"
	if told := answer.Header.Get(name); told != "" && (told != sent.Get(name) || !uuid.MatchString(told)) {
		t.Errorf("the interaction identifier is %q, and was %q", told, sent.Get(name))
	}
}

// TestResourceRequestsRefused is section 2.11 for what must not be served, with
// either kind of binding, at either resource.
func TestResourceRequestsRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	for binding, profile := range map[string]fapitest.Profile{"dpop": keyAndDPoP, "mtls": keyAndMTLS} {
		client := server.Register(t, "bank.app-"+binding, profile).Client
		tokens := flow(t, server, client)
		inQuery := func(address string) string { return address + "?access_token=" + tokens.AccessToken }
		for name, resource := range protectedResources(api) {
			for request, misbehave := range map[string]fapitest.Misbehave{
				"token-in-query":            {Endpoint: inQuery, Header: func(header http.Header) { header.Del("Authorization") }},
				"token-in-header-and-query": {Endpoint: inQuery},
				"no-token":                  {Header: func(header http.Header) { header.Del("Authorization") }},
				"two-tokens":                {Header: func(header http.Header) { header.Add("Authorization", header.Get("Authorization")) }},
				"Basic":                     {Header: scheme(func(string) string { return "Basic" })},
				"no-scheme":                 {Header: func(header http.Header) { header.Set("Authorization", tokens.AccessToken) }},
				"scheme-of-other-binding": {Header: scheme(func(name string) string {
					return map[string]string{"DPoP": "Bearer", "Bearer": "DPoP"}[name]
				})},
				"altered":       {Header: func(header http.Header) { header.Set("Authorization", header.Get("Authorization")+"A") }},
				"ID-token":      {Header: func(header http.Header) { header.Set("Authorization", tokens.TokenType+" "+tokens.IDToken) }},
				"refresh-token": {Header: func(header http.Header) { header.Set("Authorization", tokens.TokenType+" "+tokens.RefreshToken) }},
			} {
				t.Run(name+"/"+binding+"/"+request, func(t *testing.T) {
					refusal := wantRefusal(t, resource.call(t.Context(), client.With(misbehave), tokens.AccessToken), badRequestUnauthorized)
					if refusal.Status == http.StatusUnauthorized && refusal.Header.Get("WWW-Authenticate") == "" {
						t.Error("the refusal has no WWW-Authenticate (RFC 9110, 15.5.2)")
					}
				})
			}
		}
	}
}

// TestProofsAtAccounts is dpop-negative-tests and its opposites at an API elsewhere.
func TestProofsAtAccounts(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	client := server.Register(t, "bank.app", keyAndDPoP)
	tokens := flow(t, server, client.Client)
	broken := brokenProofs(t, server, client)
	broken["ath-missing"] = fapitest.Misbehave{Proof: withoutClaim("ath")}
	broken["ath-wrong"] = fapitest.Misbehave{Proof: claim("ath", strings.Repeat("A", 43))}
	broken["other-key"] = fapitest.Misbehave{SignProof: otherKey(t)}
	broken["no-proof"] = fapitest.Misbehave{Header: func(header http.Header) { header.Del("DPoP") }}
	for name, misbehave := range broken {
		t.Run(name, func(t *testing.T) {
			_, err := client.With(misbehave).GetAccounts(t.Context(), api.URL, tokens.AccessToken)
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidDPoPProof, oauth.InvalidToken)
		})
	}
	for name, misbehave := range map[string]fapitest.Misbehave{
		"iat-10-seconds-ago":   {Proof: shift(-10*time.Second, "iat")},
		"iat-in-8-seconds":     {Proof: shift(8*time.Second, "iat")},
		"nbf-and-exp":          {Proof: func(claims fapitest.Claims) { claims["nbf"], claims["exp"] = claims["iat"], claims["iat"].(int64)+300 }},
		"unknown-claim":        {Proof: claim("unknown", []int{1})},
		"unknown-header":       {SignProof: proofForgery(t, client, func(h map[string]any) { h["unknown"] = "x" }, fapitest.Forgery{})},
		"htu-in-upper-case":    {Proof: editHTU(func(htu string) string { return strings.Replace(htu, "https://localhost", "HTTPS://LOCALHOST", 1) })},
		"header-in-upper-case": {Header: func(header http.Header) { header["DPOP"] = header["Dpop"]; delete(header, "Dpop") }},
	} {
		t.Run(name, func(t *testing.T) { wantAccounts(t, client.With(misbehave), api, tokens.AccessToken) })
	}
}
