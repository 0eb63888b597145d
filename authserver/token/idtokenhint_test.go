package token

import (
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestHintedSubject(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client, _ := newClient(t, func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(jose.ES256) })
	hint, err := s.minter.IDToken(client, client.Keys(), IDToken{Subject: "~4711", AuthTime: noon})
	if err != nil {
		t.Fatal(err)
	}
	years := noon.Add(5 * 365 * 24 * time.Hour)
	if subject, err := s.verifierAt(years).HintedSubject(hint, client.ID()); err != nil || subject != "~4711" {
		t.Errorf("an ID token of years ago is about %q: %v", subject, err)
	}
	for name, refused := range map[string]struct {
		verifier *Verifier
		hint     string
		clientID string
	}{
		"another client's":   {s.verifierAt(noon), hint, "team.other"},
		"another server's":   {newServer(t).verifierAt(noon), hint, client.ID()},
		"another issuer's":   {&Verifier{Issuer: "https://other.example", Keys: s.verifierAt(noon).Keys}, hint, client.ID()},
		"a corrupt one":      {s.verifierAt(noon), corrupt(hint), client.ID()},
		"no JWT":             {s.verifierAt(noon), "hint", client.ID()},
		"an access token":    {s.verifierAt(noon), accessTokenFor(t, s), client.ID()},
		"a response":         {s.verifierAt(noon), responseFor(t, s), client.ID()},
		"signed userinfo":    {s.verifierAt(noon), userinfoFor(t, s), client.ID()},
		"about a client":     {s.verifierAt(noon), signed(t, s, oauth.TypeJWT, "team.app"), client.ID()},
		"of an unknown type": {s.verifierAt(noon), signed(t, s, "logout+jwt", "~4711"), client.ID()},
	} {
		if subject, err := refused.verifier.HintedSubject(refused.hint, refused.clientID); err == nil {
			t.Errorf("%s was believed to be about %s", name, subject)
		}
	}
}

// corrupt changes the middle of the signature.
func corrupt(compact string) string {
	dot := strings.LastIndexByte(compact, '.') + 10
	other := byte('A')
	if compact[dot] == other {
		other = 'B'
	}
	return compact[:dot] + string(other) + compact[dot+1:]
}

func accessTokenFor(t *testing.T, s server) string {
	t.Helper()
	compact, _, err := s.minter.AccessToken(forPerson())
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func responseFor(t *testing.T, s server) string {
	t.Helper()
	client, _ := newClient(t, func(*registration.Metadata) {})
	compact, err := s.minter.AuthorizationResponse(client, nil, map[string]string{"state": "s", "sub": "~4711"})
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func userinfoFor(t *testing.T, s server) string {
	t.Helper()
	client, _ := newClient(t, func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(jose.ES256) })
	compact, err := s.minter.Userinfo(client, nil, map[string]any{"sub": "~4711"})
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// signed is a JWT with all that an ID token has.
func signed(t *testing.T, s server, typ, subject string) string {
	t.Helper()
	compact, err := s.minter.Signer(jose.ES256).Sign(typ, map[string]any{
		"iss": issuer, "aud": "team.app", "sub": subject, "exp": noon.Unix(), "iat": noon.Unix(), "auth_time": noon.Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return compact
}
