package protocol

import (
	"bytes"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// TestStolenDatabase: whoever steals the store gets no credential that went over
// the wire, and no private key, in whatever state of the flow.
func TestStolenDatabase(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *fapitest.Server{
		"SQLite":     func(t *testing.T) *fapitest.Server { return fapitest.StartServer(t) },
		"PostgreSQL": func(t *testing.T) *fapitest.Server { return fapitest.StartServerOn(t, pgcluster.New(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stealAll(t, start(t))
		})
	}
}

// stealAll steals the store after every step.
func stealAll(t *testing.T, server *fapitest.Server) {
	t.Helper()
	sent := &wire{what: map[string]string{server.Person.Password: "the person's password"}}
	client := server.Register(t, "robbed", keyAndDPoP).With(sent.listen())
	browser := client.NewBrowser()
	defer browser.Close()
	steal := func() {
		t.Helper()
		for _, cookie := range browser.CookiesGiven() {
			sent.add("a cookie", cookie)
		}
		sent.lookInto(t, server.Stored(t))
	}

	authorization := push(t, client)
	sent.add("request_uri", strings.TrimPrefix(authorization.Pushed.RequestURI, "urn:ietf:params:oauth:request_uri:"))
	steal()
	callback, err := client.AuthorizeWith(t.Context(), browser, authorization, server.Person)
	if err != nil {
		t.Fatal(err)
	}
	sent.add("the code", callback.Code)
	sent.add("the code verifier", authorization.CodeVerifier)
	steal()
	tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
	if err != nil {
		t.Fatal(err)
	}
	sent.add("the refresh token", tokens.RefreshToken)
	sent.addJWT("the access token", tokens.AccessToken)
	sent.addJWT("the ID token", tokens.IDToken)
	wantUserInfo(t, client, tokens.AccessToken)
	steal()
	if _, err := client.Refresh(t.Context(), tokens.RefreshToken, ""); err != nil {
		t.Fatal(err)
	}
	if err := client.Revoke(t.Context(), tokens.AccessToken); err != nil {
		t.Fatal(err)
	}
	steal()
	for _, what := range []string{"a client assertion", "a DPoP proof", "a cookie"} {
		if !sent.heard(what) {
			t.Errorf("%s went over the wire unheard: this test does not look for it", what)
		}
	}
}

// wire is what went over it: what each secret is.
type wire struct {
	mu   sync.Mutex
	what map[string]string
}

// listen hears what the client sends.
func (w *wire) listen() fapitest.Misbehave {
	form := func(form url.Values) { w.addJWT("a client assertion", form.Get(oauth.ParamClientAssertion)) }
	return fapitest.Misbehave{
		PushForm: form, TokenForm: form,
		Header: func(header http.Header) { w.addJWT("a DPoP proof", header.Get("DPoP")) },
	}
}

func (w *wire) add(what, secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(secret) > 15 { // What is shorter is no secret of ours, and may stand anywhere.
		w.what[secret] = what
	}
}

// addJWT adds the whole token, and the signature without which it is worth nothing.
func (w *wire) addJWT(what, token string) {
	w.add(what, token)
	w.add(what+"'s signature", token[strings.LastIndex(token, ".")+1:])
}

func (w *wire) heard(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(w.what)), what)
}

// lookInto looks for the secrets as text and, as a dump shows bytes, in hexadecimal.
func (w *wire) lookInto(t *testing.T, stored []byte) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	holds := func(text string) bool {
		return bytes.Contains(stored, []byte(text)) || bytes.Contains(stored, []byte(hex.EncodeToString([]byte(text))))
	}
	for secret, what := range w.what {
		if holds(secret) {
			t.Errorf("the store holds %s", what)
		}
	}
	// The server's own keys are JWKs (RFC 7517), whose private part is "d" (RFC 7518, 6.2.2 and 6.3.2).
	for _, private := range []string{`"d":`, "PRIVATE KEY"} {
		if holds(private) {
			t.Errorf("the store holds a private key: %s", private)
		}
	}
	for _, public := range []string{"robbed", "https://robbed.example/callback"} {
		if !holds(public) {
			t.Fatalf("the store does not show even %q: this test looks in the wrong place", public)
		}
	}
}
