package export_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/export"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/lint"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
)

// canary stands wherever a file may hold a secret.
const canary = "c4n4ry"

// A realm as Keycloak writes it, cut down to what counts here.
const realm = `{
  "realm": "bank", "users": [{"username": "alice", "credentials": [{"value": "` + canary + `"}]}],
  "clientScopes": [{"name": "internal", "attributes": {"include.in.token.scope": "false"}}, {"name": "accounts", "attributes": {"include.in.token.scope": "true"}}],
  "clients": [
    {"clientId": "admin-cli", "protocol": "openid-connect"},
    {"clientId": "wiki", "protocol": "saml", "attributes": {"saml.signing.private.key": "` + canary + `"}},
    {"clientId": "api", "protocol": "openid-connect", "bearerOnly": true, "secret": "` + canary + `"},
    {
      "id": "1", "clientId": "Budget_App", "name": "Budget", "enabled": true, "protocol": "openid-connect", "rootUrl": "https://budget.example.com",
      "baseUrl": "/home", "redirectUris": ["/callback"], "webOrigins": [], "clientAuthenticatorType": "client-jwt", "secret": "",
      "standardFlowEnabled": true, "implicitFlowEnabled": false, "directAccessGrantsEnabled": false, "serviceAccountsEnabled": false, "publicClient": false,
      "attributes": {
        "token.endpoint.auth.signing.alg": "PS256", "use.jwks.url": "true", "jwks.url": "https://budget.example.com/jwks",
        "tls.client.certificate.bound.access.tokens": "false", "dpop.bound.access.tokens": "true", "pkce.code.challenge.method": "S256",
        "require.pushed.authorization.requests": "true", "access.token.lifespan": "120", "id.token.signed.response.alg": "PS256",
        "request.object.signature.alg": "any", "request.object.required": "not required", "user.info.response.signature.alg": "unsigned",
        "client.secret.creation.time": "1690000000", "backchannel.logout.session.required": "true"
      },
      "defaultClientScopes": ["web-origins", "acr", "roles", "basic", "internal", "profile"], "optionalClientScopes": ["accounts", "offline_access"],
      "protocolMappers": [], "fullScopeAllowed": false, "nodeReRegistrationTimeout": -1, "frontchannelLogout": true
    },
    {
      "clientId": "legacy", "enabled": false, "protocol": "openid-connect", "publicClient": false, "clientAuthenticatorType": "client-secret",
      "secret": "` + canary + `", "registrationAccessToken": "` + canary + `", "redirectUris": ["http://legacy.example.com/*", "https://u:` + canary + `@legacy.example.com/"],
      "webOrigins": ["+"], "standardFlowEnabled": true, "implicitFlowEnabled": true, "directAccessGrantsEnabled": true, "serviceAccountsEnabled": true,
      "attributes": {"use.refresh.tokens": "false", "post.logout.redirect.uris": "+", "jwt.credential.private": "` + canary + `", "oauth2.device.authorization.grant.enabled": "true"},
      "authenticationFlowBindingOverrides": {"browser": "x"}, "description": "old"
    },
    {
      "clientId": "terminal", "protocol": "openid-connect", "clientAuthenticatorType": "client-x509", "standardFlowEnabled": false, "serviceAccountsEnabled": true,
      "attributes": {"x509.subjectdn": "CN=terminal,O=Bank", "x509.allow.regex.pattern.comparison": "false", "tls.client.certificate.bound.access.tokens": "true",
        "use.jwks.string": "true", "jwks.string": "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"a\",\"y\":\"b\",\"d\":\"` + canary + `\"},{\"kty\":\"oct\",\"k\":\"` + canary + `\"}]}"}
    }
  ]
}`

const hydra = `{
  "client_id": "retail.budget", "client_name": "Budget", "client_secret": "` + canary + `", "registration_access_token": "` + canary + `",
  "redirect_uris": ["https://budget.example.com/callback"], "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
  "scope": "openid offline accounts", "audience": ["https://api.example.com"], "owner": "", "allowed_cors_origins": [], "subject_type": "public",
  "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
  "jwks": {"keys": [{"kty": "EC", "use": "sig", "kid": "1", "alg": "ES256", "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]},
  "userinfo_signed_response_alg": "none", "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "client_secret_expires_at": 0,
  "metadata": {"team": "` + canary + `"}, "skip_consent": false, "skip_logout_consent": null,
  "authorization_code_grant_access_token_lifespan": "10m0s", "client_credentials_grant_access_token_lifespan": "5m0s", "implicit_grant_id_token_lifespan": null
}`

func manifests(t *testing.T, format, content string) map[string]export.Manifest {
	t.Helper()
	clients, err := export.Formats[format]([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]export.Manifest{}
	for _, application := range clients.Manifests(export.Target{Namespace: "retail"}) {
		byName[application.Name] = application
	}
	return byName
}

func lost(m export.Manifest) []string {
	var members []string
	for _, loss := range m.Lost {
		members = append(members, loss.Member)
	}
	return members
}

func refused(m export.Manifest) []oauth.RuleID {
	var rules []oauth.RuleID
	for _, violation := range m.Refused {
		rules = append(rules, violation.Rule)
	}
	return rules
}

func TestKeycloakClientThatIsAlmostFAPIIsCarriedOver(t *testing.T) {
	t.Parallel()
	client := manifests(t, "keycloak-realm", realm)["budget-app"]
	if rules := refused(client); rules != nil {
		t.Errorf("refused by %v", rules)
	}
	if diff := cmp.Diff([]string{"client_id"}, lost(client)); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	want := `---
# client Budget_App
# not carried over: client_id: it becomes retail.budget-app, since identifiers begin with the namespace (LOCAL-CLIENT-ID-NAMESPACE): tell the client
apiVersion: fapi-operator.io/v1alpha1
kind: FAPIApplication
metadata:
  name: budget-app
  namespace: retail
spec:
  accessToken:
    lifetime: 2m0s
    senderConstraint: DPoP
  clientAuthentication:
    method: private_key_jwt
    signingAlg: PS256
  clientName: Budget
  clientURI: https://budget.example.com/home
  grantTypes:
  - authorization_code
  - refresh_token
  idToken:
    signedResponseAlg: PS256
  keys:
    jwksURI: https://budget.example.com/jwks
    source: JWKSURI
  pkce:
    method: S256
    required: true
  pushedAuthorizationRequests:
    required: true
  redirectURIs:
  - https://budget.example.com/callback
  scopes:
  - openid
  - profile
  - accounts
  - offline_access
`
	var out bytes.Buffer
	if err := client.Write(&out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestWhatFAPIRefusesOfAKeycloakClientIsNamed(t *testing.T) {
	t.Parallel()
	client := manifests(t, "keycloak-realm", realm)["legacy"]
	for _, rule := range []oauth.RuleID{
		"FAPI2-SP-FINAL-5.3.2.1-2", "FAPI2-SP-FINAL-5.3.2.1-4", "FAPI2-SP-FINAL-5.3.2.1-6", "FAPI2-SP-FINAL-5.3.2.2-1", "FAPI2-SP-FINAL-5.3.2.2-3", "FAPI2-SP-FINAL-5.3.2.2-5", "FAPI2-SP-FINAL-5.3.2.2-8",
	} {
		if !slices.Contains(refused(client), rule) {
			t.Errorf("%s is not among %v", rule, refused(client))
		}
	}
	want := []string{"authenticationFlowBindingOverrides", "description", "jwt.credential.private", "post.logout.redirect.uris", "redirectUris", "registrationAccessToken", "secret", "client_id"}
	if diff := cmp.Diff(want, lost(client)); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	// What FAPI fixes is left to FAPI; what a person must decide stays.
	spec := client.Spec
	if spec.PKCE != nil || spec.PushedAuthorizationRequests != nil || spec.AccessToken != nil {
		t.Errorf("the manifest states what FAPI fixes: %+v %+v %+v", spec.PKCE, spec.PushedAuthorizationRequests, spec.AccessToken)
	}
	if spec.ClientAuthentication.Method != oauth.AuthClientSecretBasic || !slices.Contains(spec.GrantTypes, oauth.GrantPassword) || !*spec.Suspended {
		t.Errorf("spec %+v", spec)
	}
	if diff := cmp.Diff([]string{"http://legacy.example.com", "https://legacy.example.com"}, spec.AllowedOrigins); diff != "" {
		t.Errorf("allowed origins (-want +got):\n%s", diff)
	}
}

func TestCertificateOfAKeycloakClientIsCarriedOver(t *testing.T) {
	t.Parallel()
	client := manifests(t, "keycloak-realm", realm)["terminal"]
	if tls := client.Spec.ClientAuthentication.TLS; tls == nil || tls.SubjectDN != "CN=terminal,O=Bank" {
		t.Errorf("TLS %+v", tls)
	}
	pattern := strings.Replace(realm, `"x509.allow.regex.pattern.comparison": "false"`, `"x509.allow.regex.pattern.comparison": "true"`, 1)
	client = manifests(t, "keycloak-realm", pattern)["terminal"]
	if client.Spec.ClientAuthentication.TLS != nil || !slices.Contains(lost(client), "x509.subjectdn") {
		t.Errorf("a pattern became a name: %+v, lost %q", client.Spec.ClientAuthentication.TLS, lost(client))
	}
}

func TestKeycloaksOwnAndForeignClientsAreSkipped(t *testing.T) {
	t.Parallel()
	clients, err := export.Formats["keycloak-realm"]([]byte(realm))
	if err != nil {
		t.Fatal(err)
	}
	var skipped []string
	for _, loss := range clients.Skipped {
		skipped = append(skipped, loss.Member)
	}
	if diff := cmp.Diff([]string{"admin-cli", "wiki", "api"}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestHydraClientIsCarriedOver(t *testing.T) {
	t.Parallel()
	client := manifests(t, "hydra-client", hydra)["budget"]
	if rules := refused(client); rules != nil {
		t.Errorf("refused by %v", rules)
	}
	want := []string{"audience", "client_credentials_grant_access_token_lifespan", "client_secret", "metadata", "registration_access_token", "subject_type"}
	if diff := cmp.Diff(want, lost(client)); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	spec := client.Spec
	if diff := cmp.Diff([]string{"openid", "offline_access", "accounts"}, spec.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if spec.ClientID != "" || spec.Keys == nil || spec.AccessToken.Lifetime.Duration != 5*time.Minute {
		t.Errorf("spec %+v", spec)
	}
}

func TestIdentifiersAreKeptWhereItIsAsked(t *testing.T) {
	t.Parallel()
	clients, err := export.Formats["keycloak-realm"]([]byte(realm))
	if err != nil {
		t.Fatal(err)
	}
	kept := clients.Manifests(export.Target{Namespace: "retail", KeepClientIDs: true})[0]
	if kept.Spec.ClientID != "Budget_App" || kept.Name != "budget-app" || len(kept.Lost) > 0 {
		t.Errorf("kept %+v", kept)
	}
}

func TestSeveralHydraClientsAreRead(t *testing.T) {
	t.Parallel()
	for _, content := range []string{`[{"client_id": "a"}, {"client_id": "A"}]`, `{"items": [{"client_id": "a"}, {"client_id": "A"}]}`} {
		var names []string
		for name, client := range manifests(t, "hydra-client", content) {
			names = append(names, name)
			if client.Spec.ClientAuthentication.Method != oauth.AuthClientSecretBasic || !slices.Contains(refused(client), "FAPI2-SP-FINAL-5.3.2.1-6") {
				t.Errorf("Hydra's default method is not told: %+v", client)
			}
		}
		slices.Sort(names)
		if diff := cmp.Diff([]string{"a", "a-2"}, names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
	}
}

// What is written is judged as any manifest: the rules that the client breaks,
// and no slip of this program.
func TestWhatIsWrittenBreaksNoOtherRules(t *testing.T) {
	t.Parallel()
	linter, err := lint.New("retail", fapi.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for format, content := range map[string]string{"keycloak-realm": realm, "hydra-client": hydra} {
		for name, client := range manifests(t, format, content) {
			var out bytes.Buffer
			if err := client.Write(&out); err != nil {
				t.Fatal(err)
			}
			report := linter.Judge(t.Context(), manifest.Read(name, out.Bytes()))
			for _, finding := range report.Findings {
				if !slices.Contains(refused(client), finding.Rule) {
					t.Errorf("%s: %+v", name, finding)
				}
			}
			if report.Judged != 1 {
				t.Errorf("%s: judged %d", name, report.Judged)
			}
		}
	}
}

func TestNoSecretIsWritten(t *testing.T) {
	t.Parallel()
	for format, content := range map[string]string{"keycloak-realm": realm, "hydra-client": hydra} {
		for name, client := range manifests(t, format, content) {
			var out bytes.Buffer
			if err := client.Write(&out); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), canary) {
				t.Errorf("%s holds a secret:\n%s", name, out.String())
			}
		}
	}
	terminal := manifests(t, "keycloak-realm", realm)["terminal"]
	if !slices.Contains(lost(terminal), "jwks.string") || strings.Count(string(terminal.Spec.Keys.JWKS.Raw), "kty") != 1 {
		t.Errorf("private keys are taken out without a word, or with their public halves: %q %s", lost(terminal), terminal.Spec.Keys.JWKS.Raw)
	}
}

func TestUnreadableFileSaysNothingOfItsContent(t *testing.T) {
	t.Parallel()
	for format, read := range export.Formats {
		for _, content := range []string{"", `"` + canary + `"`, `{"clients": "` + canary + `"`, `{"secret": "` + canary + `", "secret": "` + canary + `"}`, `{"clients": "` + canary + `", "items": "` + canary + `"}`, `[1]`, `[]`} {
			if _, err := read([]byte(content)); err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s of %q: %v", format, content, err)
			}
		}
	}
}

func TestIdentifierCannotLeaveItsComment(t *testing.T) {
	t.Parallel()
	for _, client := range manifests(t, "hydra-client", `{"client_id": "a\nkind: Evil\n---\n", "x\ny": 1}`) {
		var out bytes.Buffer
		if err := client.Write(&out); err != nil {
			t.Fatal(err)
		}
		if documents := manifest.Read("", out.Bytes()); len(documents) != 1 || strings.Contains(out.String(), "\nkind: Evil") {
			t.Errorf("written %s", out.String())
		}
	}
}

func TestControlCharactersOfAValueAreWritten(t *testing.T) {
	t.Parallel()
	const name = "a\u007f\u0085\u009f\ufeff\uffffb\u2028c\x00"
	for _, client := range manifests(t, "hydra-client", `{"client_id": "a", "client_name": "a\u007f\u0085\u009f\ufeff\uffffb\u2028c\u0000"}`) {
		var out bytes.Buffer
		if err := client.Write(&out); err != nil {
			t.Fatal(err)
		}
		spec := manifest.Read("", out.Bytes())[0].Object["spec"].(map[string]any)
		if spec["clientName"] != name {
			t.Errorf("the name %q is written as %q", name, spec["clientName"])
		}
	}
}

// Whatever the file, what is written is one manifest for each client.
func FuzzExport(f *testing.F) {
	f.Add(true, realm)
	f.Add(false, hydra)
	f.Add(false, `[{"jwks": {"keys": [null, {"kty": 1}]}, "grant_types": 7}]`)
	f.Add(true, `[{"clientId": "", "attributes": {"use.jwks.string": "true", "jwks.string": "no"}, "redirectUris": ["/", ":", "%"], "webOrigins": ["+"]}]`)
	f.Fuzz(func(t *testing.T, ofKeycloak bool, content string) {
		format := "hydra-client"
		if ofKeycloak {
			format = "keycloak-realm"
		}
		clients, err := export.Formats[format]([]byte(content))
		if err != nil {
			return
		}
		for _, application := range clients.Manifests(export.Target{Namespace: "retail"}) {
			var out bytes.Buffer
			if err := application.Write(&out); err != nil {
				t.Fatal(err)
			}
			documents := manifest.Read("", out.Bytes())
			if len(documents) != 1 || documents[0].Err != nil || len(documents[0].Repeated) > 0 {
				t.Errorf("%d documents, %v: %s", len(documents), documents, out.String())
			}
		}
	})
}
