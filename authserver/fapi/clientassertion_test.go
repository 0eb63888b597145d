package fapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

const issuer = "https://as.example"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// breach is one way to break a rule; pass is one way to come close and obey.
type breach[F any] struct {
	rule oauth.RuleID
	name string
	do   func(*F)
}

// holdToRules shows that good facts pass, that each breach breaks the rule that
// it names and none before it, and that no rule is without a breach.
func holdToRules[F any](t *testing.T, rules []Rule[F], good func() F, breaches []breach[F]) {
	t.Helper()
	if refusal := firstBroken(rules, good()); refusal != nil {
		t.Fatalf("good facts are refused: %v", refusal)
	}
	unbroken := map[oauth.RuleID]bool{}
	for _, rule := range rules {
		unbroken[rule.ID] = true
		requirePublicText(t, rule.ID, rule.Demand)
	}
	for _, breach := range breaches {
		t.Run(string(breach.rule)+"/"+breach.name, func(t *testing.T) {
			facts := good()
			breach.do(&facts)
			refusal := firstBroken(rules, facts)
			if refusal == nil || refusal.Rule != breach.rule {
				t.Errorf("refused with %v, want rule %s", refusal, breach.rule)
			}
		})
		delete(unbroken, breach.rule)
	}
	for id := range unbroken {
		t.Errorf("no breach shows rule %s", id)
	}
}

// requirePublicText holds descriptions to the characters of RFC 6749, 5.2.
func requirePublicText(t *testing.T, id oauth.RuleID, text string) {
	t.Helper()
	if strings.ContainsFunc(text, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' }) {
		t.Errorf("%s: %q cannot be an error_description", id, text)
	}
}

// obey runs passes, each of which must not be refused.
func obey[F any](t *testing.T, rules []Rule[F], good func() F, passes map[string]func(*F)) {
	t.Helper()
	for name, do := range passes {
		t.Run(name, func(t *testing.T) {
			facts := good()
			do(&facts)
			if refusal := firstBroken(rules, facts); refusal != nil {
				t.Errorf("refused: %v", refusal)
			}
		})
	}
}

func at(offset time.Duration) *jose.NumericDate {
	date := jose.NewNumericDate(noon.Add(offset))
	return &date
}

func aud(audience jose.Audience) *jose.Audience { return &audience }

func clientWith(edit func(*registration.Metadata)) *Client {
	metadata := registration.Metadata{
		ClientID: "team.app", TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT, TokenEndpointAuthSigningAlg: "ES256",
		Suspended: new(false),
	}
	edit(&metadata)
	return &Client{metadata: metadata.WithDefaults()}
}

func goodAssertion() ClientAssertion {
	return ClientAssertion{
		Algorithm: jose.ES256, Issuer: "team.app", Subject: "team.app",
		Client: clientWith(func(*registration.Metadata) {}), ServerIssuer: issuer, Now: noon,
		Claims: ClientAssertionClaims{
			Audience: aud(jose.SingleAudience(issuer)), ID: new("8jUQ"),
			IssuedAt: at(0), NotBefore: at(0), ExpiresAt: at(time.Minute),
		},
	}
}

func TestClientAssertionRules(t *testing.T) {
	holdToRules(t, clientAssertionRules, goodAssertion, []breach[ClientAssertion]{
		{"RFC7523-2.2", "malformed", func(a *ClientAssertion) { a.Fault = fmt.Errorf("JWT: %w", jose.ErrMalformed) }},
		{"FAPI2-SP-FINAL-5.4.1-1", "ensure-signed-client-assertion-with-RS256-fails", func(a *ClientAssertion) { a.Fault = jose.ErrAlgorithm }},
		{"RFC8725-3.12", "typ of an access token", func(a *ClientAssertion) { a.HasForeignType = true }},
		{"RFC7523-3-2", "ensure-client-assertion-with-no-sub-fails", func(a *ClientAssertion) { a.Subject = "" }},
		{"RFC7523-3-1", "iss missing", func(a *ClientAssertion) { a.Issuer = "" }},
		{"RFC7523-3-1", "iss of another client", func(a *ClientAssertion) { a.Issuer = "other.app" }},
		{"RFC7521-4.2", "client_id of another client", func(a *ClientAssertion) { a.ClientID = "other.app" }},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "unknown client", func(a *ClientAssertion) { a.Client, a.Fault = nil, errors.New("unknown") }},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "wrong key", func(a *ClientAssertion) { a.Fault = jose.ErrSignature }},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "unknown kid", func(a *ClientAssertion) { a.Fault = jose.ErrNoKey }},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "another client's record", func(a *ClientAssertion) { a.Issuer, a.Subject = "other.app", "other.app" }},
		{"OIDCR-2", "registered for tls_client_auth", func(a *ClientAssertion) {
			a.Client = clientWith(func(m *registration.Metadata) { m.TokenEndpointAuthMethod = oauth.AuthTLSClient })
		}},
		{"OIDCR-2", "another algorithm", func(a *ClientAssertion) { a.Algorithm = jose.PS256 }},
		{"FAPI2-SP-FINAL-5.3.2.1-8", "aud missing", func(a *ClientAssertion) { a.Claims.Audience = nil }},
		{"FAPI2-SP-FINAL-5.3.2.1-8", "par-test-array-as-audience-fails", func(a *ClientAssertion) {
			a.Claims.Audience = aud(jose.AudienceList(issuer, issuer+"/token"))
		}},
		{"FAPI2-SP-FINAL-5.3.2.1-8", "array of the issuer alone", func(a *ClientAssertion) { a.Claims.Audience = aud(jose.AudienceList(issuer)) }},
		{"FAPI2-SP-FINAL-5.3.2.1-8", "par-test-par-endpoint-url-as-audience-fails", func(a *ClientAssertion) { a.Claims.Audience = aud(jose.SingleAudience(issuer + "/par")) }},
		{"FAPI2-SP-FINAL-5.3.2.1-8", "par-test-token-endpoint-url-as-audience-fails", func(a *ClientAssertion) { a.Claims.Audience = aud(jose.SingleAudience(issuer + "/token")) }},
		{"FAPI2-SP-FINAL-5.3.2.1-8", "issuer with a slash", func(a *ClientAssertion) { a.Claims.Audience = aud(jose.SingleAudience(issuer + "/")) }},
		{"RFC7523-3-4", "exp missing", func(a *ClientAssertion) { a.Claims.ExpiresAt = nil }},
		{"RFC7523-3-4", "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", func(a *ClientAssertion) { a.Claims.ExpiresAt = at(-5 * time.Minute) }},
		{"RFC7523-3-4", "exp beyond the skew", func(a *ClientAssertion) { a.Claims.ExpiresAt = at(-PastSkew) }},
		{"LOCAL-ASSERTION-LIFETIME", "a day", func(a *ClientAssertion) { a.Claims.ExpiresAt = at(24 * time.Hour) }},
		{"FAPI2-SP-FINAL-5.3.2.1-13", "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails", func(a *ClientAssertion) {
			a.Claims.IssuedAt, a.Claims.NotBefore, a.Claims.ExpiresAt = at(62*time.Second), at(62*time.Second), at(122*time.Second)
		}},
		{"FAPI2-SP-FINAL-5.3.2.1-13", "iat alone", func(a *ClientAssertion) { a.Claims.IssuedAt = at(61 * time.Second) }},
		{"OIDCC-9", "jti missing", func(a *ClientAssertion) { a.Claims.ID = nil }},
		{"OIDCC-9", "jti empty", func(a *ClientAssertion) { a.Claims.ID = new("") }},
		{"OIDCC-9", "jti too long", func(a *ClientAssertion) { a.Claims.ID = new(strings.Repeat("x", MaxJWTIDLength+1)) }},
		{"RFC7523-3-7", "jti used before", func(a *ClientAssertion) { a.Replayed = true }},
	})
	obey(t, clientAssertionRules, goodAssertion, map[string]func(*ClientAssertion){
		"nbf-8-seconds-in-the-future-is-accepted": func(a *ClientAssertion) { a.Claims.IssuedAt, a.Claims.NotBefore = at(8*time.Second), at(8*time.Second) },
		"10 seconds in the future": func(a *ClientAssertion) {
			a.Claims.IssuedAt, a.Claims.NotBefore = at(10*time.Second), at(10*time.Second)
		},
		"neither iat nor nbf":            func(a *ClientAssertion) { a.Claims.IssuedAt, a.Claims.NotBefore = nil, nil },
		"client_id sent as well":         func(a *ClientAssertion) { a.ClientID = "team.app" },
		"exp just past, within the skew": func(a *ClientAssertion) { a.Claims.ExpiresAt = at(-9 * time.Second) },
		"longest jti":                    func(a *ClientAssertion) { a.Claims.ID = new(strings.Repeat("x", MaxJWTIDLength)) },
	})
}

func TestClientAssertionRefusalKeepsItsCauseForTheLog(t *testing.T) {
	assertion := goodAssertion()
	assertion.Fault = jose.ErrSignature
	refusal := CheckClientAssertion(assertion)
	if !errors.Is(refusal, jose.ErrSignature) || strings.Contains(refusal.Description, jose.ErrSignature.Error()) {
		t.Errorf("the cause belongs to the log and not to the description: %v", refusal)
	}
}

func TestUnknownClientAndWrongKeyLookAlike(t *testing.T) {
	unknown, wrongKey := goodAssertion(), goodAssertion()
	unknown.Client, unknown.Fault = nil, errors.New("no such client")
	wrongKey.Fault = jose.ErrSignature
	a, b := CheckClientAssertion(unknown), CheckClientAssertion(wrongKey)
	if a.Code != b.Code || a.Rule != b.Rule || a.Description != b.Description {
		t.Errorf("%v and %v tell whether the client exists", a, b)
	}
}

func goodCredentials() ClientCredentials {
	return ClientCredentials{Parameters: oauth.FormOf(map[string]string{
		oauth.ParamClientAssertion: "a.b.c", oauth.ParamClientAssertionType: oauth.ClientAssertionTypeJWT,
	})}
}

func send(t *testing.T, raw string) func(*ClientCredentials) {
	t.Helper()
	form, refusal := oauth.ParseForm(raw)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return func(c *ClientCredentials) { c.Parameters = form }
}

func TestClientCredentialsRules(t *testing.T) {
	assertion := "client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
	holdToRules(t, clientCredentialsRules, goodCredentials, []breach[ClientCredentials]{
		{"RFC6749-3.2", "two assertions", send(t, assertion+"&client_assertion=d.e.f")},
		{"RFC6749-3.2", "two client_ids", send(t, assertion+"&client_id=a&client_id=b")},
		{"RFC6749-3.2", "two types", send(t, assertion+"&client_assertion_type=x")},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "client_secret_basic", func(c *ClientCredentials) { c.Authorization = "Basic dGVhbTpzZWNyZXQ=" }},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "client_secret_post", send(t, "client_id=team.app&client_secret=s3cret")},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "assertion and secret", send(t, assertion+"&client_secret=s3cret")},
		{"FAPI2-SP-FINAL-5.3.2.1-6", "empty secret", send(t, assertion+"&client_secret=")},
		{"RFC7523-2.2", "assertion without type", send(t, "client_assertion=a.b.c")},
		{"RFC7523-2.2", "SAML assertion", send(t, "client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Asaml2-bearer")},
		{"RFC7523-2.2", "type without assertion", send(t, "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")},
		{"FAPI2-SP-FINAL-5.3.2.1-3", "ensure-client-assertion-in-token-endpoint", send(t, "client_id=team.app")},
		{"RFC8705-2", "certificate without client_id", func(c *ClientCredentials) { c.Parameters, c.HasCertificate = oauth.Form{}, true }},
	})
	obey(t, clientCredentialsRules, goodCredentials, map[string]func(*ClientCredentials){
		"certificate and client_id": func(c *ClientCredentials) {
			c.Parameters, c.HasCertificate = oauth.FormOf(map[string]string{oauth.ParamClientID: "team.app"}), true
		},
		"assertion on a connection with a certificate": func(c *ClientCredentials) { c.HasCertificate = true },
	})
}

func TestClientCertificateRules(t *testing.T) {
	good := func() ClientCertificate {
		return ClientCertificate{Client: clientWith(func(*registration.Metadata) {})}
	}
	holdToRules(t, clientCertificateRules, good, []breach[ClientCertificate]{
		{"RFC8705-2", "unknown client", func(c *ClientCertificate) { c.Client, c.Fault = nil, errors.New("unknown") }},
		{"RFC8705-2", "wrong certificate", func(c *ClientCertificate) { c.Fault = errors.New("wrong") }},
	})
	fault := errors.New("wrong")
	if refusal := CheckClientCertificate(ClientCertificate{Fault: fault}); !errors.Is(refusal, fault) {
		t.Errorf("%v has lost its cause", refusal)
	}
}

func TestSuspendedClientIsRefused(t *testing.T) {
	good := func() *Client { return clientWith(func(*registration.Metadata) {}) }
	holdToRules(t, authenticatedClientRules, good, []breach[*Client]{
		{"LOCAL-CLIENT-SUSPENDED", "suspended", func(c **Client) { *(*c).metadata.Suspended = true }},
	})
}
